#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What scripts/first-hour stands on, without the hour: the blocks that it takes, what it does with them, and the page that
it writes. Usage: first_hour_test.py SOURCE_DIR"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(sys.argv.pop(1)).resolve()
SCRIPT = "scripts/first-hour"
PAGE = "docs/development/first-hour.md"


def run(*command, folder=SOURCE, said=""):
    return subprocess.run(command, cwd=folder, input=said, capture_output=True, text=True, timeout=60)


def copied(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (SOURCE / name).is_dir() else shutil.copy)(SOURCE / name, folder / name)


class Temporary(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def page(self, text):
        (self.folder / "page.md").write_text(text, encoding="utf-8")
        return "page.md"


class Script(Temporary):
    def test_help(self):
        done = run(SCRIPT, "--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("usage: scripts/first-hour", done.stdout)

    def test_wrong_arguments(self):
        for arguments in (["--wirte"], ["--in"], ["hour"]):
            done = run(SCRIPT, *arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ""), arguments)

    def test_every_block_is_there(self):
        done = run(SCRIPT, "--blocks")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_block_that_is_gone_is_said(self):
        copied(self.folder, "scripts", "README.md", "docs", "examples/quickstart", "tests/docs")
        readme = self.folder / "README.md"
        readme.write_text(readme.read_text(encoding="utf-8").replace("int main()", "int mian()"), encoding="utf-8")
        done = run(SCRIPT, "--blocks", folder=self.folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn("the block 'program' is not in README.md", done.stderr)

    def test_each_block_is_used(self):
        text = (SOURCE / SCRIPT).read_text(encoding="utf-8")
        names = re.findall(r"^  \[([^]]+)\]='", text, re.MULTILINE)
        self.assertGreater(len(names), 10)
        used = {first or second for first, second in re.findall(r"\bblock (?:'([^']+)'|(\w+))", text)}
        self.assertEqual([name for name in names if name not in used], [])

    def test_on_a_system_with_a_compiler_nothing_is_written(self):
        before = (SOURCE / PAGE).read_bytes()
        done = run(SCRIPT, "--write")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--write is for a bare system", done.stderr)
        self.assertEqual((SOURCE / PAGE).read_bytes(), before)


class Block(Temporary):
    def block(self, *arguments):
        return run("/usr/bin/python3", SOURCE / "tests/docs/block.py", *arguments, folder=self.folder)

    def test_is_printed(self):
        page = self.page("# Page\n\n```sh\nmake first\n```\n\n```sh\nmake second\n```\n")
        self.assertEqual(self.block(page, "second").stdout, "make second\n")

    def test_must_be_the_only_one(self):
        page = self.page("```sh\nmake first\n```\n\n```sh\nmake second\n```\n")
        for text, count in (("make", "2"), ("third", "no")):
            done = self.block(page, text)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"{count} blocks have '{text}' in them", done.stderr)

    def test_is_run_in_this_folder(self):
        page = self.page("```console\n$ echo 1 >made\n$ cat made\n…\n```\n")
        self.assertEqual(self.block("--run", page, "cat").returncode, 0)
        self.assertEqual((self.folder / "made").read_text(encoding="utf-8"), "1\n")

    def test_must_say_what_stands_there(self):
        done = self.block("--run", self.page("```console\n$ echo one\ntwo\n```\n"), "echo")
        self.assertEqual(done.returncode, 1)
        self.assertIn("instead of:\ntwo", done.stdout)

    def test_only_console_blocks_are_run(self):
        self.assertEqual(self.block("--run", self.page("```sh\ntouch made\n```\n"), "touch").returncode, 1)
        self.assertFalse((self.folder / "made").exists())


class Errors(unittest.TestCase):
    def find(self, said):
        return run("/usr/bin/python3", SOURCE / "tests/docs/errors_page.py", SOURCE, "--find", said=said)

    def test_a_text_leads_to_what_to_do(self):
        done = self.find("there was\nno broker of localhost:9 can be\nreached: Connection refused\n")
        self.assertEqual(done.returncode, 0)
        self.assertIn("Compare `bootstrap_servers`", done.stdout)

    def test_a_brokers_refusal_leads_to_its_own_page(self):
        done = self.find("unauthenticated: the broker says 403 ACCESS_REFUSED; check conn_details.username and password")
        self.assertEqual(done.stdout.splitlines()[0],
                         "| login 403 | check conn_details.username and password | rabbitmq-errors.md |")
        done = self.find("not_found: Unknown topic; create the topic on the cluster, or look for a typing error")
        self.assertIn("| kafka-errors.md |", done.stdout)

    def test_a_choice_matches_each(self):
        for said in ("The field 'on' must be an object.", "The field 'on' must be a string or an object."):
            self.assertIn("{a string or an object. / an object.}", self.find(said).stdout, said)

    def test_no_text_leads_nowhere(self):
        done = self.find("all is well")
        self.assertEqual((done.returncode, done.stdout), (1, ""))


class Table(Temporary):
    def test_only_what_stands_between_is_replaced(self):
        page = self.page("a\n<!-- x -->\nold\n<!-- end -->\nb\n<!-- y -->\nother\n<!-- end -->\n")
        (self.folder / "new").write_text("new\n", encoding="utf-8")
        self.assertEqual(run(SOURCE / "scripts/lib/table", page, "<!-- x -->", "new", folder=self.folder).returncode, 0)
        self.assertEqual((self.folder / page).read_text(encoding="utf-8"),
                         "a\n<!-- x -->\nnew\n<!-- end -->\nb\n<!-- y -->\nother\n<!-- end -->\n")


class Page(unittest.TestCase):
    """The hour was walked by the script that stands here."""

    def setUp(self):
        self.text = (SOURCE / PAGE).read_text(encoding="utf-8")
        self.script = (SOURCE / SCRIPT).read_text(encoding="utf-8")

    def rows(self, begin):
        part = self.text.split(begin)[1].split("<!-- end -->")[0]
        return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in part.splitlines()
                if line.startswith("| ")][1:]

    def test_has_each_step_and_its_minutes(self):
        rows = self.rows("<!-- the hour -->")
        if not rows:
            self.assertIn("<!-- the hour -->\nNot measured yet:", self.text)
            return
        self.assertEqual([row[0] for row in rows], re.findall(r"^step '([^']+)'", self.script, re.MULTILINE))
        since = 0
        for _, minutes, *parts, sum_until_then, _ in rows:
            self.assertAlmostEqual(float(minutes), sum(map(float, parts)), delta=0.31)
            since += float(minutes)
            self.assertAlmostEqual(float(sum_until_then), since, delta=0.61)

    def test_has_each_mistake_and_what_to_do(self):
        rows = self.rows("<!-- mistakes -->")
        if not rows:
            self.assertIn("<!-- mistakes -->\nNot measured yet,", self.text)
            return
        self.assertEqual([row[0] for row in rows], re.findall(r"^mistake '([^']+)'", self.script, re.MULTILINE))
        for row in rows:
            self.assertEqual(len(row), 4, row)
            self.assertNotIn("", row)


class Packages(unittest.TestCase):
    def test_the_line_that_installs_all_has_each_package_of_the_table(self):
        page = (SOURCE / "docs/install.md").read_text(encoding="utf-8")
        table = {package for cell in re.findall(r"^\|.*\| `([^`]+)` \|$", page, re.MULTILINE)
                 for package in cell.split() if cell.split()[0] == "g++" or cell.startswith("lib")}
        line = re.search(r"^sudo apt-get install (g\+\+ .*)$", page, re.MULTILINE)[1].split()
        self.assertGreater(len(table), 10)
        self.assertEqual(set(line), table)
        setup = (SOURCE / "scripts/setup").read_text(encoding="utf-8")
        build = re.search(r"build_packages=\(([^)]*)\)", setup)[1].split()
        self.assertEqual(set(build) - {"ccache"}, table)


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    unittest.main(verbosity=1)
