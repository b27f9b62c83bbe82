# SPDX-License-Identifier: MIT
"""Whether each link of the built site leads to a page and an anchor that exist, and nothing is loaded from another host."""

import html.parser
import urllib.parse


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loaded = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors.update(filter(None, (attrs.get("id"), attrs.get("name") if tag == "a" else None)))
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        elif tag == "link" and attrs.get("rel") not in ("canonical", "prev", "next"):
            self.loaded.append(attrs.get("href"))
        elif attrs.get("src"):
            self.loaded.append(attrs["src"])


def check(folder):
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in folder.rglob("*.html")}
    wrong, links = [], 0
    for file, page in pages.items():
        name = file.relative_to(folder)
        for link in page.links + page.loaded:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loaded and parts.scheme != "data":
                    wrong.append(f"{name}: {link} is loaded from another host")
                continue
            if name.name == "404.html":  # its links begin at the server's root
                continue
            links += 1
            target = (file.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else file
            anchor = urllib.parse.unquote(parts.fragment)
            if target.is_dir():
                target = target / "index.html"
            if not target.exists():
                wrong.append(f"{name}: the link to {link} leads nowhere")
            elif anchor and target in pages and anchor not in pages[target].anchors:
                wrong.append(f"{name}: {link}: that page has no such anchor")
    for each in sorted(set(wrong)):
        print(each)
    print(f"site: {len(pages)} pages and {links} links in {folder}, {len(set(wrong))} wrong")
    return 1 if wrong or not links else 0
