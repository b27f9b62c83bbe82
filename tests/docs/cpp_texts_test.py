#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What cpp_texts.py finds in sources, and what errors_page.py says of a text that nobody has written about."""

import contextlib
import io
import pathlib
import tempfile
import unittest

import errors_page
from cpp_texts import Reader


def texts(source):
    return [text for text, _ in Reader(source).found]


class Texts(unittest.TestCase):
    def test_literals_are_joined_with_what_stands_between_them(self):
        self.assertEqual(texts('fail("no broker \'" + name_of(file) + "\', "\n  "or two");'), ["no broker '…', or two"])
        self.assertEqual(texts('std::cerr << "it ends" << 7 << \'\\n\';'), ["it ends…\n"])
        self.assertEqual(texts('auto text = std::string("The ") + kind + " is odd";'), ["The … is odd"])
        self.assertEqual(texts('problem(in_quotes(name) + " is odd");'), ["'…' is odd"])

    def test_a_choice_is_one_text(self):
        self.assertEqual(texts('say("it " + (is_new ? "came" : "went" + where) + ".");'), ["it {came|went…}."])

    def test_arguments_are_texts_of_their_own(self):
        self.assertEqual(texts('say(ready ? "yes" : "no", {"one", two("three")});'), ["yes", "no", "one", "three"])

    def test_comments_and_includes_are_none(self):
        self.assertEqual(texts('#include "a/b.hpp"\n// "one"\n/* "two" */ say(R"sql(a "raw" one)sql");'), ['a "raw" one'])

    def test_the_function_is_known(self):
        self.assertEqual(Reader('list.add_field<Config>("key", "what it is");').found,
                         [("key", "add_field"), ("what it is", "add_field")])


class Page(unittest.TestCase):
    def check(self, source, toml):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name in ("src", "docs", "include/action_triggers"):
                (root / name).mkdir(parents=True)
            (root / "src/one.cpp").write_text(source, encoding="utf-8")
            (root / "docs/errors.toml").write_text(toml + '\n[no-errors]\nothers = ["all is well"]\n', encoding="utf-8")
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                errors_page.main(root, True)
                status = errors_page.main(root, False)
            return status, said.getvalue()

    def test_a_text_needs_an_entry_and_an_entry_a_text(self):
        source = 'say("all is well"); fail("this is odd");'
        self.assertEqual(self.check(source, '[Sending]\n"this is odd" = "Make it even."')[0], 0)
        self.assertIn('src/one.cpp: say in docs/errors.toml what to do: "this is odd" = ""',
                      self.check(source, '[Sending]\n"that is odd" = "Make it even."')[1])
        self.assertIn("no source says this any more: that is odd",
                      self.check(source, '[Sending]\n"that is odd" = "Make it even."')[1])


if __name__ == "__main__":
    unittest.main()
