#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a dashboard asks a Prometheus, and whether there is an answer. Usage: panels.py URL DASHBOARD.json"""

import json
import pathlib
import sys
import urllib.parse
import urllib.request

VARIABLES = (("$job", ".*"), ("$instance", ".*"), ("$destination", ".*"), ("$__rate_interval", "1m"))


def queries(dashboard):
    """The query of each target, with Grafana's variables as they are at first."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            query = target["expr"]
            for variable, value in VARIABLES:
                query = query.replace(variable, value)
            yield query


def found(url, query):
    parameters = urllib.parse.urlencode({"query": query})
    with urllib.request.urlopen(f"{url}/api/v1/query?{parameters}", timeout=60) as response:
        answer = json.load(response)
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


def main(url, file):
    dashboard = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))
    asked = list(queries(dashboard))
    empty = [query for query in asked if not found(url, query)]
    print(f"The {len(dashboard['panels'])} panels of the dashboard ask {len(asked)} queries, and "
          f"{len(asked) - len(empty) or 'none'} of them have an answer.")
    for query in empty:
        print(query, file=sys.stderr)
    return 1 if empty else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
