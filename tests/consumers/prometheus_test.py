# SPDX-License-Identifier: MIT
"""What prometheus-cpp serves of a dispatcher is what prometheus_text() says. Usage: prometheus_test.py PROGRAM, which is
prometheus.cpp."""

import re
import subprocess
import sys
import urllib.request


def samples(page):
    """{(name, labels): value} of a page, whatever the order of labels and the digits of bounds."""
    found = {}
    for name, labels, value in re.findall(r'^(\w+)(?:\{(.*)\})? (\S+)$', page, re.MULTILINE):
        pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels)
        key = name, tuple(sorted((label, float(text) if label == "le" else text) for label, text in pairs))
        assert key not in found, key
        found[key] = float(value)
    return found


def main():
    program = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port = int(program.stdout.readline())
        ours = samples("".join(iter(program.stdout.readline, "\n")))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as response:
            page = response.read().decode()
    finally:
        program.stdin.close()
        program.wait()
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stdout) == (0, ""), checked
    theirs = samples(page)
    destination = ("destination", r'orders \"new\"')
    assert theirs["action_triggers_fired_messages_total", (destination, ("messaging_system", "memory"))] == 3, page
    for key, value in ours.items():
        # Clocks are compared anew each time.
        assert abs(theirs[key] - value) < 0.01 or "_seconds" in key[0] and key in theirs, (key, value, theirs[key])


main()
