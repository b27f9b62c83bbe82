# SPDX-License-Identifier: MIT
"""The outbox: what it costs an application, how fast relays are, and beside a relay as it is often written by hand.

About eight minutes. The servers are private: nobody else uses the outbox's tables in them.
"""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time

import measure

SECTION = "The outbox"
MARK = "outbox"  # of its table in docs/performance.md

POSTGRESQL = "action_triggers_bench_outbox_postgresql"
SQLITE = "action_triggers_bench_outbox_sqlite"
POLL_AND_MARK = "action_triggers_bench_poll_and_mark"
TABLE = "action_triggers_outbox"
SIZE = 256  # bytes of a body
BACKLOG = 1_000_000
SQLITE_BACKLOG = 300_000
LONGEST = 12  # seconds that a relay is watched: what it has sent by then says how fast it is
CLIENTS = 32


def run(bench):
    bench.section = SECTION
    work = Outbox(bench)
    bench.warm_up(bench.kafka, "bench", 1_000_000)
    try:
        for part in (work.insert, work.postgresql_to_kafka, work.postgresql_to_rabbitmq, work.sqlite_to_kafka,
                     work.latency, work.clients, work.dead_rows):
            part()
    finally:
        work.close()


def rate(rows, left, seconds):
    """Of a relay that was given so many rows and so long."""
    return {"rows": rows - left, "seconds": seconds, "per_second": (rows - left) / seconds}


def configuration(broker, outbox):
    """A file's text: one destination, "bench", which is all that the rows are for."""
    return json.dumps({"brokers": {"bench": broker}, "outbox": outbox}, indent=1) + "\n"


class Outbox:
    """The databases with the outbox's tables, in a folder of their own, and what is measured with them."""

    def __init__(self, bench):
        self.bench = bench
        self.postgresql = os.environ["AT_POSTGRESQL_CONNINFO"]
        self.folder = measure.ROOT / "build/bench/outbox"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.sqlite = self.folder / "shop.db"
        with sqlite3.connect(self.sqlite) as database:
            database.execute("PRAGMA journal_mode = WAL")
        host, port = bench.rabbitmq.split(":")
        kafka = {"broker_type": "kafka", "conn_details": {"bootstrap_servers": bench.kafka},
                 "params": {"topic": "bench"}}
        rabbitmq = {"broker_type": "rabbitmq", "conn_details": {"host": host, "port": int(port)},
                    "params": {"queue": "bench"}}
        in_postgresql = {"type": "postgresql", "conninfo": self.postgresql}
        self.to_kafka = self.file("kafka", kafka, in_postgresql)
        self.to_rabbitmq = self.file("rabbitmq", rabbitmq, in_postgresql)
        self.sqlite_to_kafka_file = self.file("sqlite", kafka, {"type": "sqlite", "path": str(self.sqlite)})
        for file in (self.to_kafka, self.sqlite_to_kafka_file):
            self.command("outbox", "install", file)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def file(self, name, broker, outbox):
        path = self.folder / f"{name}.json"
        path.write_text(configuration(broker, outbox), encoding="utf-8")
        return path

    @staticmethod
    def command(*arguments):
        subprocess.run([measure.COMMAND, *arguments], check=True, stdout=subprocess.DEVNULL, timeout=900)

    def sql(self, *statements):
        """What the last of them gives."""
        commands = [part for statement in statements for part in ("-c", statement)]
        done = subprocess.run(["psql", "-X", "-At", "-q", "-v", "ON_ERROR_STOP=1", self.postgresql, *commands],
                              check=True, stdout=subprocess.PIPE, text=True, timeout=900,
                              env=os.environ | {"PGOPTIONS": "-c client_min_messages=warning"})
        return done.stdout.strip()

    # ------------------------------------------------------------------------------------------- what a message costs

    def insert(self):
        """Both sides do the same on connections of one program, in turn."""
        ways = (("PostgreSQL, a transaction of one message", POSTGRESQL, self.postgresql, "insert", 1),
                ("PostgreSQL, a transaction of ten messages", POSTGRESQL, self.postgresql, "insert", 10),
                ("SQLite, a transaction of one message", SQLITE, self.sqlite, "insert", 1),
                ("SQLite, a transaction of ten messages", SQLITE, self.sqlite, "insert", 10),
                ("SQLite, the same of one message, an object for each", SQLITE, self.sqlite, "insert-once", 1))
        for title, program, database, work, messages in ways:
            found, = self.bench.alternate(title, lambda: measure.program(
                program, work, "--database", database, "--messages", messages, "--count", self.bench.count(3_000)))
            self.bench.row(f"{title} ÷ by hand", "µs", measure.values(found, "ours_us"),
                           measure.values(found, "by_hand_us"))

    def clients(self):
        bench = self.bench

        def shop(messages):
            return lambda: measure.program(
                POSTGRESQL, "clients", "--database", self.postgresql, "--type", "kafka", "--broker", bench.kafka,
                "--destination", "bench", "--threads", CLIENTS, "--seconds", 0.5 if bench.quick else 5, "--messages",
                messages)
        ours, theirs = bench.alternate(f"{CLIENTS} clients", shop(1), shop(0))
        bench.compare("PostgreSQL, {count} clients with a message each ÷ without, relay to Kafka running",
                      "transactions/s", "per_second", ours, theirs, count=CLIENTS)

    # ---------------------------------------------------------------------------------------------------- how fast it is

    def fill(self, table, rows):
        self.sql(f"TRUNCATE {table}",
                 f"INSERT INTO {table} (target, body) SELECT 'bench', convert_to(repeat('x', {SIZE}), 'UTF8') "
                 f"FROM generate_series(1, {rows})", "CHECKPOINT")

    def relay(self, file, rows, left):
        """action-triggers relay --once, from its start to its end, or to an end that it is asked for after a while."""
        begin = time.monotonic()
        with subprocess.Popen([measure.COMMAND, "relay", "--once", file], stdout=subprocess.DEVNULL) as process:
            try:
                process.wait(LONGEST)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
            if process.wait(60) != 0:
                raise SystemExit(f"bench: action-triggers relay ended with {process.returncode}")
        seconds = time.monotonic() - begin
        return rate(rows, left(), seconds)

    def relay_postgresql(self, file, rows):
        self.fill(TABLE, rows)
        return self.relay(file, rows, lambda: int(self.sql(f"SELECT count(*) FROM {TABLE}")))

    def relay_sqlite(self, rows):
        with sqlite3.connect(self.sqlite) as database:
            database.execute(f"DELETE FROM {TABLE}")
            database.execute(f"INSERT INTO {TABLE} (target, body) WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL "
                             f"SELECT n + 1 FROM numbers WHERE n < {rows}) SELECT 'bench', "
                             f"CAST(replace(hex(zeroblob({SIZE // 2})), '0', 'x') AS BLOB) FROM numbers")

        def left():
            with sqlite3.connect(self.sqlite) as database:
                return database.execute(f"SELECT count(*) FROM {TABLE}").fetchone()[0]
        return self.relay(self.sqlite_to_kafka_file, rows, left)

    def poll_and_mark(self, rows):
        self.sql("DROP TABLE IF EXISTS bench_poll_and_mark",
                 "CREATE TABLE bench_poll_and_mark (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, target text, "
                 "body bytea, sent_at timestamptz)",
                 "CREATE INDEX ON bench_poll_and_mark (id) WHERE sent_at IS NULL")
        self.fill("bench_poll_and_mark", rows)
        try:
            return measure.program(POLL_AND_MARK, "relay", "--database", self.postgresql, "--broker", self.bench.kafka,
                                   "--destination", "bench", "--seconds", LONGEST)
        finally:
            self.sql("DROP TABLE bench_poll_and_mark")

    def dispatcher(self, kind, broker, count):
        """The broker's own rate: the same bodies from memory."""
        return measure.program(measure.OURS, "throughput", "--type", kind, "--broker", broker, "--destination", "bench",
                               "--size", SIZE, "--count", count)

    def postgresql_to_kafka(self):
        bench, rows = self.bench, self.bench.count(BACKLOG)
        ours, broker, by_hand = bench.alternate(
            "PostgreSQL to Kafka", lambda: self.relay_postgresql(self.to_kafka, rows),
            lambda: self.dispatcher("kafka", bench.kafka, rows), lambda: self.poll_and_mark(rows),
            runs=min(bench.runs, 3))
        bench.row("PostgreSQL → Kafka, backlog of {count:,}", "rows/s", measure.values(ours, "per_second"), count=rows)
        bench.compare("PostgreSQL → Kafka ÷ Kafka's own rate", "rows/s", "per_second", ours, broker)
        bench.compare("PostgreSQL → Kafka ÷ a relay that polls and marks", "rows/s", "per_second", ours, by_hand)

    def postgresql_to_rabbitmq(self):
        bench, rows = self.bench, self.bench.count(BACKLOG)

        def relay():
            measure.empty_the_queue()
            return self.relay_postgresql(self.to_rabbitmq, rows)
        ours, broker = bench.alternate(
            "PostgreSQL to RabbitMQ", relay,
            lambda: self.dispatcher("rabbitmq", bench.rabbitmq, bench.count(100_000)), runs=min(bench.runs, 3))
        bench.row("PostgreSQL → RabbitMQ, backlog of {count:,}", "rows/s", measure.values(ours, "per_second"),
                  count=rows)
        bench.compare("PostgreSQL → RabbitMQ ÷ RabbitMQ's own rate", "rows/s", "per_second", ours, broker)

    def sqlite_to_kafka(self):
        rows = self.bench.count(SQLITE_BACKLOG)
        found, = self.bench.alternate("SQLite to Kafka", lambda: self.relay_sqlite(rows), runs=min(self.bench.runs, 3))
        self.bench.row("SQLite → Kafka, backlog of {count:,}", "rows/s", measure.values(found, "per_second"),
                       count=rows)

    def latency(self):
        """To a broker that confirms at once, from the return of the commit: beyond the disk and the broker."""
        bench = self.bench
        ways = (("PostgreSQL", "its relay's process", POSTGRESQL, self.postgresql, "latency", 40, 100),
                ("PostgreSQL", "another process", POSTGRESQL, self.postgresql, "latency-other", 40, 100),
                ("SQLite", "its relay's process", SQLITE, self.sqlite, "latency", 40, 100),
                # Further apart than the second for which the relay looks more often.
                ("SQLite", "another process", SQLITE, self.sqlite, "latency-other", 1_400, 18))
        for name, place, program, database, work, pause, count in ways:
            self.sql(f"TRUNCATE {TABLE}")
            with sqlite3.connect(self.sqlite) as connection:
                connection.execute(f"DELETE FROM {TABLE}")
            found, = bench.alternate(f"{name}, commits of {place}", lambda: measure.program(
                program, work, "--database", database, "--pause-ms", pause, "--count", 3 if bench.quick else count),
                runs=min(bench.runs, 3))
            for quantile in ("p50", "p99"):
                bench.row(f"{name}, commit of {place} to confirmed, idle, {quantile}", "ms",
                          [nanoseconds / 1e6 for nanoseconds in measure.values(found, f"{quantile}_ns")])

    def dead_rows(self):
        bench = self.bench
        self.sql(f"TRUNCATE {TABLE}")
        found, = bench.alternate("dead rows", lambda: measure.program(
            POSTGRESQL, "dead-rows", "--database", self.postgresql, "--count", bench.count(200_000)),
            runs=min(bench.runs, 3))
        bench.row("PostgreSQL, read and removed beside 300,000 dead rows that a transaction keeps ÷ without", "µs/row",
                  measure.values(found, "pinned_us"), measure.values(found, "without_us"))
