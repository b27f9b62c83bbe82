# SPDX-License-Identifier: MIT
"""What stands in examples/monitoring, held against a real Prometheus that scrapes a relay. Usage: monitoring_test.py
SOURCE_DIR COMMAND (the action-triggers binary)

Every query of the dashboard and of the alerts finds something; every alert is tested and documented; every metric is."""

import json
import pathlib
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import panels

SOURCE = pathlib.Path()
COMMAND = ""
PATIENCE = 60  # seconds


def get(url):
    with urllib.request.urlopen(url, timeout=PATIENCE) as response:
        return response.read().decode()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Page(unittest.TestCase):
    """Without a server."""

    def setUp(self):
        self.text = (SOURCE / "docs" / "monitoring.md").read_text(encoding="utf-8")
        self.rules = (SOURCE / "examples" / "monitoring" / "alerts.yml").read_text(encoding="utf-8")

    def test_every_metric_is_explained(self):
        page = (SOURCE / "tests" / "unit" / "prometheus_text.txt").read_text(encoding="utf-8")
        names = re.findall(r"^# TYPE (\S+)", page, re.MULTILINE)
        self.assertGreater(len(names), 30)
        self.assertEqual([name for name in names if f"`{name}`" not in self.text], [])

    def test_every_alert_is_explained_and_tested(self):
        alerts = re.findall(r"- alert: (\w+)", self.rules)
        tests = (SOURCE / "examples" / "monitoring" / "alerts_test.yml").read_text(encoding="utf-8")
        self.assertGreater(len(alerts), 10)
        self.assertEqual([alert for alert in alerts if f"`{alert}`" not in self.text], [])
        self.assertEqual([alert for alert in alerts if f"alertname: {alert}\n" not in tests], [])

    def test_the_picture_has_every_panel(self):
        dashboard = json.loads((SOURCE / "examples" / "monitoring" / "dashboard.json").read_text(encoding="utf-8"))
        picture = (SOURCE / "docs" / "monitoring.svg").read_text(encoding="utf-8")
        self.assertEqual([panel["title"] for panel in dashboard["panels"] if f">{panel['title']}</text>" not in picture],
                         [], "scripts/lib/dashboard_picture draws it anew")

    def test_alerts(self):
        done = subprocess.run(["promtool", "test", "rules", "alerts_test.yml"], cwd=SOURCE / "examples" / "monitoring",
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = subprocess.run(["promtool", "check", "config", "prometheus.yml"], cwd=SOURCE / "examples" / "monitoring",
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Scraped(unittest.TestCase):
    """A relay with a trigger and an outbox, and a Prometheus that scrapes it every second."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.start_relay()
        cls.start_prometheus()
        cls.emit(20)
        cls.wait_until(lambda: cls.value("action_triggers_outbox_removed_rows_total") >= 20)
        cls.emit(20)  # so that rates have an increase
        cls.wait_until(lambda: cls.value("action_triggers_outbox_removed_rows_total") >= 40)

    @classmethod
    def started(cls, *arguments, **options):
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, **options)
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.terminate)
        return process

    @classmethod
    def start_relay(cls):
        config = cls.folder / "shop.json"
        config.write_text(json.dumps({
            "brokers": {"order_events": {"broker_type": "memory"}},
            "triggers": {"orders": {"events": ["order.*"], "targets": ["order_events"]}},
            "outbox": {"type": "sqlite", "path": str(cls.folder / "shop.db")}}), encoding="utf-8")
        sqlite3.connect(cls.folder / "shop.db").close()
        subprocess.run([COMMAND, "outbox", "install", config], check=True, capture_output=True, timeout=PATIENCE)
        relay = cls.started(COMMAND, "relay", config, "--metrics", "0", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            text=True)
        cls.addClassCleanup(relay.stderr.close)
        cls.target = re.search(r"http://([^/]+)/metrics", relay.stderr.readline())[1]

    @classmethod
    def start_prometheus(cls):
        config = cls.folder / "prometheus.yml"
        rules = SOURCE / "examples" / "monitoring" / "alerts.yml"
        config.write_text(f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{rules}']\n"
                          "scrape_configs: [{job_name: action-triggers, static_configs: [{targets: ['" + cls.target + "']}]}]\n",
                          encoding="utf-8")
        cls.url = f"http://127.0.0.1:{free_port()}"
        log = open(cls.folder / "prometheus.log", "w", encoding="utf-8")
        cls.addClassCleanup(log.close)
        cls.started("prometheus", f"--config.file={config}", f"--storage.tsdb.path={cls.folder / 'data'}",
                    f"--web.listen-address={cls.url.removeprefix('http://')}", stdout=log, stderr=log)
        cls.wait_until(lambda: "Ready" in get(cls.url + "/-/ready"))

    @classmethod
    def emit(cls, events):
        connection = sqlite3.connect(cls.folder / "shop.db", timeout=PATIENCE)
        with connection:
            connection.executemany("INSERT INTO action_triggers_outbox(target, body) VALUES ('event:order.paid', ?)",
                                   [('{"id": %d}' % number,) for number in range(events)])
        connection.close()

    @classmethod
    def wait_until(cls, condition):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if condition():
                    return
            except (urllib.error.URLError, ConnectionError, IndexError):
                pass
            if time.monotonic() > end:
                raise AssertionError((cls.folder / "prometheus.log").read_text(encoding="utf-8"))
            time.sleep(0.1)

    @classmethod
    def found(cls, query):
        return panels.found(cls.url, query)

    @classmethod
    def value(cls, query):
        return float(cls.found(query)[0]["value"][1])

    def test_every_query_of_the_dashboard_finds_something(self):
        dashboard = json.loads((SOURCE / "examples" / "monitoring" / "dashboard.json").read_text(encoding="utf-8"))
        queries = list(panels.queries(dashboard))
        self.assertGreater(len(queries), 20)
        for query in queries:
            self.assertNotIn("$", query)
            self.assertNotEqual(self.found(query), [], query)
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                metric, label = re.fullmatch(r"label_values\((\w+)\b.*, (\w+)\)", variable["query"]["query"]).groups()
                self.assertIn(label, self.found(metric)[0]["metric"])

    def test_every_alert_is_about_metrics_that_there_are(self):
        rules = json.loads(get(self.url + "/api/v1/rules"))["data"]["groups"][0]["rules"]
        self.assertGreater(len(rules), 10)
        for rule in rules:
            self.assertEqual(rule["health"], "ok", rule)
            self.assertEqual(rule["state"], "inactive", rule)
            for metric in set(re.findall(r"\b(?:action_triggers|messaging)_\w+", rule["query"])):
                self.assertNotEqual(self.found(metric), [], metric)
            for label, values in re.findall(r'(\w+)=~?"([^"]+)"', rule["query"]):
                for value in values.split("|"):
                    self.assertNotEqual(self.found(f'{{job="action-triggers", {label}="{value}"}}'), [], rule["query"])

    def test_what_was_sent_is_counted(self):
        self.assertEqual(self.value('messaging_client_sent_messages_total{destination="order_events", error_type=""}'), 40)
        self.assertEqual(self.value('action_triggers_trigger_messages_total{trigger="orders", result="sent"}'), 40)
        self.assertEqual(self.value("action_triggers_outbox_delivery_duration_seconds_count"), 40)
        self.assertEqual(self.value('action_triggers_health{state="ok"}'), 1)


if __name__ == "__main__":
    SOURCE = pathlib.Path(sys.argv[1]).resolve()
    COMMAND = sys.argv[2]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
