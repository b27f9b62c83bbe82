#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures how fast confluent-kafka's idempotent producer gets messages confirmed by Kafka.

The time runs from the first produce() to the end of flush(); connecting and reading the topic's metadata come before.
On a new Kafka the first idempotent producer has to wait for its identifier, so run once to warm up. produce_p50_ns and
produce_p99_ns are of the produce() calls that took a message, by time.perf_counter_ns, whose own cost is not
subtracted. A call that finds the producer's queue full is not among them: it waits in poll() and tries again.
"""

import argparse
import json
import sys
import time
import uuid

import confluent_kafka
from arguments import positive

METADATA_TIMEOUT_SECONDS = 10


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", required=True, metavar="HOST:PORT")
    parser.add_argument("--destination", required=True, metavar="TOPIC", help="an existing topic")
    parser.add_argument("--count", required=True, type=positive, metavar="N", help="messages to send")
    parser.add_argument("--size", required=True, type=positive, metavar="BYTES", help="of each message's value")
    parser.add_argument("--linger", type=float, default=5, metavar="MS", help="linger.ms (default: 5)")
    parser.add_argument("--timeout", type=positive, default=60, metavar="SECONDS",
                        help="for a message's delivery: message.timeout.ms (default: 60)")
    return parser.parse_args()


class Deliveries:
    """Counts delivery reports, and keeps the first error."""

    def __init__(self) -> None:
        self.confirmed = 0
        self.error: confluent_kafka.KafkaError | None = None

    def report(self, error: confluent_kafka.KafkaError | None, _: confluent_kafka.Message) -> None:
        if error is None:
            self.confirmed += 1
        elif self.error is None:
            self.error = error


def require_topic(producer: confluent_kafka.Producer, topic: str) -> None:
    try:
        error = producer.list_topics(topic, METADATA_TIMEOUT_SECONDS).topics[topic].error
    except confluent_kafka.KafkaException as exception:
        error = exception.args[0]
    if error is not None:
        sys.exit(f"{sys.argv[0]}: cannot use topic {topic}: {error}")


def percentile(ordered: list[int], percent: int) -> int:
    """The nearest-rank percentile of a sorted list."""
    return ordered[-(-len(ordered) * percent // 100) - 1]


def main() -> None:
    arguments = parse_arguments()
    producer = confluent_kafka.Producer({
        "bootstrap.servers": arguments.broker,
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": arguments.linger,
        "message.timeout.ms": arguments.timeout * 1000,
        "log_level": 2,  # what matters is reported below; librdkafka would repeat it for each attempt
    })
    require_topic(producer, arguments.destination)

    value = b"x" * arguments.size
    deliveries = Deliveries()
    durations: list[int] = []
    start, cpu_start = time.perf_counter(), time.process_time()
    for _ in range(arguments.count):
        headers = [("message-id", str(uuid.uuid4()))]
        while True:
            try:
                before = time.perf_counter_ns()
                producer.produce(arguments.destination, value, headers=headers, on_delivery=deliveries.report)
                durations.append(time.perf_counter_ns() - before)
                break
            except BufferError:
                producer.poll(0.1)
            except confluent_kafka.KafkaException as error:
                sys.exit(f"{sys.argv[0]}: message {len(durations) + 1} of {arguments.count} was refused: {error}")
        producer.poll(0)
    producer.flush()
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start

    durations.sort()
    print(json.dumps({
        "subject": "confluent-kafka",
        "version": f"{confluent_kafka.__version__} (librdkafka {confluent_kafka.libversion()[0]})",
        "messages": arguments.count,
        "confirmed": deliveries.confirmed,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "per_second": deliveries.confirmed / seconds,
        "produce_p50_ns": percentile(durations, 50),
        "produce_p99_ns": percentile(durations, 99),
    }))
    if deliveries.confirmed != arguments.count:
        sys.exit(f"{sys.argv[0]}: {deliveries.confirmed} of {arguments.count} messages confirmed; "
                 f"first error: {deliveries.error}")


if __name__ == "__main__":
    main()
