# SPDX-License-Identifier: MIT
"""The texts that C++ sources make: string literals, joined with what stands between them. `"no broker '" + name + "'."`
is the text `no broker '…'.`, a choice between two literals is `{one|other}`. It reads tokens and brackets and knows no
types: that is enough to find what a source says, wherever it says it."""

import re

TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/|^[ \t]*\#(?:[^\n\\]|\\.)*)"""
    r"""|(?:u8)?R"(?P<mark>[^(]*)\((?P<raw>.*?)\)(?P=mark)\""""
    r"""|"(?P<text>(?:[^"\\\n]|\\.)*)"|'(?P<char>(?:[^'\\\n]|\\.)+)'"""
    r"""|(?P<word>[A-Za-z_0-9][\w.]*(?:'\w+)*)|(?P<sign><<|::|->|\+=|\+\+|[=!<>]=|&&|\|\||.)""",
    re.DOTALL | re.MULTILINE)
ENDS = {",", ";", "?", ":", "=", "+=", "&&", "||", "==", "!=", "<=", ">="}  # of what is joined by + and <<
# What these functions of ours return.
MADE = {"in_quotes": "'…'", "the_field": "The field '…' ", "quoted_key": "The field '…' "}
TEXT_TYPES = ["std", "::", "string", "string_view"]  # std::string("…") is its literal


def unescaped(text):
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "t": "\t"}.get(found[1], found[1]), text)


def tokens(source):
    """(kind, value): a text, a word, or a sign"""
    for found in TOKEN.finditer(source):
        if found["raw"] is not None:
            yield "text", found["raw"]
        elif found["text"] is not None or found["char"] is not None:
            yield "text" if found["char"] is None else "char", unescaped(found["text"] or found["char"] or "")
        elif found["skip"] is None:
            yield found.lastgroup, found[0]


def tree(stream):
    """Tokens, with a list in the place of what stands in brackets."""
    items = []
    for kind, value in stream:
        if kind == "sign" and value in "([{":
            items.append((value, tree(stream)))
        elif kind == "sign" and value in ")]}":
            break
        else:
            items.append((kind, value))
    return items


def parts(items, ends):
    part = []
    for item in items:
        if (item[0] == "sign" and item[1] in ends) or item == ("word", "return"):
            yield part
            part = []
        else:
            part.append(item)
    yield part


def name_before(items):
    """The name of the function that is called with the brackets behind these items; empty: none is."""
    if items[-1:] == [("sign", ">")]:  # of a template
        while items and items[-1] != ("sign", "<"):
            items = items[:-1]
        items = items[:-1]
    return items[-1][1].rpartition(".")[2] if items and items[-1][0] == "word" else ""


class Reader:
    """found: (text, name of the function whose argument it is)"""

    def __init__(self, source):
        self.found = []
        self.walk(tree(tokens(source)), "")

    def walk(self, items, function):
        for part in parts(items, ENDS):
            text = self.joined(part, function)
            if text is not None:
                self.found.append((text, function))

    def joined(self, items, function):
        """The text that these make together; None: there is no literal among them."""
        texts = []
        for operand in parts(items, {"+", "<<"}):
            text = self.operand(operand, function)
            if text is not None or operand[-1:] != [("word", "cerr")]:
                texts.append(text)
        if all(text is None for text in texts):
            return None
        return "".join("…" if text is None else text for text in texts)

    def operand(self, items, function):
        literals = [value for kind, value in items if kind in ("text", "char")]
        if not literals and len(items) > 1 and items[-1][0] in "({" and all(item[1] in TEXT_TYPES for item in items[:-1]):
            if items[-1][1] and all(kind == "text" for kind, _ in items[-1][1]):
                return "".join(value for _, value in items[-1][1])
        if len(items) == 1 and items[0][0] == "(" and ("sign", "?") in items[0][1]:
            choice = list(parts(items[0][1], {"?", ":"}))
            texts = [self.joined(part, function) for part in choice[1:]]
            if None not in texts:
                self.walk(choice[0], function)
                return "{" + "|".join(texts) + "}"
        for place, (kind, inner) in enumerate(items):
            if kind in "([{" and isinstance(inner, list):
                self.walk(inner, function if kind == "[" else name_before(items[:place]) or function)
        if len(items) == 2 and items[0][0] == "word" and items[0][1] in MADE:
            return MADE[items[0][1]]
        return "".join(literals) if literals else None
