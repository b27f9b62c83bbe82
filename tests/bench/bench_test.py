#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the benchmarks make of the numbers that they are given. Nothing is measured."""

import json
import os
import pathlib
import sys
import tempfile
import types
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
os.environ.update({"AT_RABBITMQ_HOST": "localhost", "AT_RABBITMQ_PORT": "1", "AT_KAFKA_BOOTSTRAP": "localhost:2"})

import baseline  # noqa: E402
import bench  # noqa: E402
import counts  # noqa: E402
import machine  # noqa: E402
import measure  # noqa: E402
import outbox  # noqa: E402
import report  # noqa: E402
from goals import HIGHER, LOWER  # noqa: E402

RATIO = ("Kafka, confirmed, one node", "messages/s")  # ≥ 1.1
FIGURE = ("Kafka, idle dispatcher", "% CPU")  # ≤ 0.1


def row(title, ours, theirs=None, **details):
    subject = measure.Bench(quick=True)
    subject.row(*title, ours, theirs, **details)
    return subject.rows[0]


class Spread(unittest.TestCase):
    def test_is_the_largest_over_the_smallest_less_one(self):
        self.assertAlmostEqual(measure.spread([100, 110, 125]), 0.25)

    def test_of_runs_that_agree_is_nothing(self):
        self.assertEqual(measure.spread([7]), 0)
        self.assertEqual(measure.spread([0, 0]), 0)

    def test_of_five_runs_leaves_the_outermost_aside(self):
        self.assertAlmostEqual(measure.spread([1, 100, 110, 120, 900]), 0.2)

    def test_of_four_runs_counts_all(self):
        self.assertAlmostEqual(measure.spread([100, 100, 100, 200]), 1)

    def test_of_fifteen_runs_leaves_three_aside_on_either_side(self):
        self.assertAlmostEqual(measure.spread([1, 2, 3] + [100] * 8 + [150] + [7_000] * 3), 0.5)

    def test_from_nothing_to_something_is_endless(self):
        self.assertEqual(measure.spread([0, 1]), float("inf"))


class Best(unittest.TestCase):
    def test_way_is_the_one_with_the_better_median(self):
        slow, fast = [{"n": 1}, {"n": 1}, {"n": 9}], [{"n": 2}, {"n": 2}, {"n": 2}]
        self.assertIs(measure.best("n", HIGHER, slow, fast), fast)
        self.assertIs(measure.best("n", LOWER, slow, fast), slow)


class Row(unittest.TestCase):
    def test_has_the_ratio_of_the_medians(self):
        self.assertEqual(row(RATIO, [1, 20, 20], [10, 10, 30])["value"], 2)

    def test_that_is_not_in_the_goals_is_an_error(self):
        with self.assertRaises(KeyError):
            row(("something else", "ns"), [1])

    def test_of_steady_runs_is_called(self):
        self.assertEqual(report.reached(row(RATIO, [120, 121, 122], [100, 101, 102])), "yes")
        self.assertEqual(report.reached(row(RATIO, [100, 101, 102], [100, 101, 102])), "**no**")

    def test_is_not_called_where_either_side_differs(self):
        for ours, theirs in (([100, 126], [10, 10]), ([100, 100], [10, 13])):
            unsteady = row(RATIO, ours, theirs)
            self.assertFalse(report.comparable(unsteady))
            text = report.table([unsteady])
            self.assertIn("| not comparable |", text)
            self.assertNotIn("yes", text)
        self.assertIn("ours by 26%, theirs by 0%", report.reached(row(RATIO, [100, 126], [10, 10])))

    def test_without_another_is_called_where_all_runs_say_the_same(self):
        self.assertEqual(report.reached(row(FIGURE, [0.001, 0.05])), "yes")
        self.assertEqual(report.reached(row(FIGURE, [0.2, 0.9])), "**no**")
        self.assertEqual(report.reached(row(FIGURE, [0.05, 0.2])), "— (runs differ by 300%)")


class Page(unittest.TestCase):
    def test_has_the_machine_first_and_a_table_for_each_section(self):
        plain, other = row(RATIO, [1], [1]), row(FIGURE, [1])
        other["section"] = "Costs"
        text = report.page("- a machine\n", [plain, other])
        self.assertTrue(text.startswith("- a machine\n\n| work "))
        self.assertEqual(text.count("| work | measure |"), 2)
        self.assertLess(text.index(RATIO[0]), text.index("**Costs**"))
        self.assertLess(text.index("**Costs**"), text.index(FIGURE[0]))

    def test_is_written_between_the_marks_of_its_name_only(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "page.md"
            page.write_text("a\n<!-- results -->\nold\n<!-- end -->\nb\n<!-- outbox -->\nold\n<!-- end -->\nc\n",
                            encoding="utf-8")
            report.write_page(page, "one\n")
            report.write_page(page, "two\n", outbox.MARK)
            self.assertEqual(page.read_text(encoding="utf-8"),
                             "a\n<!-- results -->\none\n<!-- end -->\nb\n<!-- outbox -->\ntwo\n<!-- end -->\nc\n")

    def test_of_the_repository_has_a_place_for_each_table(self):
        text = (measure.ROOT / "docs/performance.md").read_text(encoding="utf-8")
        for mark in ("results", outbox.MARK):
            self.assertRegex(text, f"<!-- {mark} -->\n[^!]*<!-- end -->")

    def test_machine_says_what_figures_depend_on(self):
        found = {"processor": "P", "cores": 2, "system": "S", "caches": ["L1 data 48 KiB"], "idle_before": 0.975,
                 "latency_64_mib_ns": 123.4, "latency_1_mib_ns": 5.67}
        text = machine.text(found)
        for part in ("P, 2 cores", "L1 data 48 KiB", "64 MiB of memory: 123 ns", "1 MiB: 5.7 ns", "98%"):
            self.assertIn(part, text)
        self.assertNotIn("SLOW", text)
        self.assertNotIn("BUSY", text)
        self.assertIn("BUSY", machine.text(found | {"idle_before": 0.5}))
        self.assertIn("SLOW", machine.text(found, slow=True))

    def test_idle_share_is_a_share(self):
        self.assertTrue(0 <= machine.idle_share(0.05) <= 1)

    def test_caches_are_those_that_the_kernel_names(self):
        self.assertEqual(machine.caches(pathlib.Path("/nowhere")), [])


class Outbox(unittest.TestCase):
    def test_rate_is_of_the_rows_that_have_left(self):
        self.assertEqual(outbox.rate(1_000, 400, 12), {"rows": 600, "seconds": 12, "per_second": 50})

    def test_configuration_has_the_one_destination_and_the_outbox(self):
        text = outbox.configuration({"broker_type": "kafka"}, {"type": "sqlite", "path": "shop.db"})
        self.assertEqual(json.loads(text), {"brokers": {"bench": {"broker_type": "kafka"}},
                                            "outbox": {"type": "sqlite", "path": "shop.db"}})

    def test_rows_have_goals_of_their_own_side(self):
        insert = row(("SQLite, a transaction of one message ÷ by hand", "µs"), [22, 22], [20, 20])
        self.assertEqual(report.reached(insert), "yes")  # 1.1
        relayed = row(("PostgreSQL → Kafka, backlog of {count:,}", "rows/s"), [49_000, 49_500], count=1_000_000)
        self.assertEqual(report.reached(relayed), "**no**")

    def test_part_needs_a_database_beside_the_brokers(self):
        options = types.SimpleNamespace(only=["outbox"], three_nodes=None, peers=None, large=False, event_ruler=False)
        subject = measure.Bench(quick=True)
        subject.postgresql = None
        self.assertEqual(bench.parts_of(subject, options), {})
        subject.postgresql = "postgresql://localhost"
        self.assertEqual(list(bench.parts_of(subject, options)), ["outbox"])


class Baseline(unittest.TestCase):
    def test_says_worse_only_beyond_the_noise(self):
        before, same, worse = [100, 101, 102, 103, 104], [101, 102, 103, 104, 105], [150, 151, 152, 153, 154]
        self.assertEqual(baseline.verdict(before, same, LOWER), "the same")
        self.assertEqual(baseline.verdict(before, worse, LOWER), "**worse**")
        self.assertEqual(baseline.verdict(before, worse, HIGHER), "better")


PROFILE = """version: 1
positions: line
events: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw

ob=(1) /bin/action_triggers_bench_ours
fl=(1) ???
fn=(1) action_triggers::detail::LaneCore::admit(action_triggers::detail::Record&)
0 10 4 3 1 2 1 0 1
cob=(2) /lib/librdkafka.so.1
cfn=(2) rd_kafka_produceva
calls=1 0
0 1000 400 300 90 80 70 60 50 40
+3 5
ob=(2)
fn=(2)
0 7 0 0 0 0 0 0 2 1
"""
ADMIT = ("/bin/action_triggers_bench_ours",
         "action_triggers::detail::LaneCore::admit(action_triggers::detail::Record&)")
PRODUCE = ("/lib/librdkafka.so.1", "rd_kafka_produceva")


class Counts(unittest.TestCase):
    def setUp(self):
        with tempfile.TemporaryDirectory() as folder:
            profile = pathlib.Path(folder) / "profile-01"
            profile.write_text(PROFILE, encoding="utf-8")
            self.found = counts.functions_of(profile)

    def test_are_of_each_function_without_what_it_calls(self):
        self.assertEqual(set(self.found), {ADMIT, PRODUCE})
        self.assertEqual(self.found[ADMIT], {"instructions": 15, "D1": 3, "LL": 1})

    def test_know_a_function_by_the_number_that_it_had_where_it_was_called(self):
        self.assertEqual(self.found[PRODUCE], {"instructions": 7, "D1": 0, "LL": 3})

    def test_tell_ours_from_the_client_librarys(self):
        self.assertEqual(counts.owner(*ADMIT), "ours")
        self.assertEqual(counts.owner(*PRODUCE), "client library")
        self.assertEqual(counts.owner("/lib/libc.so.6", "malloc"), "other libraries")

    def test_find_the_lane_by_what_it_does(self):
        self.assertEqual(counts.role_of(self.found, True), "who fires")
        self.assertEqual(counts.role_of(self.found, False), "the client library's threads")
        self.assertEqual(counts.role_of({("", "action_triggers::detail::Lane::run()"): None}, False), "the lane")


if __name__ == "__main__":
    unittest.main()
