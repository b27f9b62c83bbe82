#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The parts of the site's build that are ours: pages of headers, and the check of links. Usage: site_test.py SOURCE_DIR"""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(sys.argv.pop(1), "docs/site")))
import check_links  # noqa: E402
import reference  # noqa: E402

HEADER = """// SPDX-License-Identifier: MIT
/// Boxes, for other.hpp.
#pragma once

namespace action_triggers {
namespace detail {
/// Nobody's business.
struct Hidden {};
}  // namespace detail

class Later;

/// A box. Throws std::bad_alloc from open_it().
class ACTION_TRIGGERS_EXPORT Box {
 public:
  /// Of a size (in { units }).
  explicit Box(int size) : size_{size}, name_("a{") { open_it(); }
  Box(Box&&) noexcept;

  /// The other.
  [[nodiscard]] Other other() const { return {1}; }

 private:
  int size_;  ///< Not shown.
};

struct Pair {
  int first = 0;  ///< The first (of two).
  std::function<void()> then{};
  bool both() const {
    return true;
  }
};
}  // namespace action_triggers
"""
OTHER = "// SPDX\n/// Others.\n#pragma once\nnamespace action_triggers {\n/// One.\nenum class Other { one, two };\n}\n"


class Headers(unittest.TestCase):
    def setUp(self):
        self.pages = reference.Pages({"box.hpp": HEADER, "other.hpp": OTHER})
        self.page = self.pages.page("box.hpp")

    def test_what_is_public_is_shown_without_bodies(self):
        self.assertIn("## `class Box` {#box}\n\nA box. Throws `std::bad_alloc` from `open_it()`.\n", self.page)
        self.assertIn("### `Box` {#box-box}\n\nOf a size (in { units }).\n\n```cpp\n"
                      "explicit Box(int size);\nBox(Box&&) noexcept;\n```", self.page)
        self.assertIn("[[nodiscard]] Other other() const;", self.page)
        self.assertIn("struct Pair {\n  int first = 0;  ///< The first (of two).\n  std::function<void()> then{};\n"
                      "  bool both() const;\n};", self.page)
        for hidden in ("Hidden", "size_", "Later", "return", "EXPORT"):
            self.assertNotIn(hidden, self.page)

    def test_types_and_headers_are_links(self):
        self.assertIn("Boxes, for [`other.hpp`](other.md).", self.page)
        self.assertEqual(self.pages.text(["See Other."], "box.md"), ["See [`Other`](other.md#other)."])
        self.assertIn("| [`other.hpp`](other.md) | Others | [`Other`](other.md#other) |", self.pages.index())


class Links(unittest.TestCase):
    def check(self, body):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "one.html").write_text(body, encoding="utf-8")
            pathlib.Path(folder, "two.html").write_text('<p id="here">', encoding="utf-8")
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                status = check_links.check(pathlib.Path(folder).resolve())
            return status, said.getvalue()

    def test_what_leads_somewhere_is_right(self):
        self.assertEqual(self.check('<a href="two.html#here">a</a><a href="https://example.org/">b</a>')[0], 0)

    def test_what_does_not_is_said(self):
        for body, text in (('<a href="three.html">a</a>', "leads nowhere"), ('<a href="two.html#there">a</a>', "no such anchor"),
                           ('<script src="https://example.org/a.js"></script><a href="two.html">a</a>', "another host")):
            status, said = self.check(body)
            self.assertEqual(status, 1)
            self.assertIn(text, said)


if __name__ == "__main__":
    unittest.main()
