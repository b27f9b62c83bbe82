# SPDX-License-Identifier: MIT
"""Gathers the pages of the site, and builds it with MkDocs. Usage: build.py SOURCE_DIR, in the environment of scripts/site.

The pages are docs/*.md as they stand; made are those of the public headers, of the command (from its manual page), and of
files that a page links to. Links are those of the repository, and are turned into links of the site."""

import os
import pathlib
import posixpath
import re
import shutil
import subprocess
import sys

from check_links import check
from reference import Pages, page_of

LINK = re.compile(r"(?P<before>\]\()(?P<target>[^)#\s]+)(?P<anchor>#[^)]*)?\)|(?P<src>\bsrc=\")(?P<image>[^\"]+)\"")
KINDS = {".cpp": "cpp", ".hpp": "cpp", ".py": "python", ".json": "json", ".yml": "yaml", ".yaml": "yaml", ".md": "markdown",
         ".cmake": "cmake", ".sql": "sql", ".service": "ini"}

NOT_FOUND_BY_SEARCH = "---\nsearch: {exclude: true}\n---\n"  # what stands elsewhere, or is code


class Site:
    def __init__(self, source):
        self.source = source
        self.build = source / "build/site"
        self.pages = self.build / "pages"
        self.files = []  # linked from pages, and shown as pages
        headers = source / "include/action_triggers"
        self.reference = Pages({str(file.relative_to(headers)): file.read_text(encoding="utf-8")
                                for file in sorted(headers.rglob("*.hpp"))})

    def place_of(self, path):
        """Where a file or folder of the repository is in the site."""
        if path in ("README.md", "docs/site/index.md"):
            return "index.md"
        if path.startswith("docs/site/") or (path.startswith("docs/") and path.endswith((".md", ".svg", ".json"))):
            return path.removeprefix("docs/").removeprefix("site/")
        if path.startswith("include/action_triggers/") and path.endswith(".hpp"):
            return "headers/" + page_of(path.removeprefix("include/action_triggers/"))
        if path not in self.files:
            self.files.append(path)
        return f"files/{path}/index.md" if (self.source / path).is_dir() else f"files/{path}.md"

    def linked(self, text, path):
        """The text of a page, with its links as links of the site."""
        here = posixpath.dirname(self.place_of(path))

        def link(found):
            target = found["target"] or found["image"]
            if "://" in target or target.startswith("mailto:"):
                return found[0]
            there = self.place_of(posixpath.normpath(posixpath.join(posixpath.dirname(path), target)))
            there = posixpath.relpath(there, here or ".")
            return f'{found["src"]}{there}"' if found["image"] else f'{found["before"]}{there}{found["anchor"] or ""})'

        parts = re.split(r"^(```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
        return "".join(part if part.startswith("```") else LINK.sub(link, part) for part in parts)

    def write(self, place, text):
        (self.pages / place).parent.mkdir(parents=True, exist_ok=True)
        (self.pages / place).write_text(text, encoding="utf-8")

    def gather(self):
        shutil.rmtree(self.pages, ignore_errors=True)
        docs = self.source / "docs"
        for file in sorted(docs.rglob("*")):
            path = str(file.relative_to(self.source))
            if file.suffix == ".md":
                self.write(self.place_of(path), self.linked(file.read_text(encoding="utf-8"), path))
            elif file.suffix in (".svg", ".css") or (file.suffix == ".json" and "site" not in file.parts):
                place = self.pages / self.place_of(path)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, place)
        for name in self.reference.headers:
            self.write("headers/" + page_of(name), self.reference.page(name))
        self.write("headers/index.md", self.reference.index())
        self.write("command.md", command_page((self.source / "src/cli/action-triggers.1").read_text(encoding="utf-8")))
        self.write("metrics.md", self.section_page("docs/monitoring.md", "Metrics"))
        self.write("status.md", self.section_page("docs/delivery.md", "Outcomes"))
        for path in self.files:  # grows meanwhile
            self.write(self.place_of(path), self.file_page(path))

    def section_page(self, path, heading):
        """A section of a page as one of its own; links into the rest lead to the page."""
        text = (self.source / path).read_text(encoding="utf-8")
        section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)[1]
        page = self.place_of(path)
        section = re.sub(r"\]\(#", f"]({page}#", self.linked(section, path))
        return f"{NOT_FOUND_BY_SEARCH}# {heading}\n\n*Part of [{page.removesuffix('.md')}]({page}).*\n\n{section}"

    def file_page(self, path):
        file = self.source / path
        if file.is_dir():
            here = posixpath.dirname(self.place_of(path))
            entries = sorted(each.name for each in file.iterdir())
            return f"# {path}\n\n" + "".join(
                f"- [{name}]({posixpath.relpath(self.place_of(f'{path}/{name}'), here)})\n" for name in entries)
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".md":
            return self.linked(text, path)
        return f"{NOT_FOUND_BY_SEARCH}# {path}\n\n````{KINDS.get(file.suffix, '')}\n{text}````\n"

    def configuration(self):
        """The configuration of MkDocs, with the pages that are made in its nav."""
        text = (self.source / "docs/site/mkdocs.yml").read_text(encoding="utf-8")
        headers = ["headers/index.md"] + ["headers/" + page_of(name) for name in self.reference.headers]
        decisions = ["decisions/README.md"] + sorted(
            f"decisions/{file.name}" for file in (self.pages / "decisions").glob("0*.md"))
        for name, pages in (("Public headers", headers), ("Decisions", decisions)):
            text = text.replace(f"- {name}: []", f"- {name}:\n" + "".join(f"      - {page}\n" for page in pages))
        text = text.replace("../../build/site/", "")
        (self.build / "mkdocs.yml").write_text(text, encoding="utf-8")
        return self.build / "mkdocs.yml"


def command_page(roff):
    """The manual page as Markdown; it uses few of roff's commands."""
    def styled(text):
        text = re.sub(r"\\fB(.*?)\\fR", lambda found: f"**{found[1]}**", text)
        text = re.sub(r"\\fI(.*?)\\fR", lambda found: f"*{found[1]}*", text)
        return re.sub(r"\\(.)", lambda found: {"e": "\\", "&": ""}.get(found[1], found[1]), text.replace("<", "&lt;"))

    lines = ["# The command", ""]
    tagged = False
    for line in roff.splitlines():
        if line.startswith(".SH "):
            lines += ["", "## " + line[4:].capitalize(), ""]
        elif line.startswith(".SS "):
            lines += ["", f"### {line[4:]}", ""]
        elif line == ".TP":
            tagged = True
        elif line == ".br":
            lines[-1] += "  "
        elif line.startswith("."):
            lines.append("")
        elif tagged:
            lines += ["", f"{styled(line)}  "]
            tagged = False
        else:
            lines.append(styled(line))
    return "\n".join(lines) + "\n"


def main(source):
    site = Site(source)
    site.gather()
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--clean", "--config-file", site.configuration()]
    done = subprocess.run(command, env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        print(done.stdout)
        return 1
    return check(site.build / "html")


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
