#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A block of a page of the documentation, for scripts that do what it says.
Usage: block.py PAGE TEXT         print the one block of PAGE that has TEXT in it
       block.py --run PAGE TEXT   a console block: run its commands in this folder; they must print what stands there
       block.py --words PAGE      how many words a reader of PAGE has before him"""

import os
import pathlib
import sys

import check_docs


def block_with(page, text):
    """(kind, content)"""
    found = [(kind, content) for _, kind, _, content in check_docs.blocks(page.read_text(encoding="utf-8")) if text in content]
    if len(found) != 1:
        raise LookupError(f"{page}: {len(found) or 'no'} blocks have '{text}' in them")
    return found[0]


def main(arguments):
    option = arguments.pop(0) if arguments[0].startswith("--") else None
    page = pathlib.Path(arguments[0])
    if option == "--words":
        print(len(page.read_text(encoding="utf-8").split()))
        return 0
    try:
        kind, content = block_with(page, arguments[1])
    except LookupError as error:
        print(error, file=sys.stderr)
        return 1
    if option != "--run":
        print(content)
        return 0
    if kind != "console":
        print(f"{page}: the block with '{arguments[1]}' is of kind '{kind}'", file=sys.stderr)
        return 1
    wrong = list(check_docs.wrong_commands(content, os.getcwd(), os.environ))
    print("\n".join(wrong) or content)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
