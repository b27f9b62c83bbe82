# SPDX-License-Identifier: MIT
"""The action-triggers command, as people and scripts use it. Usage: cli_test.py COMMAND [--live] [unittest's options]

With --live the tests that need servers run too; the variables of `scripts/servers env` must be set."""

import fcntl
import http.client
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

COMMAND = ""
LIVE = False


def run(*arguments, text=None):
    """(exit status, standard output, standard error)"""
    done = subprocess.run([COMMAND, *arguments], input=text if text is not None else "", capture_output=True,
                          text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def file(self, content, name="brokers.json"):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(content if isinstance(content, str) else json.dumps(content))
        return path

    def memory(self, **params):
        return self.file({"brokers": {"m": {"broker_type": "memory", "params": params}}})


class Usage(Case):
    def test_help_names_every_command_and_the_exit_status(self):
        status, out, _ = run("--help")
        self.assertEqual(status, 0)
        for word in ("check", "ping", "fire", "emit", "explain", "outbox", "relay", "dead", "capture", "import-dat", "schema",
                     "man", "Exit status"):
            self.assertIn(word, out)
        for command in ("check", "ping", "fire", "emit", "explain", "outbox", "dead", "capture"):
            status, out, _ = run(command, "--help")
            self.assertEqual(status, 0)
            self.assertIn("--json", out)

    def test_version(self):
        status, out, _ = run("--version")
        self.assertEqual(status, 0)
        self.assertRegex(out, r"^\d+\.\d+\.\d+$")

    def test_wrong_usage_is_2(self):
        good = self.memory()
        for arguments in ((), ("check",), ("chekc", good), ("check", good, "--no-such"), ("ping", good, "--timeout", "-1"),
                          ("fire", good), ("ping", good, "--only", "nobody"), ("ping", good, "m"),
                          ("fire", good, "nobody", "--body", "x"),
                          ("fire", good, "m", "--body", "x", "--header", "novalue"),
                          ("fire", good, "m", "--body", "x", "-"), ("emit", good), ("emit", good, "e", "--id", "i"),
                          ("emit", good, "e", "--body", "x", "-"), ("emit", good, "e", "--body", "x", "--payload", "-"),
                          ("emit", good, "e", "--body", "x", "--header", "novalue"),
                          ("emit", good, "e", "--payload", "/missing"), ("emit", "-", "e"), ("emit", "-", "e", "--payload", "-"),
                          ("explain", good, "--body", "x"), ("explain", good, "e", "--payload", "/missing"),
                          ("outbox", "schema"), ("outbox", "nothing", good), ("relay",), ("relay", "/missing"),
                          ("capture", "sql"), ("capture", "nothing", good), ("dead", "list"), ("dead", "nothing", good), ("dead", "list", good, "--limit", "0"),
                          ("import-dat",), ("import-dat", "/missing")):
            status, _, err = run(*arguments)
            self.assertEqual(status, 2, arguments)
            self.assertNotEqual(err, "", arguments)

    def test_an_unreadable_file_is_2(self):
        for path in (self.folder, os.path.join(self.folder, "missing.json")):
            for command in (["check", path], ["ping", path], ["fire", path, "m", "--body", "x"],
                            ["emit", path, "e", "--body", "x"], ["explain", path]):
                status, _, err = run(*command)
                self.assertEqual(status, 2, command)
                reason = "Is a directory" if path == self.folder else "No such file or directory"
                self.assertEqual(err, f"{path}: cannot be read: {reason}\n")
                status, out, err = run(*command, "--json")
                self.assertEqual((status, err), (2, ""), command)
                found = json.loads(out)
                self.assertFalse(found["ok"])
                self.assertEqual(found["problems"][0]["text"], f"The file cannot be read: {reason}.")

    def test_misspelt_words_get_a_suggestion(self):
        good = self.memory()
        for arguments, meant in ((("chekc", good), "Did you mean 'check'?"), (("pign",), "Did you mean 'ping'?"),
                                 (("check", good, "--jsno"), "Did you mean '--json'?"),
                                 (("fire", good, "m", "--boyd=x"), "Did you mean '--body'?"),
                                 (("--versoin",), "Did you mean '--version'?")):
            status, _, err = run(*arguments)
            self.assertEqual(status, 2, arguments)
            self.assertEqual(err.splitlines()[-1], meant, arguments)
        status, _, err = run("fire", self.file({"brokers": {"orders": {"broker_type": "memory"}}}), "odrers", "--body", "x")
        self.assertEqual(status, 2)
        self.assertTrue(err.endswith("there is no broker 'odrers'. Did you mean 'orders'?\n"), err)

    def test_output_that_cannot_be_written_is_1(self):
        for command in (["check", self.memory()], ["fire", self.memory(), "m", "--body", "x"], ["ping", self.memory()]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([COMMAND, *command], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
            self.assertEqual(done.returncode, 1, command)
            self.assertIn("standard output cannot be written to", done.stderr)

    def test_standard_streams_that_are_closed_stay_so(self):
        received = bytearray()
        with socket.create_server(("127.0.0.1", 0)) as server:
            def receive():
                connection, _ = server.accept()
                with connection:
                    while piece := connection.recv(4096):
                        received.extend(piece)

            receiver = threading.Thread(target=receive)
            receiver.start()
            path = self.file({"brokers": {"r": {"broker_type": "rabbitmq", "params": {"queue": "q"}, "conn_details": {
                "host": "127.0.0.1", "port": server.getsockname()[1]}}}}, "broker.json")
            done = subprocess.run(["bash", "-c", 'exec "$0" fire "$1" r --body x --timeout 1 --verbose <&- >&- 2>&-', COMMAND,
                                   path], timeout=60)
            receiver.join()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(bytes(received), b"AMQP\x00\x00\x09\x01", "the broker gets none of what is printed")
        closed = subprocess.run(["bash", "-c", 'exec "$0" fire "$1" m <&-', COMMAND, self.memory()], capture_output=True,
                                text=True, timeout=60)
        self.assertEqual((closed.returncode, closed.stdout, closed.stderr), (
            1, "0 fired, 0 confirmed\n", "action-triggers: standard input cannot be read: Bad file descriptor\n"))

    def test_a_number_is_one(self):
        good = self.memory()
        for arguments in (("fire", good, "m", "--body", "x", "--timeout"), ("fire", good, "m", "--body", "x", "--rate"),
                          ("ping", good, "--timeout"), ("relay", good, "--close")):
            for wrong in ("nan", "inf", "", "1e400"):
                status, out, err = run(*arguments, wrong)
                self.assertEqual((status, out), (2, ""), (*arguments, wrong))
                self.assertRegex(err, rf"^{arguments[-1]}: '{wrong}' is no number from [0-9.]+ to [0-9]+\n")


class Check(Case):
    def test_a_good_file(self):
        path = self.file({"brokers": {"a": {"broker_type": "memory"}, "b": {"broker_type": "memory"}}})
        self.assertEqual(run("check", path), (0, f"{path}: 2 brokers, 1 connection, no problems\n", ""))
        status, out, _ = run("check", "--json", path)
        self.assertEqual(status, 0)
        self.assertEqual(json.loads(out), {"ok": True, "problems": [], "warnings": [], "connections": 1, "triggers": 0,
                                           "brokers": [{"name": "a", "type": "memory"}, {"name": "b", "type": "memory"}]})

    def test_all_problems(self):
        path = self.file('{"brokers": {\n"a": {"broker_type": "memory", "params": {"timeout_secs": -1}},\n"b": {}}}')
        first = "The field 'timeout_secs' must be at least 0.001 seconds, not -1."
        second = "`broker_type` not set for broker b"
        self.assertEqual(run("check", path),
                         (1, f"{path}:2:59: error: a.params.timeout_secs: {first}\n"
                             f"{path}:3:6: error: b.broker_type: {second}\n{path}: 2 problems\n", ""))
        status, out, _ = run("check", "--json", path)
        self.assertEqual(status, 1)
        found = json.loads(out)
        self.assertFalse(found["ok"])
        self.assertEqual(found["problems"][0], {"broker": "a", "section": "params", "key": "timeout_secs", "line": 2,
                                                "column": 59, "pointer": "/brokers/a/params/timeout_secs", "text": first})
        self.assertEqual(found["errors"], {"a": {"params": {"timeout_secs": [first]}},
                                           "b": {"": {"broker_type": [second]}}})

    def test_warnings_are_shown_and_are_no_problem(self):
        path = self.file({"brokers": {"r": {"broker_type": "rabbitmq", "conn_details": {"host": "mq.example.org"},
                                            "params": {"queue": "q"}}}})
        status, out, _ = run("check", path)
        self.assertEqual(status, 0)
        self.assertIn("warning: r.conn_details.host: mq.example.org", out)
        self.assertTrue(out.endswith(f"{path}: 1 broker, 1 connection, 1 warning\n"), out)
        self.assertEqual(run("check", self.file('{"brokers": {}}'))[1].count("warning: No broker is given."), 1)

    def test_several_files(self):
        good, bad = self.memory(), self.file("{", "bad.json")
        missing = os.path.join(self.folder, "missing.json")
        wrong = f"{bad}:1:2: error: Not valid JSON: The file ends, and the '{{' of line 1 is not closed.\n{bad}: 1 problem\n"
        self.assertEqual(run("check", good, bad), (1, f"{good}: 1 broker, 1 connection, no problems\n{wrong}", ""))
        self.assertEqual(run("check", missing, bad),
                         (2, wrong, f"{missing}: cannot be read: No such file or directory\n"))
        status, out, _ = run("check", "--json", good, bad)
        self.assertEqual(status, 1)
        found = json.loads(out)
        self.assertEqual((found["ok"], [(each["file"], each["ok"]) for each in found["files"]]),
                         (False, [(good, True), (bad, False)]))

    def test_files_of_another_program(self):
        path = self.file({"brokers": {"m": {"broker_type": "memory", "conn_details": {"server": "${vault:name}"}},
                                      "p": {"broker_type": "pigeon", "conn_details": {"loft": "{{ loft }}"}}}})
        self.assertEqual(run("check", path)[0], 1)
        status, out, err = run("check", "--allow-unknown-resolvers", path)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual([line.split(": ", 1)[1] for line in out.splitlines()],
                         ["warning: m.conn_details.server: There is no resolver 'vault'. Known resolvers: file. "
                          "The value is not checked.",
                          "warning: p.broker_type: There is no broker type 'pigeon'. Its own settings are not checked.",
                          "warning: p.conn_details.loft: Path 'loft' not allowed. The value is not checked.",
                          "2 brokers, 2 connections, 3 warnings"])
        found = json.loads(run("check", "--allow-unknown-resolvers", "--json", path)[1])
        self.assertEqual((found["ok"], len(found["warnings"])), (True, 3))

    def test_standard_input_and_pipes(self):
        text = '{"brokers": {"m": {"broker_type": "memory"}}}'
        well = "1 broker, 1 connection, no problems\n"
        self.assertEqual(run("check", "-", text=text), (0, f"standard input: {well}", ""))
        self.assertEqual(run("check", "/dev/stdin", text=text), (0, f"/dev/stdin: {well}", ""))
        self.assertEqual(run("ping", "-", text=text), (0, "ok    m (memory): connected\n", ""))
        self.assertEqual(run("fire", "-", "m", "--body", "x", text=text)[0], 0)
        self.assertEqual(run("fire", "-", "m", text=text)[0], 2)
        self.assertEqual(run("check", "-", text="")[1],
                         "standard input:1:1: error: The configuration is empty.\nstandard input: 1 problem\n")
        shell = subprocess.run(["bash", "-c", 'exec "$0" check <(sleep 0.1; cat "$1")', COMMAND, self.file(text)],
                               capture_output=True, text=True, timeout=60)
        self.assertEqual((shell.returncode, shell.stdout.endswith(well)), (0, True), shell.stdout + shell.stderr)

    def test_a_pipe_that_nobody_writes_to_is_not_waited_for(self):
        pipe = os.path.join(self.folder, "pipe")
        os.mkfifo(pipe)
        self.assertEqual(run("check", pipe), (2, "", f"{pipe}: cannot be read: nobody writes to this pipe\n"))
        holder = self.file({"brokers": {"m": {"broker_type": "memory", "conn_details": {"server": "${file:%s}" % pipe}}}})
        status, out, _ = run("check", holder)
        self.assertEqual(status, 1)
        self.assertIn(f"The file '{pipe}' cannot be read: nobody writes to this pipe.", out)

    def test_nothing_of_a_file_reaches_the_terminal_as_control_characters(self):
        path = self.file('{"brokers": {}, "\\u001b[31m\\n\\u009b": 1}')
        status, out, _ = run("check", path)
        self.assertEqual(status, 1)
        self.assertIn(r"Unknown field '\u001b[31m\u000a\u009b'.", out)
        self.assertNotIn("\x1b", out)


class Fire(Case):
    def test_one_message(self):
        status, out, _ = run("fire", self.memory(), "m", "--body", "x", "--id", "id-1", "--header", "a=b=c", "--key", "k")
        self.assertEqual(status, 0)
        self.assertRegex(out, r"^ok  m  id=id-1  attempts=1  latency=\d+\.\d ms\n$")
        self.assertEqual(run("fire", "--header", "a=b", "--header", "c=d", self.memory(), "m", "--body", "x")[0], 0)

    def test_one_message_as_json(self):
        status, out, _ = run("fire", self.memory(), "m", "--body", "x", "--id", "id-1", "--json")
        self.assertEqual(status, 0)
        report = json.loads(out)
        self.assertGreaterEqual(report.pop("latency_ms"), 0)
        self.assertEqual(report, {"broker": "m", "status": "ok", "message": "", "persistence": "persisted",
                                  "attempts": 1, "message_id": "id-1"})

    def test_lines(self):
        self.assertEqual(run("fire", self.memory(), "m", text="a\nb\n\nc"), (0, "4 fired, 4 confirmed\n", ""))
        self.assertEqual(run("fire", self.memory(), "m", "-", "--json", text="a\nb\n"),
                         (0, '{"delivered":2,"failed":{},"fired":2}\n', ""))
        self.assertEqual(run("fire", self.memory(), "m", text=""), (0, "0 fired, 0 confirmed\n", ""))

    def test_more_lines_than_the_queue_holds(self):
        small = self.memory(max_queued_messages=3, max_queued_bytes=1000)
        self.assertEqual(run("fire", small, "m", text="x" * 300 + "\n" + "y\n" * 2000),
                         (0, "2001 fired, 2001 confirmed\n", ""))

    def test_many_lines_with_long_headers(self):
        small = self.memory(max_queued_bytes=20_000)
        self.assertEqual(run("fire", small, "m", "--header", "h=" + "x" * 300, "--key", "k" * 100, text="y\n" * 5000),
                         (0, "5000 fired, 5000 confirmed\n", ""))

    def test_input_that_cannot_be_read_is_1(self):
        folder = os.open(self.folder, os.O_RDONLY)
        done = subprocess.run([COMMAND, "fire", self.memory(), "m"], stdin=folder, capture_output=True, text=True, timeout=60)
        os.close(folder)
        self.assertEqual((done.returncode, done.stdout), (1, "0 fired, 0 confirmed\n"))
        self.assertIn("standard input cannot be read: Is a directory", done.stderr)

    def test_count_rate_and_timeout(self):
        self.assertEqual(run("fire", self.memory(), "m", "--body", "x", "--count", "250"),
                         (0, "250 fired, 250 confirmed\n", ""))
        self.assertEqual(run("fire", self.memory(), "m", "--count", "2", text="a\nb\nc\n"),
                         (0, "2 fired, 2 confirmed\n", ""))
        begin = time.monotonic()
        self.assertEqual(run("fire", self.memory(), "m", "--body", "x", "--count", "11", "--rate", "20")[0], 0)
        self.assertGreaterEqual(time.monotonic() - begin, 0.5)  # ten pauses of 50 ms
        begin = time.monotonic()
        status, out, _ = run("fire", self.unreachable(), "r", "--body", "x", "--timeout", "0.2")
        self.assertEqual(status, 1)
        self.assertRegex(out, "^(timed_out|unavailable)")
        self.assertLess(time.monotonic() - begin, 20)  # the configuration says 30 s
        for wrong in (["--count", "0"], ["--rate", "0"], ["--rate", "fast"], ["--timeout", "0"], ["--timeout", "-1"]):
            self.assertEqual(run("fire", self.memory(), "m", "--body", "x", *wrong)[0], 2, wrong)

    def unreachable(self):
        return self.file({"brokers": {"r": {"broker_type": "rabbitmq", "conn_details": {"host": "127.0.0.1", "port": 1},
                                            "params": {"queue": "q"}}}}, "unreachable.json")

    def started(self, *arguments, command="fire", **options):
        """The command, once it has read a line of its standard input."""
        busy = subprocess.Popen([COMMAND, command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **options)
        self.addCleanup(busy.kill)
        self.addCleanup(busy.stdin.close)
        self.addCleanup(busy.stdout.close)
        self.addCleanup(busy.stderr.close)
        busy.stdin.write("line\n")
        busy.stdin.flush()
        while self.unread(busy.stdin) > 0:
            self.assertIsNone(busy.poll())
            time.sleep(0.01)
        return busy

    @staticmethod
    def unread(pipe):
        return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0\0\0\0"))[0]

    @staticmethod
    def ended(process):
        """What it printed. Its standard input stays open until then, so it is the signal that ended it."""
        process.wait(timeout=30)
        return process.stdout.read(), process.stderr.read()

    @staticmethod
    def waits_for_signals(process):
        with open(f"/proc/{process.pid}/status") as status:
            return "SigBlk:\t0000000000004003" in status.read()  # they are blocked, so a thread of their own takes them

    def test_a_signal_ends_it_in_good_order(self):
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            busy = self.started(self.unreachable(), "r")
            begin = time.monotonic()
            busy.send_signal(number)
            out, err = self.ended(busy)
            self.assertLess(time.monotonic() - begin, 10)  # about a second, not the deadline of 30 s
            self.assertEqual(busy.returncode, status)
            self.assertRegex(out, r"^1 fired, 0 confirmed\n +1  closed: ")
            self.assertEqual(err, f"action-triggers: ended by {number.name}\n")

    def test_what_is_confirmed_before_the_signal_is_said(self):
        busy = self.started(self.memory(), "m", "--json")
        busy.send_signal(signal.SIGTERM)
        out, _ = self.ended(busy)
        self.assertEqual(busy.returncode, 143)
        self.assertEqual(json.loads(out), {"fired": 1, "delivered": 1, "failed": {}})

    def test_a_signal_ends_the_wait_for_one_message_and_for_the_rate(self):
        for number, arguments in ((signal.SIGINT, (self.unreachable(), "r", "--body", "x")),
                                  (signal.SIGHUP, (self.unreachable(), "r", "--body", "x")),
                                  (signal.SIGINT, (self.memory(), "m", "--body", "x", "--count", "2", "--rate", "0.001"))):
            busy = subprocess.Popen([COMMAND, "fire", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True)
            self.addCleanup(busy.kill)
            while not self.waits_for_signals(busy):
                self.assertIsNone(busy.poll())
                time.sleep(0.01)
            busy.send_signal(number)
            out, _ = busy.communicate(timeout=30)
            self.assertEqual(busy.returncode, 128 + number)
            self.assertNotEqual(out, "")

    def test_the_second_signal_ends_it_at_once(self):
        busy = self.started(self.unreachable(), "r")
        busy.send_signal(signal.SIGINT)
        busy.send_signal(signal.SIGTERM)
        self.ended(busy)
        self.assertIn(busy.returncode, (130, 143))  # whichever of the two is taken second

    def test_signals_that_were_ignored_stay_so(self):
        busy = self.started(self.memory(), "m", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        busy.send_signal(signal.SIGHUP)
        out, _ = busy.communicate("line\n", timeout=30)
        self.assertEqual((busy.returncode, out), (0, "2 fired, 2 confirmed\n"))

    def test_a_hang_up_reloads_the_configuration_while_lines_are_read(self):
        path = self.memory(max_queued_bytes=100)
        busy = self.started(path, "m")
        self.memory(max_queued_bytes=10_000)
        busy.send_signal(signal.SIGHUP)
        self.assertEqual(busy.stderr.readline(), f"action-triggers: {path} was reloaded\n")
        out, err = busy.communicate("x" * 200 + "\n", timeout=30)
        self.assertEqual((busy.returncode, out, err), (0, "2 fired, 2 confirmed\n", ""))

    def test_a_hang_up_keeps_the_configuration_if_the_file_is_wrong(self):
        path = self.memory()
        busy = self.started(path, "m")
        kept = f"action-triggers: {path} was not reloaded, the configuration before stays\n"
        for content, why in (({"brokers": {"other": {"broker_type": "memory"}}},
                              "action-triggers: there is no broker 'm' any more\n"),
                             ({"brokers": {"m": {"broker_type": "memroy"}}}, "memroy")):
            self.file(content)
            busy.send_signal(signal.SIGHUP)
            said = ""
            while not said.endswith(kept):
                said += busy.stderr.readline()
            self.assertIn(why, said)
        os.remove(path)
        busy.send_signal(signal.SIGHUP)
        self.assertRegex(busy.stderr.readline(), "cannot be read")
        self.assertEqual(busy.stderr.readline(), kept)
        self.assertEqual(busy.communicate("line\n", timeout=30), ("2 fired, 2 confirmed\n", ""))
        self.assertEqual(busy.returncode, 0)

    def test_a_hang_up_reloads_the_triggers_while_events_are_read(self):
        def triggers(*targets):
            return self.file({"brokers": {"m": {"broker_type": "memory"}, "n": {"broker_type": "memory"}},
                              "triggers": {"t": {"events": ["e"], "targets": targets}}})

        path = triggers("m")
        busy = self.started(path, "e", command="emit")
        triggers("m", "n")
        busy.send_signal(signal.SIGHUP)
        self.assertEqual(busy.stderr.readline(), f"action-triggers: {path} was reloaded\n")
        out, err = busy.communicate("line\n", timeout=30)
        self.assertEqual((busy.returncode, err), (0, ""))
        self.assertRegex(out, "^2 emitted, [34] messages")  # the first line may have been read, and emitted only then
        busy = self.started(path, "e", command="emit")
        self.file("{")
        busy.send_signal(signal.SIGHUP)
        self.assertRegex(busy.stderr.readline(), r":1:\d+: error: ")

    def test_failures_are_counted_and_the_exit_status_is_1(self):
        small = self.memory(max_queued_bytes=10)
        status, out, _ = run("fire", small, "m", text="short\n" + "x" * 100 + "\n")
        self.assertEqual(status, 1)
        self.assertRegex(out, r"^2 fired, 1 confirmed\n +1  \w+: ")

    def test_progress_on_a_terminal(self):
        primary, secondary = pty.openpty()
        busy = subprocess.Popen([COMMAND, "fire", self.memory(), "m"], stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL, stderr=secondary)
        os.close(secondary)
        seen = b""
        while b"confirmed" not in seen:  # lines as fast as they are taken, until the command says something
            readable, writable, _ = select.select([primary], [busy.stdin], [], 30)
            self.assertTrue(readable or writable, "no line was taken for 30 s")
            if readable:
                seen += os.read(primary, 4096)
            elif writable:
                os.write(busy.stdin.fileno(), b"x\n" * 100)  # less than a pipe takes at once
        busy.stdin.close()
        self.assertEqual(busy.wait(timeout=30), 0)
        self.assertIn(b" fired, ", seen)
        os.close(primary)


class Ping(Case):
    def test_memory(self):
        self.assertEqual(run("ping", self.memory()), (0, "ok    m (memory): connected\n", ""))
        status, out, _ = run("ping", "--only", "m", self.memory(), "--send")
        self.assertEqual(status, 0)
        self.assertRegex(out, r"^ok    m \(memory\): test message [0-9a-f-]{36} confirmed\n$")

    def test_a_message_that_fails_is_not_called_confirmed(self):
        status, out, _ = run("ping", self.memory(max_queued_bytes=1), "--send", "--json")
        self.assertEqual(status, 1)
        self.assertNotIn("confirmed", out)
        found = json.loads(out)["brokers"][0]
        self.assertNotEqual(found["status"], "ok")
        self.assertEqual(found["detail"], "")

    def test_unreachable(self):
        path = self.file({"brokers": {
            "k": {"broker_type": "kafka", "conn_details": {"bootstrap_servers": "127.0.0.1:1"}, "params": {"topic": "t"}},
            "m": {"broker_type": "memory"},
            "r": {"broker_type": "rabbitmq", "conn_details": {"host": "127.0.0.1", "port": 1}, "params": {"queue": "q"}}}})
        status, out, _ = run("ping", path)
        self.assertEqual(status, 1)
        lines = out.splitlines()
        self.assertRegex(lines[0], r"^FAIL  k \(kafka\): unavailable: .*127\.0\.0\.1:1")
        self.assertEqual(lines[1], "ok    m (memory): connected")
        self.assertRegex(lines[2], r"^FAIL  r \(rabbitmq\): unavailable: .*127\.0\.0\.1:1")
        status, out, _ = run("ping", path, "--only", "r", "--json")
        self.assertEqual(status, 1)
        found = json.loads(out)
        self.assertFalse(found["ok"])
        self.assertEqual([(each["name"], each["status"]) for each in found["brokers"]], [("r", "unavailable")])


    def test_several_files_and_standard_input(self):
        good, bad = self.memory(), self.file("{", "bad.json")
        text = json.dumps({"brokers": {"n": {"broker_type": "memory"}, "o": {"broker_type": "memory"}}})
        said = f"{good}: ok    m (memory): connected\nstandard input: ok    n (memory): connected\n"
        self.assertEqual(run("ping", good, "-", text=text), (0, said + "standard input: ok    o (memory): connected\n", ""))
        self.assertEqual(run("ping", good, "-", "--only", "m", "--only", "n", text=text), (0, said, ""))
        status, out, _ = run("ping", bad, good)
        self.assertEqual(status, 1)
        self.assertTrue(out.endswith(f"{bad}: 1 problem\n{good}: ok    m (memory): connected\n"), out)
        missing = os.path.join(self.folder, "missing.json")
        self.assertEqual(run("ping", missing, good), (2, f"{good}: ok    m (memory): connected\n",
                                                      f"{missing}: cannot be read: No such file or directory\n"))
        status, out, _ = run("ping", "--json", good, bad, "-", text=text)
        found = json.loads(out)
        self.assertEqual((status, found["ok"], [(each["file"], each["ok"]) for each in found["files"]]),
                         (1, False, [(good, True), (bad, False), ("standard input", True)]))
        self.assertEqual([broker["name"] for broker in found["files"][2]["brokers"]], ["n", "o"])

    def test_a_name_in_the_place_of_a_file_is_explained(self):
        self.assertEqual(run("ping", self.memory(), "m"),
                         (2, "", "m: there is no such file; to ping one broker, write --only m\n"))
        status, _, err = run("ping", self.memory(), self.file({"brokers": {"orders": {"broker_type": "memory"}}}, "b.json"),
                             "--only", "odrers")
        self.assertEqual((status, err), (2, "the files: there is no broker 'odrers'. Did you mean 'orders'?\n"))


class Secrets(Case):
    def test_credentials_from_variables_are_printed_nowhere(self):
        secret = "s3cretmarker"
        os.environ["ACTION_TRIGGERS_TEST_MARKER"] = secret
        self.addCleanup(os.environ.pop, "ACTION_TRIGGERS_TEST_MARKER")
        mark = "${ACTION_TRIGGERS_TEST_MARKER}"
        rabbitmq = {"host": "127.0.0.1", "port": 1, "username": mark, "password": mark, "virtual_host": mark}
        kafka = {"bootstrap_servers": "127.0.0.1:1", "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN",
                 "sasl_plain_username": mark, "sasl_plain_password": mark, "client_id": mark}
        for kind, conn_details, params in (
                ("rabbitmq", rabbitmq, {"queue": "q"}),
                ("rabbitmq", {"url": f"amqp://{mark}:{mark}@127.0.0.1:1/{mark}"}, {"queue": "q"}),
                ("rabbitmq", {"url": f"amqp://{mark}:a/{mark}@127.0.0.1:1/{mark}"}, {"queue": "q"}),
                ("rabbitmq", {"hosts": [f"{mark}:{mark}@127.0.0.1:1"]}, {"queue": "q"}),
                ("kafka", kafka, {"topic": "t"}),
                ("kafka", {**kafka, "bootstrap_servers": f"127.0.0.1:1,{mark}:{mark}@127.0.0.1:1"}, {"topic": "t"})):
            shape = {"body": {"by": mark}, "key": f"{mark}-{{{{ /id:-1 }}}}", "headers": {"h": mark}, "content_type": mark}
            triggers = {"t": {"events": ["e"], "targets": ["b", {"broker": "b", **shape, "params": {"retry": {"max_attempts": 1}}}]},
                        "u": {"events": ["e"], "when": {"tenant": [mark]}, "targets": [{"broker": "b", "when": {"a": [mark]}}]}}
            path = self.file({"brokers": {"b": {"broker_type": kind, "conn_details": conn_details, "params": params}},
                              "triggers": triggers})
            for command in (["check", path], ["check", path, "--json"], ["ping", path, "--timeout", "1"],
                            ["ping", path, "--timeout", "1", "--json"],
                            ["fire", path, "b", "--body", "x", "--timeout", "1", "--verbose"],
                            ["fire", path, "b", "--body", "x", "--timeout", "0.2", "--json"], ["explain", path, "--defaults"],
                            ["explain", path, "--json"], ["explain", path, "e", "--body", "{}", "--json"],
                            ["explain", path, "e", "--body", "{}", "--defaults"]):
                _, out, err = run(*command)
                self.assertNotEqual(out, "", command)
                self.assertNotIn(secret, out + err, command)


    # Names that an operator needs: SECURITY.md, and may_show in tests/unit/runtime_secrets_test.cpp.
    may_show = ("bootstrap_servers", "bootstrap.servers", "topic", "host", "hosts", "queue", "exchange", "routing_key",
                "virtual_host", "virtualhost")

    @staticmethod
    def keys_of_the_tables():
        """(broker type, section, key) of everything that may be text, as docs/configuration.md has the loader's tables."""
        with open(os.path.join(os.path.dirname(__file__), "../../docs/configuration.md"), encoding="utf-8") as page:
            tables = re.findall(r"<!-- table (kafka|rabbitmq) -->\n(.*?)<!-- end -->", page.read(), re.DOTALL)
        for kind, table in tables:
            for section, keys, what in re.findall(r"^\| (conn_details|params) \| ([^|]*) \| ([^|]*) \|", table, re.MULTILINE):
                for key in re.findall("`([^`]+)`", keys) if "str" in what else ():
                    yield kind, section, key

    def test_a_value_of_any_key_is_printed_nowhere(self):
        os.environ["ACTION_TRIGGERS_TEST_MARKER"] = "s3cretmarker"
        self.addCleanup(os.environ.pop, "ACTION_TRIGGERS_TEST_MARKER")
        mark = "${ACTION_TRIGGERS_TEST_MARKER}"
        login = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "sasl_plain_username": "u",
                 "sasl_plain_password": "p"}
        bases = {"kafka": ({"bootstrap_servers": "127.0.0.1:1"}, {"topic": "t"}),
                 "rabbitmq": ({"host": "127.0.0.1", "port": 1}, {"queue": "q"})}
        brokers = {}
        for kind, section, key in self.keys_of_the_tables():
            for value in (mark, f"amqp://{mark}:{mark}@127.0.0.1:1/"):
                conn, params = ({**part, "timeout_secs": 0.3} if "queue" in part or "topic" in part else dict(part)
                                for part in bases[kind])
                (conn if section == "conn_details" else params)[key] = value
                if key == "url":
                    conn = {"url": value}
                if key.startswith("sasl_plain"):
                    conn = {**login, **conn}
                broker = {"broker_type": kind, "conn_details": conn, "params": params}
                status, out, err = run("check", "-", "--json", text=json.dumps({"brokers": {key: broker}}))
                self.assertNotIn("s3cretmarker", out + err, key)
                if status == 0:
                    brokers[key] = broker
        for key in ("sasl_plain_password", "sasl_plain_username", "client_id", "password", "username", "url", "topic"):
            self.assertIn(key, brokers)
        path = self.file({"brokers": brokers,
                          "triggers": {"t": {"events": ["e"], "targets": list(brokers)}}})
        for more in ([], ["--json"], ["--defaults"]):
            status, out, err = run("explain", path, "e", "--body", "{}", *more)
            self.assertEqual((status, err), (0, ""))
            self.assertNotIn("s3cretmarker", out)
            self.assertIn("environment variable ACTION_TRIGGERS_TEST_MARKER", out)
        for result in json.loads(run("ping", path, "--json", "--timeout", "0.2")[1])["brokers"]:
            if result["name"] not in self.may_show:
                self.assertNotIn("s3cretmarker", json.dumps(result))
        for name in brokers:
            _, out, err = run("fire", path, name, "--body", "s3cretmarker", "--key", "s3cretmarker", "--header",
                              "h=s3cretmarker", "--json", "--verbose")
            self.assertEqual(json.loads(out)["broker"], name)
            if name not in self.may_show:
                self.assertNotIn("s3cretmarker", out + err, name)


    def test_secrets_that_stand_in_the_file_are_not_explained(self):
        secret = "s3cretmarker"
        brokers = {"k": {"broker_type": "kafka", "conn_details": {
                       "bootstrap_servers": "127.0.0.1:1", "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN",
                       "sasl_plain_username": "u", "sasl_plain_password": secret}, "params": {"topic": "t"}},
                   "r": {"broker_type": "rabbitmq", "conn_details": {"host": "127.0.0.1", "password": secret},
                         "params": {"queue": "q"}},
                   "u": {"broker_type": "rabbitmq", "conn_details": {"url": f"amqp://u:{secret}@127.0.0.1/"},
                         "params": {"queue": "q"}}}
        path = self.file({"brokers": brokers, "triggers": {"t": {"events": ["e"], "targets": ["k", "r", "u"]}}})
        for more in ([], ["e"], ["e", "--body", "{}"]):
            for form in ([], ["--json"]):
                status, out, err = run("explain", path, *more, *form)
                self.assertEqual((status, err), (0, ""))
                self.assertNotIn(secret, out)
                self.assertIn("***", out)


class Triggers(Case):
    """explain and emit."""
    text = """{
  "brokers": {
    "events": {"broker_type": "memory", "params": {"max_queued_messages": 50}},
    "mails": {
      "broker_type": "memory",
      "conn_details": {"server": "${ACTION_TRIGGERS_TEST_SERVER:-local}"}
    }
  },
  "triggers": {
    "paid": {
      "events": ["order.*.paid", "order.imported"],
      "when": {"total": [{"numeric": [">=", 99.90]}]},
      "targets": [
        "events",
        {"broker": "mails", "when": {"country": [{"anything-but": "DE"}]},
         "body": {"id": "{{ /id }}"}, "key": "order-{{ /id }}", "headers": {"event": "{{ event.name }}"},
         "content_type": "application/json", "timeout_secs": 5}
      ]
    },
    "old": {"events": ["order.#"], "active": false, "targets": ["events"]},
    "mail": {"events": ["mail.#"], "targets": ["events"]}
  }
}"""
    payload = '{"id": 4, "total": 100, "country": "FR"}'

    def triggers(self):
        return self.file(self.text, "triggers.json")

    def test_all_triggers_are_explained(self):
        path = self.triggers()
        status, out, err = run("explain", path)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(re.sub(r"\d+ settings, which", "N settings, which", out), f"""\
paid  {path}:10
  events        order.*.paid, order.imported
  when          {{"total": [{{"numeric": [">=", 99.90]}}]}}
  -> events (memory)  {path}:14
      params.max_queued_messages = 50  ({path}:3)
      defaults: N settings, which --defaults shows
  -> mails (memory)  {path}:15
      when          {{"country": [{{"anything-but": "DE"}}]}}
      conn_details.server = ***  ({path}:6, the default of ${{ACTION_TRIGGERS_TEST_SERVER:-…}}, which is not set)
      params.timeout_secs = 5  ({path}:17, of the target)
      defaults: N settings, which --defaults shows
old  {path}:20: not active
  events        order.#
  -> events (memory)  {path}:20
      params.max_queued_messages = 50  ({path}:3)
      defaults: N settings, which --defaults shows
mail  {path}:21
  events        mail.#
  -> events (memory)  {path}:21
      params.max_queued_messages = 50  ({path}:3)
      defaults: N settings, which --defaults shows
""")
        self.assertIn("overflow = reject", run("explain", path, "--defaults")[1])
        self.assertEqual(run("explain", self.memory())[1].split(": ")[1], "no triggers\n")

    def test_an_event_is_explained(self):
        path = self.triggers()
        status, out, _ = run("explain", path, "order.imported", "--body", self.payload, "--id", "e-1", "--header", "h=1")
        self.assertEqual(status, 0)
        for line in (f"paid  {path}:10: matches", f"  -> events (memory)  {path}:14: sent", f"      body          {self.payload}",
                     "      body          {\"id\":4}", "      key           order-4", "      header        event=order.imported",
                     "      header        h=1", "      content_type  application/json", "      id            e-1",
                     f"old  {path}:20: no: The trigger is not active.",
                     f"mail  {path}:21: no: No pattern of the trigger matches 'order.imported'.", "order.imported: 2 messages"):
            self.assertIn(line, out.splitlines())
        with open(os.path.join(self.folder, "payload.json"), "w", encoding="utf-8") as file:
            file.write(self.payload + "\n")
        same = run("explain", path, "order.imported", "--payload", file.name, "--id", "e-1", "--header", "h=1")
        self.assertEqual(same, (0, out, ""))
        same = run("explain", path, "order.imported", "--payload", "-", "--id", "e-1", "--header", "h=1", text=self.payload)
        self.assertEqual(same, (0, out, ""))

    def test_what_does_not_match_is_explained(self):
        path = self.triggers()
        self.assertIn(f"paid  {path}:10: no: The field 'total' is 99; wanted is ",
                      run("explain", path, "order.imported", "--body", '{"total": 99}')[1])
        _, out, _ = run("explain", path, "order.imported", "--body", '{"total": 100, "country": "DE"}')
        self.assertIn(f"-> mails (memory)  {path}:15: not sent: The field 'country' is \"DE\"", out)
        self.assertTrue(out.endswith("order.imported: 1 message\n"), out)
        status, out, _ = run("explain", path, "order.imported", "--body", '{"total": 100, "country": "FR"}')
        self.assertEqual(status, 1)
        self.assertIn("15: FAILS: trigger 'paid', target 1, body: /id is missing.", out)
        self.assertTrue(out.endswith("order.imported: 1 message, 1 cannot be made\n"), out)

    def test_without_a_payload_the_name_decides(self):
        status, out, _ = run("explain", self.triggers(), "order.imported")
        self.assertEqual(status, 0)
        self.assertIn("10: may match\n", out)
        self.assertIn("14: may be sent: ", out)
        self.assertTrue(out.endswith("order.imported: 2 targets may get it; --payload decides\n"), out)

    def test_an_explanation_as_json(self):
        status, out, _ = run("explain", self.triggers(), "order.imported", "--body", self.payload, "--id", "e-1", "--json")
        self.assertEqual(status, 0)
        found = json.loads(out)
        self.assertEqual((found["ok"], found["event"]), (True, "order.imported"))
        paid, old, mail = found["triggers"]
        self.assertEqual((paid["name"], paid["line"], paid["active"], paid["events"], paid["when"]),
                         ("paid", 10, True, ["order.*.paid", "order.imported"], '{"total": [{"numeric": [">=", 99.90]}]}'))
        self.assertEqual([[target["outcome"] for target in trigger["targets"]] for trigger in (paid, old, mail)],
                         [["sent", "sent"], ["inactive"], ["event"]])
        mails = paid["targets"][1]
        self.assertEqual(mails["message"], {"body": '{"id":4}', "key": "order-4", "headers": [["event", "order.imported"]],
                                            "content_type": "application/json", "id": "e-1"})
        self.assertEqual((mails["broker"], mails["type"], mails["line"], mails["broker_line"]), ("mails", "memory", 15, 4))
        settings = {setting["key"]: setting for setting in mails["settings"]}
        self.assertEqual(settings["timeout_secs"], {"section": "params", "key": "timeout_secs", "value": "5", "line": 17,
                                                    "of": "target", "from": []})
        self.assertEqual((settings["server"]["value"], settings["server"]["of"]), ("***", "broker"))
        self.assertEqual((settings["overflow"]["value"], settings["overflow"]["of"]), ("reject", "default"))
        status, out, _ = run("explain", self.triggers(), "order.imported", "--body", "{", "--json")
        self.assertEqual((status, json.loads(out)["ok"]), (1, False))

    def test_nothing_of_a_payload_reaches_the_terminal_as_control_characters(self):
        for command in ("explain", "emit"):
            _, out, _ = run(command, self.triggers(), "order.\x1b", "--body", '{"total": "\x1b[31m"}')
            self.assertNotIn("\x1b", out)
            _, out, _ = run(command, self.triggers(), "order.imported", "--body", '{"total": 100, "country": 1, "id": "\x1b"}')
            self.assertNotIn("\x1b", out)

    def test_an_event_is_emitted(self):
        status, out, err = run("emit", self.triggers(), "order.imported", "--body", self.payload, "--id", "e-1")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"^ok  paid -> events  id=e-1  attempts=1  latency=\S+ ms\n"
                              r"ok  paid -> mails  id=e-1  attempts=1  latency=\S+ ms\n$")
        status, out, _ = run("emit", self.triggers(), "order.imported", "--payload", "-", "--json", text=self.payload)
        found = json.loads(out)
        self.assertEqual((status, found["ok"], found["event"]), (0, True, "order.imported"))
        self.assertEqual([(report["trigger"], report["broker"], report["status"]) for report in found["reports"]],
                         [("paid", "events", "ok"), ("paid", "mails", "ok")])

    def test_a_target_that_fails_is_1(self):
        status, out, _ = run("emit", self.triggers(), "order.imported", "--body", '{"total": 100}')
        self.assertEqual(status, 0, "the target's own condition does not match")
        status, out, _ = run("emit", self.triggers(), "order.imported", "--body", '{"total": 100, "country": "FR"}')
        self.assertEqual(status, 1)
        self.assertIn("invalid_argument: trigger 'paid', target 1, body: /id is missing.  paid -> mails  id=", out)

    def test_an_event_that_nobody_gets_is_said_and_is_no_failure(self):
        self.assertEqual(run("emit", self.triggers(), "x", "--body", "{}"),
                         (0, "nothing sent: no active trigger is for the event 'x'\n", ""))
        self.assertEqual(run("emit", self.triggers(), "order.imported", "--body", '{"total": 1}'),
                         (0, "nothing sent: no condition of the triggers for the event 'order.imported' matches the payload\n", ""))
        self.assertEqual(run("emit", self.triggers(), "x", "--body", "{}", "--json"),
                         (0, '{"event":"x","ok":true,"reports":[]}\n', ""))

    def test_lines_are_events(self):
        lines = f'{self.payload}\n{{"total": 1}}\n{{"total": 100, "country": "FR"}}\n'
        self.assertEqual(run("emit", self.triggers(), "order.imported", text=lines),
                         (1, "3 emitted, 4 messages, 3 confirmed\n         1  reached nobody\n"
                             "         1  paid -> mails: invalid_argument: trigger 'paid', target 1, body: /id is missing.\n", ""))
        status, out, _ = run("emit", self.triggers(), "order.imported", "-", "--json", text=lines)
        self.assertEqual(status, 1)
        self.assertEqual(json.loads(out), {
            "emitted": 3, "reached_nobody": 1, "messages": 4, "delivered": 3,
            "failed": [{"trigger": "paid", "broker": "mails", "status": "invalid_argument", "count": 1,
                        "message": "trigger 'paid', target 1, body: /id is missing."}]})
        # more than a queue holds
        self.assertEqual(run("emit", self.triggers(), "mail.sent", text="{}\n" * 3000),
                         (0, "3000 emitted, 3000 messages, 3000 confirmed\n", ""))


class OutboxCase(Case):
    """With an outbox in a file of SQLite, and a broker in the command's own process."""

    def setUp(self):
        super().setUp()
        self.database = os.path.join(self.folder, "shop.db")
        self.config = self.written()
        sqlite3.connect(self.database).close()

    def written(self, brokers=("m",), **outbox):
        return self.file({"brokers": {name: {"broker_type": "memory"} for name in brokers},
                          "outbox": {"type": "sqlite", "path": self.database, **outbox}})

    def install(self):
        self.assertEqual(run("outbox", "install", self.config), (0, "the tables are there\n", ""))

    def sql(self, statement, *values):
        connection = sqlite3.connect(self.database)
        with connection:
            rows = connection.execute(statement, values).fetchall()
        connection.close()
        return rows

    def insert(self, target="m", body="x", headers=None):
        self.sql("INSERT INTO action_triggers_outbox(target, body, headers) VALUES (?, ?, ?)", target, body, headers)

    def rows(self):
        return [target for target, in self.sql("SELECT target FROM action_triggers_outbox ORDER BY id")]

    def relay(self, *options):
        relay = subprocess.Popen([COMMAND, "relay", self.config, *options], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(relay.kill)
        self.assertEqual(relay.stdout.readline(), "outbox: this process sends shard 0 of the outbox from now on\n")
        return relay

    def wait_until_empty(self):
        end = time.monotonic() + 30
        while self.rows():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)


class Outbox(OutboxCase):
    """Its tables, its relay and its dead letters."""

    def test_the_schema_is_printed_and_nothing_is_made(self):
        status, out, err = run("outbox", "schema", self.config)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("CREATE TABLE", out)
        self.assertEqual(self.sql("SELECT name FROM sqlite_master"), [])
        connection = sqlite3.connect(self.database)
        connection.executescript(out)
        connection.close()
        self.assertEqual(run("outbox", "verify", self.config), (0, "the tables are as they should be\n", ""))

    def test_install_verify_and_status(self):
        status, out, _ = run("outbox", "verify", self.config)
        self.assertEqual(status, 1)
        self.assertIn("action_triggers_outbox", out)
        self.install()
        self.install()
        self.assertEqual(json.loads(run("outbox", "verify", self.config, "--json")[1]), {"ok": True, "problems": []})
        self.insert()
        self.insert("event:order.paid")
        status, out, err = run("outbox", "status", self.config)
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"^shard 0  2 rows, the oldest of [0-9.]+ s ago, nobody sends them\n")
        self.assertIn("\n  m  1 row\n", out)
        self.assertIn("\n  event:order.paid  1 row\n", out)
        self.assertIn("\ndead letters  0\n", out)
        found = json.loads(run("outbox", "status", self.config, "--json")[1])
        self.assertEqual(found["targets"], {"m": 1, "event:order.paid": 1})
        self.assertEqual(found["shards"][0]["rows"], 2)

    def test_status_knows_a_lease_that_is_over_and_a_clock_that_was_ahead(self):
        self.install()
        relay = self.relay()
        relay.kill()
        relay.communicate(timeout=30)
        self.sql("UPDATE action_triggers_shards SET expires = julianday('now') - 7.0 / 86400")
        self.insert()
        self.sql("UPDATE action_triggers_outbox SET created_at = julianday('now') + 1")
        self.assertRegex(run("outbox", "status", self.config)[1],
                         rf"^shard 0  1 row, the oldest of 0 s ago, nobody sends them: the lease of \S+:{relay.pid} ran out "
                         r"[0-9.]+ s ago\n")
        shard = json.loads(run("outbox", "status", self.config, "--json")[1])["shards"][0]
        self.assertEqual(shard["oldest_age_secs"], 0)
        self.assertLess(shard["expires_in_secs"], 0)

    def test_status_says_what_is_wrong_with_the_tables(self):
        self.install()
        self.assertEqual(json.loads(run("outbox", "status", self.config, "--json")[1])["warnings"], [])
        self.sql("UPDATE action_triggers_shards SET version = 9")
        said = "The tables are of version 9, this library knows version 1: update the library."
        self.assertIn(f"\nwarning: {said}\n", run("outbox", "status", self.config)[1])
        self.assertEqual(json.loads(run("outbox", "status", self.config, "--json")[1])["warnings"], [said])

    def test_a_file_without_an_outbox_is_2(self):
        for command in (("outbox", "status"), ("relay",), ("dead", "list"), ("capture", "check")):
            status, out, err = run(*command, self.memory())
            self.assertEqual((status, out), (2, ""), command)
            self.assertTrue(err.endswith("there is no section 'outbox'; add it, or name another file\n"), err)

    def test_a_database_without_the_tables_is_1(self):
        for command in (("relay", "--once"), ("dead", "count")):
            status, _, err = run(*command, self.config)
            self.assertEqual(status, 1, command)
            self.assertTrue(err.startswith("action-triggers: "), err)

    def test_what_the_database_says_is_json_where_json_is_asked_for(self):
        for command in (("outbox", "status"), ("dead", "count"), ("dead", "list")):
            status, out, err = run(*command, self.config, "--json")
            self.assertEqual(status, 1, command)
            said = json.loads(out)
            self.assertEqual((said["ok"], err), (False, f"action-triggers: {said['error']}\n"))

    def test_a_relay_waits_for_its_database(self):
        relay = subprocess.Popen([COMMAND, "relay", self.config], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(relay.kill)
        said = relay.stderr.readline()
        self.assertTrue(said.startswith("outbox: The database '"), said)
        self.assertTrue(said.endswith(". It is tried again\n"), said)
        self.install()
        self.assertEqual(relay.stdout.readline(), "outbox: this process sends shard 0 of the outbox from now on\n")
        relay.terminate()
        out, err = relay.communicate(timeout=30)
        self.assertEqual((out, err), ("outbox: this process does not send shard 0 of the outbox any more\n", ""))
        self.assertEqual(relay.returncode, 0)

    def test_a_relay_that_waits_for_its_database_can_be_ended(self):
        relay = subprocess.Popen([COMMAND, "relay", self.config], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(relay.kill)
        relay.stderr.readline()
        relay.terminate()
        self.assertEqual(relay.communicate(timeout=30), ("", ""))
        self.assertEqual(relay.returncode, 0)

    def test_a_relay_whose_database_does_not_answer_can_be_ended(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(30)
            self.config = self.file({"outbox": {"type": "postgresql", "conninfo":
                                                f"host=127.0.0.1 port={server.getsockname()[1]} dbname=shop user=shop"},
                                     "brokers": {"m": {"broker_type": "memory"}}})
            for options, expected in (((), 0), (("--once",), 128 + signal.SIGTERM)):
                with self.subTest(options=options):
                    relay = subprocess.Popen([COMMAND, "relay", self.config, *options], stdin=subprocess.DEVNULL)
                    self.addCleanup(relay.kill)
                    with server.accept()[0] as connection:  # it waits for an answer now, and would for ten seconds
                        relay.terminate()
                        self.assertEqual(relay.wait(timeout=5), expected)

    def test_once_sends_everything_and_ends(self):
        self.install()
        for i in range(3):
            self.insert(body=str(i))
        status, out, err = run("relay", self.config, "--once")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out.splitlines()[0], "outbox: this process sends shard 0 of the outbox from now on")
        self.assertEqual(self.rows(), [])

    def test_the_relay_runs_for_a_file_whose_applications_only_write(self):
        self.config = self.written(relay=False)
        self.install()
        self.insert()
        self.assertEqual(run("relay", self.config, "--once")[0], 0)
        self.assertEqual(self.rows(), [])

    def test_signals_end_it_with_0(self):
        self.install()
        for number in (signal.SIGTERM, signal.SIGINT):
            relay = self.relay()
            self.insert()
            self.wait_until_empty()
            relay.send_signal(number)
            out, err = relay.communicate(timeout=30)
            self.assertEqual((relay.returncode, err), (0, ""))
            self.assertEqual(out, "outbox: this process does not send shard 0 of the outbox any more\n")

    def test_a_hang_up_reloads_the_configuration(self):
        self.install()
        relay = self.relay()
        self.insert("later")
        self.written(brokers=("m", "later"))
        relay.send_signal(signal.SIGHUP)
        self.wait_until_empty()
        relay.terminate()
        _, err = relay.communicate(timeout=30)
        self.assertEqual(relay.returncode, 0)
        self.assertIn("was reloaded", err)

    def test_a_hang_up_with_another_outbox_changes_nothing(self):
        self.install()
        relay = self.relay()
        self.written(brokers=("m", "later"), batch=7)
        relay.send_signal(signal.SIGHUP)
        while "not reloaded" not in (line := relay.stderr.readline()):
            self.assertNotEqual(line, "")
        relay.terminate()
        relay.communicate(timeout=30)
        self.assertEqual(relay.returncode, 0)

    def test_a_relay_that_waits_is_asked_for_its_health_and_reads_its_file_again(self):
        right, self.database = self.database, os.path.join(self.folder, "wrong.db")
        self.config = self.written()
        relay = subprocess.Popen([COMMAND, "relay", self.config, "--metrics", "0"], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(relay.kill)
        port = int(re.search(r":(\d+)/metrics", relay.stderr.readline())[1])
        self.assertRegex(relay.stderr.readline(), r"^outbox: There is no database .*\. It is tried again\n$")

        def asked(path):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", path)
            response = connection.getresponse()
            self.addCleanup(connection.close)
            return response.status, response.read().decode()

        status, body = asked("/healthz")
        self.assertEqual(status, 503)
        self.assertIn("the outbox's database does not answer: There is no database", body)
        self.assertIn("action_triggers_outbox_database_up 0\n", asked("/metrics")[1])
        self.file("{")
        relay.send_signal(signal.SIGHUP)
        while "not reloaded" not in (line := relay.stderr.readline()):
            self.assertNotEqual(line, "")
        self.assertIn('action_triggers_reloads_total{result="failed"} 1\n', asked("/metrics")[1])
        self.database = right
        self.written()
        self.install()
        relay.send_signal(signal.SIGHUP)
        self.assertIn("was reloaded", relay.stderr.readline())
        self.assertEqual(relay.stdout.readline(), "outbox: this process sends shard 0 of the outbox from now on\n")
        self.assertIn("action_triggers_outbox_database_up 1\n", asked("/metrics")[1])
        relay.terminate()
        self.assertEqual(relay.wait(timeout=30), 0)
        relay.communicate()

    def test_two_relays_do_not_work_at_the_same_rows_and_say_so(self):
        self.install()
        first = self.relay()
        second = subprocess.Popen([COMMAND, "relay", self.config], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.addCleanup(second.kill)
        self.assertEqual(second.stdout.readline(), "outbox: another process sends shard 0 of the outbox; this one waits\n")
        first.terminate()
        first.communicate(timeout=30)
        self.assertEqual(second.stdout.readline(), "outbox: this process sends shard 0 of the outbox from now on\n")
        second.terminate()
        self.assertEqual(second.communicate(timeout=30)[0], "outbox: this process does not send shard 0 of the outbox any more\n")

    def test_a_relay_that_was_to_send_everything_and_was_ended_has_not_succeeded(self):
        self.install()
        self.insert("nobody")
        relay = self.relay("--once")
        relay.terminate()
        _, err = relay.communicate(timeout=30)
        self.assertEqual(relay.returncode, 128 + signal.SIGTERM)
        self.assertTrue(err.endswith("action-triggers: ended by SIGTERM before everything was sent\n"), err)
        self.assertEqual(self.rows(), ["nobody"])

    def test_systemd_is_told(self):
        systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(systemd.close)
        systemd.settimeout(30)
        systemd.bind(os.path.join(self.folder, "notify"))
        relay = subprocess.Popen([COMMAND, "relay", self.config], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True,
                                 env={**os.environ, "NOTIFY_SOCKET": os.path.join(self.folder, "notify")})
        self.addCleanup(relay.kill)
        self.assertEqual(systemd.recv(4096), b"READY=1")
        self.assertTrue(systemd.recv(4096).startswith(b"STATUS=waits for the outbox's database: The database '"))
        self.install()
        self.assertEqual(systemd.recv(4096), b"STATUS=runs")
        relay.send_signal(signal.SIGHUP)
        self.assertEqual(systemd.recv(4096), b"RELOADING=1")
        self.assertEqual(systemd.recv(4096), b"READY=1")
        relay.terminate()
        self.assertEqual(systemd.recv(4096), b"STOPPING=1")
        relay.communicate(timeout=30)
        self.assertEqual(relay.returncode, 0)

    def dead_letters(self, count=3):
        self.install()
        for i in range(count):
            self.insert(body=f"body {i}", headers="{}")
        self.assertEqual(run("relay", self.config, "--once")[0], 0)
        self.assertEqual(self.rows(), [])

    def test_dead_letters_are_listed_counted_and_shown(self):
        self.dead_letters()
        status, out, err = run("dead", "list", self.config)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(len(out.splitlines()), 3)
        self.assertIn("invalid_argument: The column 'headers' must be a list of pairs", out)
        self.assertEqual(run("dead", "count", self.config), (0, "3 dead letters\n", ""))
        self.assertEqual(run("dead", "count", self.config, "--destination", "nobody")[1], "0 dead letters\n")
        self.assertEqual(run("dead", "list", self.config, "--limit", "1")[1].splitlines()[1],
                         "… 1 of 3; --limit shows more")
        letters = json.loads(run("dead", "list", self.config, "--json")[1])
        self.assertEqual([letter["body"] for letter in letters], ["body 0", "body 1", "body 2"])
        found = json.loads(run("dead", "show", self.config, "--id", str(letters[1]["id"]))[1])
        self.assertEqual(found, letters[1])
        self.assertEqual((found["destination"], found["status"]), ("m", "invalid_argument"))
        self.assertEqual(run("dead", "show", self.config, "--id", "999")[0], 1)
        self.assertEqual(run("dead", "show", self.config)[0], 2)

    def test_dead_letters_are_exported(self):
        self.dead_letters(2)
        self.sql("UPDATE action_triggers_dead_letters SET body = x'ff00' WHERE body = 'body 1'")
        lines = run("dead", "export", self.config)[1].splitlines()
        self.assertEqual(json.loads(lines[0])["body"], "body 0")
        self.assertEqual(json.loads(lines[1])["body_hex"], "ff00")

    def test_dead_letters_are_sent_again(self):
        self.dead_letters()
        self.assertEqual(run("dead", "replay", self.config, "--dry-run"), (0, "3 would be replayed\n", ""))
        self.assertEqual(run("dead", "replay", self.config, "--limit", "1"), (0, "1 replayed\n", ""))
        self.assertEqual(self.rows(), ["m"])
        self.assertEqual(run("dead", "replay", self.config, "--json", "--rate", "1000"), (0, '{"replayed":2}\n', ""))
        self.assertEqual(self.rows(), ["m"] * 3)
        self.assertEqual(run("dead", "count", self.config)[1], "0 dead letters\n")

    def test_dead_letters_are_dropped(self):
        self.dead_letters()
        self.assertEqual(run("dead", "drop", self.config)[0], 2)
        self.assertEqual(run("dead", "drop", self.config, "--all", "--dry-run")[1], "3 would be dropped\n")
        self.assertEqual(run("dead", "drop", self.config, "--match", "nothing like it")[1], "0 dropped\n")
        self.assertEqual(run("dead", "drop", self.config, "--status", "invalid_argument")[1], "3 dropped\n")
        self.assertEqual(run("dead", "list", self.config)[1], "no dead letters\n")

    def test_an_unset_variable_does_not_mean_all_of_them(self):
        self.dead_letters()
        for option in ("--id", "--match", "--destination", "--status", "--older", "--limit"):
            for action in ("replay", "drop"):
                status, out, err = run("dead", action, self.config, option, "")
                self.assertEqual((status, out), (2, ""), (action, option))
                self.assertTrue(err.startswith(option + ": "), err)
        self.assertEqual(run("dead", "count", self.config)[1], "3 dead letters\n")

    def test_options_that_an_action_does_not_heed_are_refused(self):
        self.dead_letters(0)
        for arguments in (("dead", "list", self.config, "--all"), ("dead", "list", self.config, "--dry-run"),
                          ("dead", "count", self.config, "--limit", "1"), ("dead", "drop", self.config, "--all", "--rate", "1"),
                          ("outbox", "schema", self.config, "--json"), ("capture", "sql", self.config, "--json"),
                          ("capture", "install", self.config, "--uninstall")):
            status, out, err = run(*arguments)
            self.assertEqual((status, out), (2, ""), arguments)
            self.assertIn(f"'{arguments[0]} {arguments[1]}' does not have this option", err)

    def test_a_status_that_there_is_not_is_no_filter(self):
        self.dead_letters(1)
        status, out, err = run("dead", "list", self.config, "--status", "timout")
        self.assertEqual((status, out), (2, ""))
        self.assertRegex(err, r"^--status: timout not in \{poisoned,.*timed_out,")
        self.assertEqual(run("dead", "list", self.config, "--status", "poisoned"), (0, "no dead letters\n", ""))

    def test_a_replay_that_is_ended_says_what_is_left(self):
        self.dead_letters()
        replay = subprocess.Popen([COMMAND, "dead", "replay", self.config, "--rate", "0.001"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(replay.kill)
        end = time.monotonic() + 30
        while not self.rows():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        replay.send_signal(signal.SIGINT)
        self.assertEqual(replay.communicate(timeout=30), ("1 replayed\n", "action-triggers: ended by SIGINT, 2 are left\n"))
        self.assertEqual(replay.returncode, 128 + signal.SIGINT)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


class Metrics(OutboxCase):
    """What --metrics serves: to Prometheus, and to a readiness probe."""

    def serving(self, *arguments):
        """A command that serves at a free port, and its answers by path."""
        command = subprocess.Popen([COMMAND, *arguments, "--metrics", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        for release in (command.stdin.close, command.stdout.close, command.stderr.close, command.wait, command.kill):
            self.addCleanup(release)
        found = re.fullmatch(r"action-triggers: http://127\.0\.0\.1:(\d+)/metrics and /healthz\n", command.stderr.readline())
        self.assertTrue(found)
        return command, int(found[1])

    @staticmethod
    def ask(port, path, method="GET", body=None, host="127.0.0.1", timeout=30):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read().decode()
        finally:
            connection.close()

    def wait_for(self, port, path, wanted, host="127.0.0.1"):
        end = time.monotonic() + 30
        while wanted not in (body := self.ask(port, path, host=host)[2]):
            self.assertLess(time.monotonic(), end, body)
            time.sleep(0.01)
        return body

    def test_a_relay_is_scraped(self):
        self.install()
        relay, port = self.serving("relay", self.config)
        self.insert()
        text = self.wait_for(port, "/metrics", "action_triggers_outbox_removed_rows_total 1\n")
        self.assertIn('messaging_client_sent_messages_total{destination="m",messaging_system="memory",'
                      'messaging_operation_name="send",error_type=""} 1\n', text)
        self.assertIn("action_triggers_outbox_delivery_duration_seconds_count 1\n", text)
        self.assertIn("action_triggers_outbox_owned_shards 1\n", text)
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, "", ""))
        relay.terminate()
        self.assertEqual(relay.wait(timeout=30), 0)
        with self.assertRaises(ConnectionRefusedError):
            self.ask(port, "/metrics")

    def test_what_http_wants(self):
        self.install()
        _, port = self.serving("relay", self.config)
        status, headers, body = self.ask(port, "/metrics")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.assertEqual(int(headers["Content-Length"]), len(body.encode()))
        status, headers, body = self.ask(port, "/metrics", "HEAD")
        self.assertEqual((status, body), (200, ""))
        self.assertEqual(self.ask(port, "/nothing")[0], 404)
        status, headers, _ = self.ask(port, "/metrics", "POST", "x" * 100_000)
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
        with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
            raw.sendall(b"what is this\r\n\r\n")
            self.assertTrue(raw.recv(100).startswith(b"HTTP/1."), "an answer all the same")
        self.assertEqual(self.ask(port, "/metrics")[0], 200)

    def test_many_clients_that_say_nothing_do_not_stop_the_command(self):
        self.install()
        relay, port = self.serving("relay", self.config)
        silent = []
        for _ in range(50):
            silent.append(socket.create_connection(("127.0.0.1", port), timeout=30))
            self.addCleanup(silent[-1].close)
        self.insert()
        self.wait_until_empty()
        relay.terminate()
        self.assertEqual(relay.wait(timeout=30), 0)

    def test_requests_that_never_end_hold_nobody_up(self):
        _, port = self.serving("fire", self.memory(), "m")
        self.wait_for(port, "/healthz", "ok\n")
        for _ in range(100):
            half = socket.create_connection(("127.0.0.1", port), timeout=30)
            self.addCleanup(half.close)
            half.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n")
            # More than are kept open: without an answer in less than the time that an idle one has, it is held up.
            self.assertEqual(self.ask(port, "/healthz", timeout=5)[0], 200)
        half.sendall(b"\r\n")
        self.assertTrue(half.recv(100).startswith(b"HTTP/1.1 200 "), "the latest is still served")

    def test_a_connection_serves_request_after_request(self):
        _, port = self.serving("fire", self.memory(), "m")
        self.wait_for(port, "/healthz", "ok\n")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.addCleanup(connection.close)
        for path in ("/healthz", "/metrics", "/" + "x" * 1_000, "/healthz?verbose=1"):
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            self.assertEqual(response.status, 404 if "xxx" in path else 200)

    def test_a_target_that_is_too_long_is_refused(self):
        _, port = self.serving("fire", self.memory(), "m")
        self.assertIn(self.ask(port, "/" + "x" * 100_000)[0], (413, 414, 431))
        self.wait_for(port, "/healthz", "ok\n")

    def test_it_ends_while_it_is_scraped(self):
        self.install()
        for _ in range(5):
            relay, port = self.serving("relay", self.config)
            ended = threading.Event()

            def scrape(port=port, ended=ended):
                while not ended.is_set():
                    try:
                        self.ask(port, "/metrics")
                    except (OSError, http.client.HTTPException):
                        pass  # it is ending

            scrapers = [threading.Thread(target=scrape) for _ in range(4)]
            for scraper in scrapers:
                scraper.start()
            self.wait_for(port, "/healthz", "ok\n")
            relay.terminate()
            self.assertEqual(relay.wait(timeout=30), 0)
            ended.set()
            for scraper in scrapers:
                scraper.join()

    def test_all_addresses_are_those_of_both_families(self):
        for address, hosts in ((":0", ("127.0.0.1", "::1")), ("[::1]:0", ("::1",)), ("localhost:0", ("localhost",))):
            if "::1" in hosts and not has_ipv6():
                continue
            command = subprocess.Popen([COMMAND, "fire", self.memory(), "m", "--metrics", address], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for release in (command.stdin.close, command.stdout.close, command.stderr.close, command.wait, command.kill):
                self.addCleanup(release)
            found = re.search(r":(\d+)/metrics", command.stderr.readline())
            self.assertTrue(found, address)
            for host in hosts:
                self.wait_for(int(found[1]), "/healthz", "ok\n", host=host)

    def test_a_probe_is_told(self):
        self.install()
        _, port = self.serving("relay", self.config)
        self.wait_for(port, "/healthz", "ok\n")
        self.assertEqual(self.ask(port, "/healthz")[0], 200)
        unreachable = self.file({"brokers": {"r": {"broker_type": "rabbitmq", "conn_details": {"host": "127.0.0.1", "port": 1},
                                                   "params": {"queue": "q"}}}}, "unreachable.json")
        _, port = self.serving("fire", unreachable, "r")
        body = self.wait_for(port, "/healthz", "to connect")
        self.assertTrue(body.startswith("down\nr: no connection: unavailable: "), body)
        self.assertIn("  to do: look whether the broker runs", body)
        self.assertEqual(self.ask(port, "/healthz")[0], 503)

    def test_fire_and_emit_serve_while_they_read_lines(self):
        for arguments, body in ((("fire", self.memory(), "m"), "x\n"),
                                (("emit", self.file({"brokers": {"m": {"broker_type": "memory"}},
                                                     "triggers": {"t": {"events": ["e"], "targets": ["m"]}}}, "t.json"), "e"),
                                 "{}\n")):
            command, port = self.serving(*arguments)
            command.stdin.write(body)
            command.stdin.flush()
            self.wait_for(port, "/metrics", 'action_triggers_fired_messages_total{destination="m",messaging_system="memory"} 1\n')

    def test_wrong_addresses(self):
        good = self.memory()
        for address in ("x", "70000", "-1", "host:", "::1", "1.2.3.4:x"):
            status, _, err = run("fire", good, "m", "--body", "x", "--metrics", address)
            self.assertEqual(status, 2, address)
            self.assertIn("is not PORT or HOST:PORT", err)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.assertEqual(run("fire", good, "m", "--body", "x", "--metrics", str(port)),
                             (1, "", f"action-triggers: --metrics {port}: Address already in use\n"))


class Capture(OutboxCase):
    """SQL triggers in a file of SQLite."""

    def written(self, brokers=("m",), **outbox):
        return self.file({"brokers": {name: {"broker_type": "memory"} for name in brokers},
                          "outbox": {"type": "sqlite", "path": self.database, **outbox},
                          "capture": {"orders": {"table": "orders"}, "items": {"table": "items", "old": "changed"}}})

    def setUp(self):
        super().setUp()
        self.install()
        self.sql("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT)")
        self.sql("CREATE TABLE items (id INTEGER PRIMARY KEY, n INT)")

    def test_what_is_printed_can_be_run(self):
        status, out, err = run("capture", "sql", self.config)
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(self.sql("SELECT name FROM sqlite_master WHERE type = 'trigger'"), [])
        connection = sqlite3.connect(self.database)
        connection.executescript(out)
        connection.close()
        self.assertEqual(run("capture", "check", self.config),
                         (0, "orders: as the configuration says\nitems: as the configuration says\n", ""))
        status, out, err = run("capture", "sql", self.config, "orders", "--uninstall")
        self.assertEqual((status, err), (0, ""))
        connection = sqlite3.connect(self.database)
        connection.executescript(out)
        connection.close()
        self.assertEqual(run("capture", "check", self.config),
                         (1, "orders: It is not installed: 'capture install FILE' makes it.\nitems: as the configuration says\n", ""))

    def test_install_and_uninstall(self):
        self.assertEqual(run("capture", "install", self.config), (0, "orders: installed\nitems: installed\n", ""))
        self.assertEqual(run("capture", "install", self.config), (0, "nothing to do\n", ""))
        self.sql("INSERT INTO orders VALUES (1, 'a')")
        self.assertEqual(self.rows(), ["event:orders.insert"])
        self.sql("ALTER TABLE orders ADD COLUMN more TEXT")
        status, out, _ = run("capture", "check", self.config, "--json")
        self.assertEqual(status, 1)
        self.assertIn("stale", json.loads(out)["captures"][0]["problems"][0])
        self.assertEqual(json.loads(run("capture", "install", self.config, "--json")[1]), {"ok": True, "changed": ["orders"]})
        self.assertEqual(run("capture", "uninstall", self.config, "items"), (0, "items: uninstalled\n", ""))
        self.assertEqual(run("capture", "uninstall", self.config), (0, "orders: uninstalled\n", ""))
        self.assertEqual(run("capture", "uninstall", self.config), (0, "nothing to do\n", ""))

    def test_an_event_goes_its_way(self):
        self.assertEqual(run("capture", "install", self.config)[0], 0)
        self.sql("INSERT INTO orders VALUES (1, 'a')")
        status, _, err = run("relay", self.config, "--once")
        self.assertEqual(status, 0, err)
        self.assertEqual(self.rows(), [])

    def test_a_name_that_there_is_not_is_2(self):
        status, out, err = run("capture", "check", self.config, "order")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("there is no capture 'order'. Did you mean 'orders'?", err)

    def test_a_table_that_there_is_not_is_1(self):
        self.sql("DROP TABLE items")
        status, out, err = run("capture", "install", self.config)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("capture.items: there is no table items.", err)
        self.assertEqual(self.sql("SELECT name FROM sqlite_master WHERE type = 'trigger'"), [])

    def test_a_file_without_captures_is_2(self):
        path = self.file({"brokers": {}, "outbox": {"type": "sqlite", "path": self.database}}, "without.json")
        status, _, err = run("capture", "check", path)
        self.assertEqual(status, 2)
        self.assertIn("there is no section 'capture'", err)


class ImportDat(Case):
    """Triggers that the package itself stored, see dat/make_dump.py."""
    dat = os.path.join(os.path.dirname(__file__), "dat")

    def setUp(self):
        super().setUp()
        os.environ["MAILS_PASSWORD"] = "s3cret"
        self.addCleanup(os.environ.pop, "MAILS_PASSWORD")

    def imported(self, dump="dump.json"):
        """(the configuration's path, what was said)"""
        path = os.path.join(self.folder, "imported.json")
        status, out, err = run("import-dat", os.path.join(self.dat, dump), "--settings", os.path.join(self.dat, "settings.json"),
                               "--out", path)
        self.assertEqual((status, out), (0, ""))
        return path, err

    @staticmethod
    def without_comments(path):
        with open(path, encoding="utf-8") as file:
            return json.loads("".join(line for line in file if not line.strip().startswith("//")))

    def test_the_result_loads_and_has_all_triggers(self):
        path, _ = self.imported()
        self.assertRegex(run("check", path)[1], r"\d connections, 7 triggers, no problems\n$")
        found = json.loads(run("explain", path, "--json")[1])["triggers"]
        self.assertEqual([(trigger["name"], trigger["active"]) for trigger in found],
                         [(f"config_{pk}", pk not in (5, 6)) for pk in range(1, 8)])
        self.assertEqual(found[0]["events"], ["shop.order.post_save", "shop.order.post_delete", "shop.customer.post_save",
                                              "shop.customer.post_delete"])
        natural, _ = self.imported("natural.json")
        self.assertEqual(self.without_comments(natural), self.without_comments(path))

    def test_what_has_no_equivalent_is_named_twice(self):
        path, err = self.imported()
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for word in ("config_7: the webhook POST https://example.org/hook is left out", "config_7: the action 'resize'",
                     "config_7: the target 'cache' is left out: there is no broker type 'redis'",
                     "config_7: the target 'gone' is left out: the settings have no such broker",
                     "config_7: params.topic of 'order_events' is left out: the settings' value wins",
                     "config_5: payload: '{{ instance.number|lower }}' has no equivalent", "config_5: is not active",
                     "config_8: is left out: no target of it is left", "password is a secret"):
            self.assertIn(word, text)
            self.assertIn(word, err)
        self.assertNotIn("plain-secret", text + err)

    def test_events_become_what_the_package_sent(self):
        path, _ = self.imported()
        memory = self.without_comments(path)  # the same on brokers that need no server
        for broker in memory["brokers"].values():
            broker.update(broker_type="memory", conn_details={}, params={})
        for trigger in memory["triggers"].values():
            for target in trigger["targets"]:
                if isinstance(target, dict):
                    target.pop("params", None)
        memory = self.file(memory, "memory.json")
        with open(os.path.join(self.dat, "sent.json"), encoding="utf-8") as file:
            said = [one for one in json.load(file) if one["config"] not in (5, 7)]  # a filter, and Python's True
        compared = 0
        for one in said:
            event = [one["event"], "--body", json.dumps(one["payload"]), "--json"]
            triggers = json.loads(run("explain", path, *event)[1])["triggers"]
            trigger = next(each for each in triggers if each["name"] == f"config_{one['config']}")
            ours = [(target["broker"], json.loads(target["message"]["body"])) for target in trigger["targets"]]
            self.assertEqual(ours, [(sent["broker"], json.loads(sent["body"])) for sent in one["sent"]], one)
            for target, sent in zip(trigger["targets"], one["sent"]):
                settings = {setting["key"]: setting["value"] for setting in target["settings"]}
                for key, value in sent["params"].items():
                    self.assertEqual(json.loads(settings[key]), value)
            status, out, _ = run("emit", memory, *event)
            emitted = [report["broker"] for report in json.loads(out)["reports"] if report["trigger"] == trigger["name"]]
            self.assertEqual((status, emitted), (0, [broker for broker, _ in ours]))
            compared += len(ours)
        self.assertEqual(compared, 8)

    def test_without_settings_types_are_guessed(self):
        path = os.path.join(self.folder, "guessed.json")
        status, _, err = run("import-dat", os.path.join(self.dat, "dump.json"), "--out", path)
        self.assertEqual(status, 0)
        self.assertIn("its type is guessed", err)
        os.environ["ORDER_EVENTS_BOOTSTRAP_SERVERS"] = "localhost:9092"
        self.addCleanup(os.environ.pop, "ORDER_EVENTS_BOOTSTRAP_SERVERS")
        types = {name: broker["broker_type"] for name, broker in self.without_comments(path)["brokers"].items()}
        self.assertEqual(types, {"order_events": "kafka", "mails": "rabbitmq", "gone": "rabbitmq", "mails_2": "rabbitmq"})

    def body_of(self, payload):
        """What a stored payload becomes, and what is said."""
        fields = {"payload": payload, "content_types": [["shop", "order"]]}
        dump = [{"model": "action_triggers.config", "pk": 1, "fields": fields},
                {"model": "action_triggers.configsignal", "pk": 1, "fields": {"config": 1, "signal": "post_save"}},
                {"model": "action_triggers.messagebrokerqueue", "pk": 1, "fields": {
                    "config": 1, "name": "q", "parameters": {"queue": "q"}}}]
        path = os.path.join(self.folder, "one.json")
        status, out, err = run("import-dat", "-", "--out", path, text=json.dumps(dump))
        self.assertEqual((status, out), (0, ""))
        self.assertEqual(run("check", path)[0], 0, payload)
        trigger = self.without_comments(path)["triggers"]["config_1"]
        return trigger["targets"][0].get("body"), trigger.get("active", True), err

    def test_payloads(self):
        for payload, body in (
                ({}, None), ("", None), (None, None), ([], None), (5, 5), ([1, "x"], [1, "x"]),
                ({"a": "{{instance.number}}"}, {"a": "{{ /number:- }}"}),
                ({"a": "{{ instance.pk }} {{ instance.id }}"}, {"a": "{{ /id:- }} {{ /id:- }}"}),
                ({"a": "{{ instance.customer.name }}"}, {"a": "{{ /customer/name:- }}"}),
                ({"a": "{{ instance.a|safe }}"}, {"a": "{{ /a:- }}"}),
                ({"a": "{{ instance.a|default:'7' }}"}, {"a": '{{ /a:-"7" }}'}),
                ({"a": "x{{ instance.a|default:7 }}"}, {"a": "x{{ /a:-7 }}"}),
                ({"a": "${HOME} {{ left {open"}, {"a": "$${HOME} {{{{ left {open"}),
                ("{'a': '{{ instance.a }}'}", {"a": "{{ /a:- }}"}),
                ('{"a": {{ instance.a }}}', '{"a": {{ /a:- }}}'),
                ('say "{{ instance.a }}"\n', '"say \\"{{ /a:- }}\\"\\n"')):
            self.assertEqual(self.body_of(payload)[:2], (body, True), payload)

    def test_payloads_without_an_equivalent_are_not_sent(self):
        for payload in ({"a": "{{ instance.a|upper }}"}, {"a": "{% if instance.a %}x{% endif %}"}, {"a": "{# note #}"},
                        {"a": "{{ request.user }}"}, {"{{ instance.a }}": 1}, {"a": "{{ instance.a|default:instance.b }}"},
                        "{% now 'Y' %}"):
            body, active, err = self.body_of(payload)
            self.assertEqual((body, active), (None, False), payload)
            self.assertRegex(err, "has no equivalent|is no template")

    def test_what_is_no_dump_is_refused(self):
        for text, said in (("{", "is no JSON"), ("{}", "is a list"), ("[]", "no 'action_triggers.config'"), ("[1]", "'model'")):
            status, out, err = run("import-dat", "-", text=text)
            self.assertEqual((status, out), (1, ""))
            self.assertIn(said, err)
        dump = os.path.join(self.dat, "dump.json")
        self.assertEqual(run("import-dat", dump, "--settings", self.file({}))[0], 1)
        for out, why in (("/no/such/folder/x", "No such file or directory"), (self.folder, "Is a directory"),
                         ("/dev/full", "No space left on device")):
            status, _, err = run("import-dat", dump, "--out", out)
            self.assertEqual((status, err.splitlines()[-1]), (1, f"{out}: cannot be written: {why}"))


class Manual(Case):
    """src/cli/action-triggers.1 says what the command says. After a change: ACTION_TRIGGERS_UPDATE_DOCS=1 cli_test.py"""
    page = os.path.join(os.path.dirname(__file__), "../../src/cli/action-triggers.1")

    def test_the_installed_page_is_the_commands_own(self):
        status, out, err = run("man")
        self.assertEqual((status, err), (0, ""))
        if "ACTION_TRIGGERS_UPDATE_DOCS" in os.environ:
            with open(self.page, "w", encoding="utf-8") as file:
                file.write(out)
        with open(self.page, encoding="utf-8") as file:
            self.assertEqual(file.read(), out)

    def test_it_has_every_action(self):
        page = run("man")[1]
        for command, actions in (("outbox", ("schema", "install", "status", "verify")),
                                 ("dead", ("list", "show", "count", "replay", "drop", "export")),
                                 ("capture", ("sql", "install", "uninstall", "check"))):
            section = page.split(f".SS {command}\n")[1].split(".SS ")[0]
            for action in actions:
                self.assertIn(f"{action}: ", section)

    def test_it_has_every_option(self):
        page = run("man")[1].replace("\\", "")
        for command in ("check", "ping", "fire", "emit", "explain", "outbox", "relay", "dead", "capture", "import-dat", "schema",
                        "man"):
            self.assertIn(f".SS {command}\n", page)
            section = page.split(f".SS {command}\n")[1].split(".SS ")[0]
            for option in re.findall("--[a-z-]+", run(command, "--help")[1]):
                if option != "--help":
                    self.assertIn(option, section, command)

    @unittest.skipUnless(shutil.which("groff"), "needs groff")
    def test_roff_understands_it(self):
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", self.page], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("--allow-unknown-resolvers", re.sub(".\b", "", done.stdout))  # bold is overstruck


class Completion(Case):
    """What a person gets who presses the tabulator."""
    folder_of_scripts = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/cli")
    environment = {**os.environ, "PS1": "ready> ", "TERM": "dumb", "INPUTRC": "/dev/null", "LC_ALL": "C"}
    lines = (("action-triggers ch", "action-triggers check "),
             ("action-triggers ping --se", "action-triggers ping --send "),
             ("action-triggers check --allow", "action-triggers check --allow-unknown-resolvers "),
             ("action-triggers --ver", "action-triggers --version "),
             ("action-triggers check two", "action-triggers check two.json "),
             ("action-triggers fire two.json or", "action-triggers fire two.json orders "),
             ("action-triggers fire --key k two.json or", "action-triggers fire --key k two.json orders "),
             ("action-triggers emit three.json ord", "action-triggers emit three.json order.imported "),
             ("action-triggers explain three.json ord", "action-triggers explain three.json order.imported "),
             ("action-triggers imp", "action-triggers import-dat "),
             ("action-triggers sc", "action-triggers schema "),
             ("action-triggers outbox sch", "action-triggers outbox schema "),
             ("action-triggers capture uni", "action-triggers capture uninstall "),
             ("action-triggers capture sql four.json tab", "action-triggers capture sql four.json table_a "),
             ("action-triggers fire four.json m", "action-triggers fire four.json my:orders "),
             ("action-triggers dead re", "action-triggers dead replay "),
             ("action-triggers ping two.json --only m", "action-triggers ping two.json --only mails "),
             ("action-triggers dead list two.json --destination m", "action-triggers dead list two.json --destination mails "),
             ("action-triggers rel", "action-triggers relay "),
             ("action-triggers relay --on", "action-triggers relay --once "))

    def setUp(self):
        super().setUp()
        self.environment["PATH"] = os.path.dirname(os.path.abspath(COMMAND)) + ":" + os.environ["PATH"]
        self.memory()
        self.file({"brokers": {"orders": {"broker_type": "memory"}, "mails": {"broker_type": "pigeon"}}}, "two.json")
        self.file(Triggers.text, "three.json")
        self.file({"brokers": {"my:orders": {"broker_type": "memory"}}, "outbox": {"type": "sqlite", "path": "shop.db"},
                   "capture": {"table_a": {"table": "a"}}}, "four.json")

    def start(self, *shell):
        self.child, self.terminal = pty.fork()
        if self.child == 0:
            os.chdir(self.folder)
            os.execvpe(shell[0], shell, self.environment)
        self.addCleanup(os.waitpid, self.child, 0)
        self.addCleanup(os.close, self.terminal)  # which ends the shell
        self.read_until("ready> ")

    def type(self, text):
        os.write(self.terminal, text.encode())

    def read_until(self, text):
        seen = ""
        while text not in seen:
            readable, _, _ = select.select([self.terminal], [], [], 30)
            self.assertTrue(readable, f"'{text}' does not come: {seen!r}")
            seen += os.read(self.terminal, 4096).decode()
        return seen

    def test_bash(self):
        self.start("bash", "--norc", "--noprofile", "-i")
        self.type(f"source '{self.folder_of_scripts}/completion.bash'\n")
        self.read_until("ready> ")
        for typed, expected in self.lines:
            self.type(typed + "\t")
            self.read_until(expected)
            self.type("\x15")  # the line is given up
            self.type("echo done\n")
            self.read_until("done\r\nready> ")
        self.type("action-triggers nonsense --\t\t")
        self.type("\x15echo done\n")
        self.read_until("done\r\nready> ")

    @unittest.skipUnless(shutil.which("zsh"), "needs zsh")
    def test_zsh(self):
        os.symlink(os.path.join(self.folder_of_scripts, "completion.zsh"), os.path.join(self.folder, "_action-triggers"))
        self.start("zsh", "-f", "-i")
        # A key that says what stands in the line: what is printed while it is edited depends on the terminal.
        self.type("fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; show() { print -r -- \"[$BUFFER]\" }; "
                  "zle -N show; bindkey '^X' show\n")
        self.read_until("ready> ")
        for typed, expected in self.lines:
            self.type(typed + "\t\x18")
            self.read_until(f"[{expected}]")
            self.type("\x15")

    @unittest.skipUnless(shutil.which("fish"), "needs fish")
    def test_fish(self):
        asked = "; ".join(f"complete -C '{typed}'; echo end" for typed, _ in self.lines)
        done = subprocess.run(["fish", "--no-config", "-c", f"source {self.folder_of_scripts}/completion.fish; {asked}"],
                              cwd=self.folder, env={**self.environment, "HOME": self.folder}, capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.stderr, "")
        offers = [block.strip("\n") for block in done.stdout.split("end\n")]
        for (typed, expected), offer in zip(self.lines, offers):
            self.assertEqual(offer.split("\t")[0], expected.split(" ")[-2], typed)
            self.assertNotIn("\n", offer, typed)

    def test_a_meaning_is_said_beside_a_word(self):
        status, out, err = run("__complete", "outbox", "")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out.splitlines()[0], "schema\tprints the SQL that makes them")
        self.assertNotIn("__complete", run("__complete", "")[1] + run("--help")[1])


class Live(Case):
    def setUp(self):
        super().setUp()
        if not LIVE:
            self.skipTest("needs servers: runs in the test cli.live")
        import pika  # Debian's python3-pika
        self.pika = pika
        self.connection = pika.BlockingConnection(
            pika.ConnectionParameters(os.environ["AT_RABBITMQ_HOST"], int(os.environ["AT_RABBITMQ_PORT"])))
        self.channel = self.connection.channel()
        self.addCleanup(self.connection.close)
        self.name = f"cli-{self.id().rsplit('.', 1)[1]}-{time.time_ns()}"

    def rabbitmq(self, name="r", **params):
        return {name: {"broker_type": "rabbitmq", "params": params,
                       "conn_details": {"host": os.environ["AT_RABBITMQ_HOST"], "port": os.environ["AT_RABBITMQ_PORT"]}}}

    def kafka(self, topic, name="k"):
        return {name: {"broker_type": "kafka", "params": {"topic": topic},
                       "conn_details": {"bootstrap_servers": os.environ["AT_KAFKA_BOOTSTRAP"]}}}

    def new_topic(self):
        subprocess.run([os.environ["AT_KAFKA_TOPICS"], "--create", "--topic", self.name, "--partitions", "1"],
                       check=True, capture_output=True)

    def count(self, queue):
        return self.channel.queue_declare(queue, passive=True).method.message_count

    def test_ping_of_a_queue(self):
        path = self.file({"brokers": self.rabbitmq(queue=self.name)})
        status, out, _ = run("ping", path)
        self.assertEqual(status, 1)
        self.assertRegex(out, r"^FAIL  r \(rabbitmq\): (not_found|unroutable): .*" + self.name)
        self.channel.queue_declare(self.name, durable=True)
        status, out, _ = run("ping", path)
        self.assertEqual(status, 0, out)
        self.assertIn(self.name, out)
        self.assertEqual(self.count(self.name), 0)
        status, out, _ = run("ping", path, "--send")
        self.assertEqual(status, 0, out)
        self.assertEqual(self.count(self.name), 1)  # it is confirmed, and nobody's message was taken to prove it

    def test_ping_of_an_exchange_reads_back_through_a_queue_of_its_own(self):
        path = self.file({"brokers": self.rabbitmq(exchange=self.name, routing_key="some.key")})
        status, out, _ = run("ping", path)
        self.assertEqual(status, 1)
        self.assertIn("not_found", out)
        self.channel.exchange_declare(self.name, "topic", durable=True)
        status, out, _ = run("ping", path, "--send")
        self.assertEqual(status, 0, out)
        self.assertIn("read back", out)

    def test_ping_of_a_topic_reads_back_by_offset(self):
        self.new_topic()
        path = self.file({"brokers": {**self.kafka(self.name), **self.kafka(self.name + "-missing", "missing")}})
        status, out, _ = run("ping", path, "--send")
        self.assertEqual(status, 1)
        self.assertRegex(out, r"(?m)^ok    k \(kafka\): .*offset 0, and read back")
        self.assertRegex(out, r"(?m)^FAIL  missing \(kafka\): not_found: ")

    def test_fire_at_kafka_and_rabbitmq(self):
        self.new_topic()
        self.channel.queue_declare(self.name, durable=True)
        path = self.file({"brokers": {**self.kafka(self.name), **self.rabbitmq(queue=self.name)}})
        status, out, _ = run("fire", path, "k", "--body", "hello", "--key", "k1", "--header", "tenant=a")
        self.assertEqual(status, 0, out)
        self.assertRegex(out, r"^ok  k  id=\S+  partition=0  offset=0  attempts=1 ")
        read = subprocess.run(["kcat", "-C", "-q", "-e", "-b", os.environ["AT_KAFKA_BOOTSTRAP"], "-t", self.name, "-f",
                               "%k|%s|%h"], check=True, capture_output=True, text=True)
        self.assertRegex(read.stdout, r"^k1\|hello\|tenant=a,message-id=[0-9a-f-]{36}$")
        lines = "".join(f"line {i}\n" for i in range(20_000))
        self.assertEqual(run("fire", path, "r", text=lines), (0, "20000 fired, 20000 confirmed\n", ""))
        self.assertEqual(self.count(self.name), 20_000)
        self.assertEqual(self.channel.basic_get(self.name, auto_ack=True)[2], b"line 0")

    def test_a_wrong_password(self):
        wrong = self.rabbitmq(queue="q")
        wrong["r"]["conn_details"]["password"] = "wr0ng"
        status, out, err = run("ping", self.file({"brokers": wrong}))
        self.assertEqual(status, 1)
        self.assertIn("unauthenticated", out)
        self.assertNotIn("wr0ng", out + err)


if __name__ == "__main__":
    COMMAND = sys.argv.pop(1)
    if "--live" in sys.argv:
        sys.argv.remove("--live")
        LIVE = True
    unittest.main(verbosity=2)
