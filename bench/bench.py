#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures action_triggers beside the raw client libraries and other clients, and writes docs/performance.md's table.

measure.py runs the programs, goals.py says what is to be reached, report.py draws. Run it through scripts/bench, which
builds the programs and starts the servers.
"""

import argparse
import json
import os
import platform
import time

import measure
import report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one small run of each: whether it works, not how fast")
    parser.add_argument("--peers", metavar="PYTHON", help="also other clients, with this Python, which has them")
    parser.add_argument("--three-nodes", nargs=2, metavar=("BOOTSTRAP", "KAFKA_TOPICS"),
                        help="also a cluster of three, and its kafka-topics")
    parser.add_argument("--write", action="store_true", help="write the table and plots into docs/")
    options = parser.parse_args()
    bench = measure.Bench(options.quick)
    measure.make_topic(os.environ["AT_KAFKA_TOPICS"], "bench", "--replication-factor", "1")
    bench.warm_up(bench.kafka, "bench", 2_000_000)
    bench.hook()
    bench.kafka_throughput("mock cluster", "mock", "bench", 1_000_000)
    bench.kafka_throughput("one node", bench.kafka, "bench", 1_000_000)
    if options.three_nodes:
        three_nodes, kafka_topics = options.three_nodes
        measure.make_topic(kafka_topics, "bench-3", "--replication-factor", "3", "--config", "min.insync.replicas=2")
        bench.warm_up(three_nodes, "bench-3", 1_000_000)
        bench.kafka_throughput("three nodes", three_nodes, "bench-3", 300_000)
    bench.rabbitmq_throughput()
    bench.latency()
    bench.idle()
    bench.memory()
    bench.curves()
    bench.in_flight()
    bench.build_costs()
    if options.peers:
        bench.peers(options.peers)
    print(report.table(bench.rows))
    result = {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count(), "machine": platform.platform(),
              "runs": bench.runs, "rows": bench.rows, "raw": bench.raw}
    output = measure.ROOT / "build/bench/results.json"
    output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    report.draw(bench.rows, bench.raw, measure.ROOT / "build/bench/plots")
    measure.say("raw numbers: build/bench/results.json; plots: build/bench/plots")
    if options.write:
        folder = measure.ROOT / "docs/performance"
        report.draw(bench.rows, bench.raw, folder)
        (folder / "results.json").write_text(json.dumps(result) + "\n", encoding="utf-8")
        report.write_page(measure.ROOT / "docs/performance.md", report.table(bench.rows))


if __name__ == "__main__":
    main()
