# SPDX-License-Identifier: MIT
"""Pages of the public headers: what their `///` comments say as text, what they declare as code.

A header of this library begins with what it is for, and says of each name what there is to say in `///` lines above it
or `///<` behind it; whatever has a comment above becomes a section, and its declarations are shown as they stand, without
bodies of functions, private parts and the namespace detail."""

import dataclasses
import re

TYPE = re.compile(r"^(?:template <.*> ?)?(?:inline |typedef )?(class|struct|enum class|enum|concept|union)\b")
WORD = re.compile(r"(?P<quoted>`[^`]*`|\"[^\"]*\")|(?P<header>\b(?:testing/)?[a-z_]+\.hpp\b)"
                  r"|[A-Za-z_]\w*(?:(?:::|\.)~?\w+)*(?:\([\w.:]*\))?")  # of a comment
NAME = re.compile(r"^(?:class|struct|enum class|enum|union)\s+([\w:]+)")


@dataclasses.dataclass
class Declaration:
    comment: list[str]  # lines without ///
    code: list[str]
    name: str
    kind: str  # of a type: class, struct, enum; otherwise empty
    body: list  # of a class: its declarations
    follows: bool  # directly below the one before, without an empty line


def without_literals(line):
    """A line whose brackets are those of the code."""
    line = re.sub(r"//.*", "", line) if '"' not in line else re.sub(r"//[^\"]*$", "", line)
    return re.sub(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)'", "", line)


def depth_of(line, brackets="{}"):
    line = without_literals(line)
    return line.count(brackets[0]) - line.count(brackets[1])


def name_of(code):
    text = re.sub(r"^\s*template <.*?>\s*(requires .*?\s)?", "", " ".join(line.strip() for line in code))
    text = re.sub(r"\[\[\w+\]\]\s*|ACTION_TRIGGERS_EXPORT\s+", "", text)
    found = NAME.match(text)
    if found:
        return found[1]
    if re.match(r"^(template .*)?concept (\w+)", text):
        return re.match(r"^(template .*)?concept (\w+)", text)[2]
    if text.startswith("using "):
        return re.match(r"using ([\w:]+)", text)[1]
    if re.match(r"[A-Z_0-9]+\(", text):  # a macro that declares: MATCHER_P(BodyIs, …)
        return re.match(r"\w+\((\w+)", text)[1]
    found = re.search(r"(operator\s*[^\s(]+|operator\(\)|~?\w+)\s*\(", text)
    if found and "=" not in text[:found.start()]:
        return re.sub(r"\s+", "", found[1]) if "operator" in found[1] else found[1]
    found = re.search(r"(\w+)\s*(?:=|\{|;)", text)
    return found[1] if found else ""


def code_only(text):
    """The text with blanks in the place of comments and literals, character by character."""
    return re.sub(r"//[^\n]*|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)'", lambda found: " " * len(found[0]), text)


def behind_brace(code, at):
    """The place behind the brace that closes the one here."""
    depth = 0
    while True:
        depth += {"{": 1, "}": -1}.get(code[at], 0)
        at += 1
        if depth == 0:
            return at


# From the end of a function's parameters to its body: what is said of it, and a constructor's members.
BEFORE_BODY = re.compile(r"\)(?P<said>(?:\s*(?:const|noexcept(?:\s*\([^{};]*\))?|override|final|&&?|->[\s\w:<>&*]+))*)"
                         r"(?P<members>\s*:(?!:)[^;]*)?\s*$")


def without_bodies(lines):
    """Declarations without the bodies of functions and without private parts."""
    text = "\n".join(re.sub(r"\s*// NOLINT.*", "", line) for line in lines)
    code, begin, at = code_only(text), 0, 0
    while at < len(code):
        if code[at] in ";}" or code[at] == "{":
            before = BEFORE_BODY.search(code[begin:at]) if code[at] == "{" else None
            if before and before["members"] and re.search(r"[\w>]$", code[begin:at]):  # the braces of a member
                at = behind_brace(code, at)
                continue
            if before:
                cut, behind = begin + before.end("said"), behind_brace(code, at)
                text, code = text[:cut] + ";" + text[behind:], code[:cut] + ";" + code[behind:]
                at = cut
            begin = at + 1
        at += 1
    kept, is_private = [], False
    for line in text.split("\n"):
        if re.match(r"\s*(public|protected|private):$", line):
            is_private = line.strip() == "private:"
        if not is_private or line.startswith("}"):
            kept.append(line)
    return [line for line, after in zip(kept, kept[1:] + ["end"]) if line.strip() or not after.startswith("}")]


class Header:
    def __init__(self, text):
        lines = text.split("\n")
        self.about = []
        at = next(i for i, line in enumerate(lines) if line.startswith("///"))
        while lines[at].startswith("///"):
            self.about.append(lines[at][4:])
            at += 1
        self.lines = lines
        self.declarations = self.read(at, len(lines))

    def end_of(self, at):
        """The line behind a declaration that begins at this one."""
        braces = parens = 0
        while at < len(self.lines):
            line = without_literals(self.lines[at]).rstrip()
            braces += line.count("{") - line.count("}")
            parens += line.count("(") - line.count(")")
            at += 1
            if braces == 0 and parens == 0 and (line.endswith(";") or line.endswith("}")):
                return at
        return at

    def read(self, at, end, is_public=True):
        found, comment, follows = [], [], False
        while at < end:
            line = self.lines[at].strip()
            if line.startswith("///") and not line.startswith("///<"):
                comment.append(line[4:])
                at += 1
            elif re.match(r"(public|protected|private):$", line):
                is_public = line != "private:"
                comment, follows = [], False
                at += 1
            elif line.startswith("#"):
                while self.lines[at].endswith("\\"):
                    at += 1
                at += 1
            elif not line or line.startswith("//"):
                if not line:
                    comment, follows = [], False
                at += 1
            elif re.match(r"(inline )?namespace [\w:]+ \{$", line):
                at = self.end_of(at) if "detail" in line else at + 1
                comment, follows = [], False
            elif line.startswith("}"):
                at += 1
            else:
                last = self.end_of(at)
                # A declaration that does nothing but name a class, or a friend of the library's own.
                is_noise = re.match(r"(class|struct|enum class) \w+;|friend class|static_assert|extern template", line)
                if is_public and not is_noise:
                    found.append(self.declaration(at, last, comment, follows and not comment))
                    follows = True
                comment = []
                at = last
        return found

    def declaration(self, at, last, comment, follows):
        code = self.lines[at:last]
        first = next((i for i, line in enumerate(code) if not line.strip().startswith("template")), 0)
        found = TYPE.match(code[first].strip())
        kind = found[1] if found else ""
        body = []
        if kind in ("class", "struct") and "{" in "".join(code):
            opened = next(i for i in range(at, last) if "{" in without_literals(self.lines[i]))
            body = self.read(opened + 1, last - 1, kind == "struct")
            code = self.lines[at:opened + 1] if any(each.comment for each in body) and kind == "class" else code
        indent = min(len(line) - len(line.lstrip()) for line in code if line.strip())
        return Declaration(comment, [line[indent:] for line in code], name_of(code), kind, body, follows)


class Pages:
    """headers: {"message.hpp": text}"""

    def __init__(self, headers):
        self.headers = {name: Header(text) for name, text in headers.items()}
        self.places = {}  # name of a type: page and anchor
        for name, header in self.headers.items():
            for each in header.declarations:
                if each.kind and each.name:
                    self.places.setdefault(each.name, f"{page_of(name)}#{each.name.lower()}")

    def text(self, lines, page):
        """A comment as Markdown: code in backticks, and links to the types and headers that it names."""
        def code(found):
            word = found[0]
            if found["quoted"]:
                return word
            if found["header"] and found["header"] in self.headers:
                return f"[`{word}`]({page_of(found['header'])})"
            if word in self.places and self.places[word].split("#")[0] != page and len(word) > 4:
                return f"[`{word}`]({self.places[word]})"
            is_code = "(" in word or "::" in word or "_" in word or word in self.places
            return f"`{word}`" if is_code else word

        out = []
        for line in lines:
            if line.startswith("    "):
                out.append(line)
            else:
                line = WORD.sub(code, line)
                parts = re.split(r"(`[^`]*`)", line)
                out.append("".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts))
        return out

    def section(self, declarations, page, level, prefix):
        lines = []
        groups = []
        for each in declarations:
            if groups and each.follows and not each.kind and not groups[-1][0].kind:
                groups[-1].append(each)
            else:
                groups.append([each])
        taken = set()
        for group in groups:
            first = group[0]
            if first.comment or first.kind:
                anchor = (prefix + first.name).lower()
                while anchor in taken:
                    anchor += "-"
                taken.add(anchor)
                title = f"{first.kind} {first.name}".strip() if first.kind else first.name
                lines += [f"{'#' * level} `{title}` {{#{anchor}}}", ""]
            code = [line for each in group for line in each.code]
            is_split = first.kind == "class" and any(each.comment for each in first.body)
            if not first.kind or first.kind == "class" or first.kind == "struct":
                code = without_bodies(code) if not is_split else code[:-1] + [re.sub(r"\s*\{$", ";", code[-1])]
            code = [re.sub(r"ACTION_TRIGGERS_EXPORT ", "", line) for line in code]
            lines += self.text(first.comment, page) + ["", "```cpp", *code, "```", ""]
            if is_split:
                lines += self.section(first.body, page, level + 1, first.name + "-")
        return lines

    def page(self, name):
        header = self.headers[name]
        page = page_of(name)
        about = self.text(header.about, page)
        return "\n".join([f"# {name}", "", "```cpp", f"#include <action_triggers/{name}>", "```", "", *about, "",
                          *self.section(header.declarations, page, 2, "")]) + "\n"

    def index(self):
        lines = ["# Public headers", "",
                 "`#include <action_triggers/action_triggers.hpp>` brings what most programs need. All is in the namespace",
                 "`action_triggers`; what is not here may change without notice.", "",
                 "| header | for | types |", "|---|---|---|"]
        for name, header in self.headers.items():
            first = " ".join(header.about).split(". ")[0].split(":  ")[0]
            first = " ".join(self.text([first.strip().rstrip(".:")], page_of("")))
            types = ", ".join(f"[`{each.name}`]({self.places[each.name]})" for each in header.declarations
                              if each.kind and self.places.get(each.name, "").startswith(page_of(name) + "#"))
            lines.append(f"| [`{name}`]({page_of(name)}) | {first} | {types} |")
        return "\n".join(lines) + "\n"


def page_of(header):
    return header.removesuffix(".hpp").replace("/", "-") + ".md"
