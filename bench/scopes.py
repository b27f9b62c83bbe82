# SPDX-License-Identifier: MIT
"""What a commit scope costs on the calling thread: processor time."""

import measure

PROGRAM = "action_triggers_bench_scopes"


def run(bench):
    bench.section = "Commit scopes"
    runs = min(bench.runs, 5)

    def transactions(names):
        return lambda: measure.program(PROGRAM, "transactions", "--count", bench.count(200_000), "--names", names)
    one, ten = bench.alternate("transactions of 100 messages", transactions(1), transactions(10), runs=runs)
    bench.row("`fire()` in a scope ÷ `fire()`", "ns CPU/message", measure.values(one, "fire_inside_ns"),
              measure.values(one, "fire_ns"))
    for places, found in (("one destination", one), ("ten destinations in turn", ten)):
        bench.row(f"`commit()` of 100 messages to {places}", "µs CPU", measure.values(found, "commit_us"))
    bench.row("`rollback()` of 100 messages that nobody waits for", "µs CPU", measure.values(one, "rollback_us"))
