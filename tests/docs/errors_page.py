#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""docs/errors.md: every error text of the library and the command, where it comes from, and what to do.
Usage: errors_page.py SOURCE_DIR [--write | --find]

The sources are read for what they say (cpp_texts.py). docs/errors.toml has what to do, by hand, for every text of two
words or more that is not left out below. This fails for a text that the file does not have, for an entry whose text is
gone, and for a page that is not what both make; --write writes the page.

With --find prints the rows of this page and of those of the brokers' errors for what stands in standard input, the most
exact ones first; fails without one."""

import collections
import json
import pathlib
import re
import sys
import tomllib

from cpp_texts import Reader

# What is not an error, by where it stands. All else is one, or stands in errors.toml under `no-errors`.
NO_ERRORS = {
    "src/brokers/kafka/kafka_errors.cpp": "docs/kafka-errors.md is made of it",
    "src/brokers/rabbitmq/amqp_errors.cpp": "docs/rabbitmq-errors.md is made of it",
    "src/cli/man_page.cpp": "the manual page",
    "src/core/prometheus.cpp": "descriptions of metrics",
    "src/config/config_schema.cpp": "descriptions in the JSON schema",
    "src/capture/capture_sql_parts.cpp": "SQL",
    "src/capture/capture_sql_postgresql.cpp": "SQL",
    "src/capture/capture_sql_sqlite.cpp": "SQL",
    "src/capture/sqlite_expressions.cpp": "SQL",
}
DESCRIBING = re.compile(r"(\w+_)?field|conn|field_named|wrong_type|add_(option|flag|subcommand|action)|root_section|CLI")
ASKING = re.compile(r"find|contains|starts_with|ends_with|execute|statement|prepare|operator")
SQL = re.compile(r"(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|BEGIN|SAVEPOINT|PRAGMA|SET|WITH|DISCARD|ROLLBACK|"
                 r"RELEASE|START|COMMIT|PREPARE|ORDER|WHERE|FROM|RETURNS|CASE)[ (]")


def error_texts(source):
    """text: the files that have it"""
    texts = collections.defaultdict(set)
    public = source / "include/action_triggers"
    for file in sorted([*(source / "src").rglob("*.[ch]pp"), *public.glob("*.hpp")]):
        name = str(file.relative_to(source))
        if name in NO_ERRORS:
            continue
        for text, function in Reader(file.read_text(encoding="utf-8")).found:
            text = " ".join(text.split()).removeprefix("action-triggers: ")
            words = [word for word in text.split() if re.search(r"[A-Za-z]", word)]
            if len(words) < 2 or SQL.match(text) or DESCRIBING.fullmatch(function) or ASKING.fullmatch(function):
                continue
            texts[text].add(name)
    return texts


def as_code(text):
    """For a cell of a table, where a bar would end it; a text may have backticks of its own."""
    text = re.sub(r" *\| *", " / ", text)
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def page(groups, texts):
    lines = [
        "# Errors",
        "",
        "What the library and the command say when something is wrong, what to do, and where it is said. `…` stands for",
        "what varies, `{one / other}` for a choice. Look for a few words of what you read, not for all of it: a text may",
        "have a reason or a way out behind it, and is then here in two rows.",
        "",
        "What a broker refuses with is in tables of their own: [Kafka's errors](kafka-errors.md), [RabbitMQ's",
        "errors](rabbitmq-errors.md); a status means what [delivery](delivery.md#outcomes) says. Errors of a configuration",
        "have file, line, column and the field before them; `action-triggers check FILE` has all of them at once.",
        "",
        "Made of the sources and of `errors.toml`; `python3 tests/docs/errors_page.py . --write` makes it again.",
    ]
    for group, entries in groups.items():
        lines += ["", f"## {group}", "", "| text | what to do | said in |", "|---|---|---|"]
        for text, to_do in entries.items():
            files = ", ".join(f"`{name.removeprefix('src/').removeprefix('include/')}`" for name in sorted(texts.get(text, [])))
            lines.append(f"| {as_code(text)} | {to_do or 'as it says'} | {files} |")
    return "\n".join(lines) + "\n"


def is_in(text, said):
    """Whether an entry's text stands in what was said."""
    parts = re.split(r"\{([^{}]*\|[^{}]*)\}", text)  # every other one is a choice
    pattern = "".join(f"(?:{fixed.replace(re.escape('|'), '|')})" if number % 2 else fixed
                      for number, fixed in enumerate(re.escape(part).replace("…", ".+?") for part in parts))
    return re.search(pattern, said) is not None


def refusals(source):
    """What brokers refuse with has pages of its own: (what the row is about, advice, page)"""
    for name in ("kafka-errors.md", "rabbitmq-errors.md"):
        _, table = (source / "docs" / name).read_text(encoding="utf-8").split("<!-- table -->\n")
        head, _, *rows = [line.strip("|").split(" | ") for line in table.splitlines() if line.startswith("|")]
        advice = [column.strip() for column in head].index("advice")
        for row in rows:
            cells = [cell.strip() for cell in row]
            if len(cells) > advice and cells[advice]:
                yield " ".join(filter(None, cells[:2])), cells[advice], name


def find(source, said):
    groups = tomllib.loads((source / "docs/errors.toml").read_text(encoding="utf-8"))
    groups.pop("no-errors")
    found = [(text, as_code(text), to_do or "as it says", "errors.md")
             for group in groups.values() for text, to_do in group.items() if is_in(text, said)]
    found += [(advice, about, advice, name) for about, advice, name in refusals(source) if advice in said]
    for _, *cells in sorted(found, key=lambda entry: -len(entry[0])):
        print(f"| {' | '.join(cells)} |")
    return 0 if found else 1


def main(source, write):
    texts = error_texts(source)
    groups = tomllib.loads((source / "docs/errors.toml").read_text(encoding="utf-8"))
    no_errors = {text for kind in groups.pop("no-errors").values() for text in kind}
    entries = [text for group in groups.values() for text in group]
    wrong = [f"{', '.join(sorted(texts[text]))}: say in docs/errors.toml what to do: "
             f'{json.dumps(text, ensure_ascii=False)} = ""'
             for text in texts.keys() - no_errors - set(entries)]
    wrong += [f"docs/errors.toml: no source says this any more: {text}"
              for text in (no_errors | set(entries)) - texts.keys()]
    wrong += [f"docs/errors.toml: this stands there twice: {text}"
              for text, times in collections.Counter(entries + list(no_errors)).items() if times > 1]
    made = page(groups, texts)
    file = source / "docs/errors.md"
    if write:
        file.write_text(made, encoding="utf-8")
    elif not file.exists() or file.read_text(encoding="utf-8") != made:
        wrong.append("docs/errors.md is another one: python3 tests/docs/errors_page.py . --write")
    for each in sorted(wrong):
        print(each)
    print(f"{len(entries)} error texts, {len(no_errors)} others, {len(wrong)} wrong")
    return 1 if wrong or not entries else 0


if __name__ == "__main__":
    if "--find" in sys.argv[2:]:
        sys.exit(find(pathlib.Path(sys.argv[1]), " ".join(sys.stdin.read().split())))
    sys.exit(main(pathlib.Path(sys.argv[1]), "--write" in sys.argv[2:]))
