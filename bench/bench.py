#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures action_triggers beside the raw client libraries and other clients, and writes docs/performance.md's table.

machine.py says on what, measure.py, bursts.py, costs.py, triggers.py, scopes.py, neighbours.py and outbox.py run the
programs, goals.py says what is to be reached, report.py draws. Run it through scripts/bench, which builds the programs
and starts the servers.
"""

import argparse
import json
import os
import time

import bursts
import costs
import machine
import measure
import neighbours
import outbox
import report
import scopes
import triggers


WITHOUT_SERVERS = {"destinations", "memory", "build", "bursts", "costs", "triggers", "scopes"}


def parts_of(bench, options):
    """What is to be measured: name -> how, in the order of the table."""
    def kafka():
        bench.warm_up(bench.kafka, "bench", 2_000_000)
        bench.kafka_throughput("mock cluster", "mock", "bench", 1_000_000)
        bench.kafka_throughput("one node", bench.kafka, "bench", 1_000_000)

    def three_nodes():
        bootstrap, kafka_topics = options.three_nodes
        measure.make_topic(kafka_topics, "bench-3", "--replication-factor", "3", "--config", "min.insync.replicas=2")
        bench.warm_up(bootstrap, "bench-3", 1_000_000)
        bench.kafka_throughput("three nodes", bootstrap, "bench-3", 300_000)
    parts = {"hook": bench.hook, "destinations": bench.destinations, "kafka": kafka, "three-nodes": three_nodes,
             "rabbitmq": bench.rabbitmq_throughput, "latency": bench.latency, "idle": bench.idle,
             "memory": bench.memory, "build": bench.build_costs, "peers": lambda: bench.peers(options.peers),
             "bursts": lambda: bursts.run(bench, options.large), "costs": lambda: costs.run(bench),
             "triggers": lambda: triggers.run(bench, options.event_ruler), "scopes": lambda: scopes.run(bench),
             "neighbours": lambda: neighbours.run(bench),
             "outbox": lambda: outbox.run(bench),
             "curves": lambda: (bench.curves(), bench.in_flight())}
    unknown = sorted(set(options.only or []) - set(parts))
    if unknown:
        raise SystemExit(f"bench: there is no part {', '.join(unknown)}; there are {', '.join(parts)}")
    missing = {"three-nodes"} if not options.three_nodes else set()
    missing |= {"peers"} if not options.peers else set()
    missing |= set(parts) - WITHOUT_SERVERS if not bench.kafka else set()
    missing |= {"outbox"} if not bench.postgresql else set()
    return {name: part for name, part in parts.items()
            if name not in missing and (not options.only or name in options.only)}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one small run of each: whether it works, not how fast")
    parser.add_argument("--only", metavar="PART,…", type=lambda text: text.split(","),
                        help="only these parts of the table")
    parser.add_argument("--slow", action="store_true", help="while a program makes the caches forget")
    parser.add_argument("--large", action="store_true", help="also a burst of three million messages")
    parser.add_argument("--peers", metavar="PYTHON", help="also other clients, with this Python, which has them")
    parser.add_argument("--event-ruler", action="store_true", help="also event-ruler, which is fetched if need be")
    parser.add_argument("--three-nodes", nargs=2, metavar=("BOOTSTRAP", "KAFKA_TOPICS"),
                        help="also a cluster of three, and its kafka-topics")
    parser.add_argument("--write", action="store_true", help="write the table and plots into docs/")
    return parser.parse_args()


def main():
    options = arguments()
    bench = measure.Bench(options.quick)
    parts = parts_of(bench, options)
    if bench.kafka:
        measure.make_topic(os.environ["AT_KAFKA_TOPICS"], "bench", "--replication-factor", "1")
    idle = machine.idle_share(3)
    with machine.slow_memory(measure.PROGRAMS, options.slow):
        here = machine.describe(measure.PROGRAMS, measure.run, idle)
        for part in parts.values():
            bench.section = ""
            part()
    text = report.page(machine.text(here, options.slow, options.quick), bench.rows)
    print(text)
    result = {"date": time.strftime("%Y-%m-%d"), "machine": here, "slow": options.slow, "runs": bench.runs,
              "rows": bench.rows, "raw": bench.raw}
    name = "results-slow" if options.slow else "results"
    output = measure.ROOT / f"build/bench/{name}.json"
    output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    measure.say(f"raw numbers: {output.relative_to(measure.ROOT)}")
    if not options.only:
        report.draw(bench.rows, bench.raw, measure.ROOT / "build/bench/plots")
        measure.say("plots: build/bench/plots")
    if options.write:
        write(options, bench, here, result)


def write(options, bench, here, result):
    """The page has the outbox's table in a place of its own: it can be measured alone."""
    page = measure.ROOT / "docs/performance.md"
    on_machine = machine.text(here, options.slow, options.quick)
    of_outbox = [row for row in bench.rows if row["section"] == outbox.SECTION]
    if of_outbox:
        report.write_page(page, on_machine + "\n" + report.table(of_outbox), outbox.MARK)
    if options.only:
        return
    folder = page.parent / "performance"
    report.draw(bench.rows, bench.raw, folder)
    (folder / "results.json").write_text(json.dumps(result) + "\n", encoding="utf-8")
    others = [row for row in bench.rows if row["section"] != outbox.SECTION]
    report.write_page(page, report.page(on_machine, others))


if __name__ == "__main__":
    main()
