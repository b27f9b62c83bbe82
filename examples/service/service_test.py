# SPDX-License-Identifier: MIT
"""Runs the service as systemd does: told by signals, telling by NOTIFY_SOCKET. Usage: service_test.py PROGRAM"""

import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).parent
PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve()


class ServiceTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.file = self.folder / "brokers.json"
        shutil.copy(HERE / "brokers.json", self.file)
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.systemd.close)
        self.systemd.settimeout(60)
        self.systemd.bind(str(self.folder / "notify"))
        self.log = open(self.folder / "log", "w+", encoding="utf-8")
        self.addCleanup(self.log.close)
        self.service = subprocess.Popen([PROGRAM, "0", self.file], stderr=self.log,
                                        env={"NOTIFY_SOCKET": str(self.folder / "notify")})
        self.addCleanup(self.service.wait)
        self.addCleanup(self.service.kill)
        ready, status = self.told()
        self.assertEqual(ready, "READY=1")
        self.address = status.removeprefix("STATUS=")

    def told(self):
        return self.systemd.recv(4096).decode().splitlines()

    def request(self, path, body=None):
        """Status and text."""
        try:
            with urllib.request.urlopen(self.address + path, body, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read().decode()

    def logged(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        self.service.send_signal(signal.SIGTERM)
        self.assertEqual(self.told(), ["STOPPING=1"])
        return self.service.wait(60)

    def reload(self):
        self.service.send_signal(signal.SIGHUP)
        self.assertEqual(self.told(), ["RELOADING=1"])
        ready, status = self.told()
        self.assertEqual(ready, "READY=1")
        return status

    def test_takes_orders_and_ends_in_order(self):
        self.assertEqual(self.request("/orders", b'{"id": 42}'), (202, "accepted\n"))
        self.assertEqual(self.request("/healthz"), (200, "ok\n"))
        status, page = self.request("/metrics")
        self.assertEqual(status, 200)
        self.assertIn('destination="order_events"', page)
        self.assertEqual(self.stop(), 0)
        self.assertEqual(self.logged(), "")

    def test_says_what_is_wrong_with_an_order(self):
        status, text = self.request("/orders", b"no JSON")
        self.assertEqual(status, 400)
        self.assertIn("order_events: invalid_argument", text)
        self.assertEqual(self.request("/orders", b"x" * 2_000_000)[0], 413)
        self.assertEqual(self.request("/nothing")[0], 404)

    def test_says_if_nobody_hears_of_an_order(self):
        self.file.write_text(self.file.read_text().replace('"order.placed"', '"order.paid"'))
        self.assertEqual(self.reload(), "STATUS=reloaded")
        self.assertEqual(self.request("/orders", b'{"id": 42}'), (202, "accepted; no trigger sends it to anyone\n"))

    def test_reloads(self):
        self.file.write_text(self.file.read_text().replace('"triggers"', '"triggers": {}, "triggers_"', 1))
        self.assertEqual(self.reload(), "STATUS=not reloaded, see the log")
        self.assertIn("Unknown field 'triggers_'", self.logged())
        self.assertEqual(self.request("/orders", b'{"id": 42}'), (202, "accepted\n"))

        self.file.write_text((HERE / "brokers.json").read_text().replace("order_events", "all_orders"))
        self.assertEqual(self.reload(), "STATUS=reloaded")
        self.assertIn("reloaded: 1 destinations added, 0 changed, 1 removed", self.logged())
        self.assertEqual(self.request("/orders", b'{"id": 42}'), (202, "accepted\n"))
        self.assertIn('destination="all_orders"', self.request("/metrics")[1])

    def test_its_unit_is_one(self):
        unit = (HERE / "shop.service").read_text()
        self.assertIn("ExecStart=/usr/local/bin/shop ", unit)
        file = self.folder / "shop.service"
        file.write_text(unit.replace("/usr/local/bin/shop", str(PROGRAM)))
        said = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, check=False)
        ours = [line for line in said.stderr.splitlines() if "shop.service" in line]  # others' units are read, too
        self.assertEqual((said.returncode, ours), (0, []))


if __name__ == "__main__":
    unittest.main()
