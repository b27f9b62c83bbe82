# SPDX-License-Identifier: MIT
"""What `action-triggers schema` prints, with two validators, against the loader.
Usage: schema_test.py SOURCE_DIR COMMAND PROBLEM_TESTS [unittest's options]

Every configuration of the examples and of the documentation passes; every one that the tables of problems hold to
be wrong fails, or stands in a table below with the reason why a schema cannot say so."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import jsonschema  # Debian's python3-jsonschema

SOURCE = COMMAND = PROBLEM_TESTS = None

# Tests of ConfigProblemsTest and TriggersProblemsTest whose configuration is wrong and passes.
EXCEPTIONS = {
    "The text, before it is JSON: keys that stand twice, its size, where it ends.": """
        DuplicateKey DuplicateBroker TooLarge AfterANulCharacter""",
    "Two keys or places together; the tables say what each key is by itself.": """
        NameTwiceAcrossMaps SettingsInTwoPlaces MaximumTimeoutInBothSpellings BlockWithoutBudget BudgetWithoutBlock
        BackoffsCrossed TwoUserNames HostAndHosts UrlAndPort UrlAndHeartbeat UrlAndTimeout CertificateWithoutKey
        KeyWithoutCertificate QueueAndExchange RoutingKeyWithQueue IdempotenceWithoutAcks TwoSpellings CredentialsInPlain
        ExternalWithoutTls ExternalWithoutACertificate ExternalWithAPassword""",
    "A trigger's target may supply what params lack.": "NoQueue QueueIsNull ExchangeWithoutKey",
    "A text that is taken to pieces: hosts, URLs, topics, numbers in strings, lengths in bytes, templates.": """
        PortTooLarge PortIsHuge LongUserName HostsHasABadPort BadServers TopicWithASpace WeakCiphers HostIsAUrl
        HostWithAPort HostWithBlanks HostInBrackets HostWithAVirtualHost HostWithCredentials TwoHostsInOneString
        HostsWithCredentials HostsWithANulCharacter LongBindingKey AnUnknownPlaceholder UrlIsHttp UrlIsBadlyEncoded
        UrlWithASlashInThePassword UrlWhosePasswordLooksLikeAPort UrlWithAnAtInThePassword UrlWithAnAtInTheVirtualHost
        UrlWithAHashInThePassword UrlWithAQuestionMarkInThePassword UrlWithAPercentSignInThePassword UrlWithABadVirtualHost
        UrlWithoutAHost UrlWithABadPort UrlWithoutAScheme UrlWithAnUnknownParameter UrlWithAnEmptyParameter
        UrlWithoutVerification UrlWithAHeartbeatInWords UrlWithATimeoutOfZero UrlWithAFileWithoutTls
        UrlWithAnotherServerName UrlWithAParameterTwice UrlWithAParameterWithoutAValue UrlWithABadlyEncodedParameter
        UrlWithHalfACertificate UrlWithAnUnknownMechanism UrlWithAUserAndExternal UrlWithAMissingFile""",
    "What the machine has: variables and files.": """
        MissingVariable AuthorityFileIsMissing AuthorityFileIsAFolder AuthorityFileIsADevice
        AuthorityFileHoldsSomethingElse""",
    "Whether it is a queue or an exchange that is declared, and of which type, is said elsewhere.": """
        TwoTypesOfAQueue StreamThatIsNotDurable QueueOfAnExchangesType QuorumQueueThatDeletesItself
        QuorumQueueByArgumentThatIsNotDurable ExchangeOfAQueuesType ExchangeInCapitals
        ExclusiveQueue InternalExchange ExclusiveBoundQueue""",
    "Arguments are the server's: any of them, and how large they are together.": """
        ArgumentsLargerThanAFrame TtlIsAString TtlIsAFraction LengthIsAString OverflowIsANumber SingleConsumerIsAString
        ArgumentHoldsNull ArgumentHoldsWhatHasNoName AlternateExchangeIsANumber""",
    "A target's broker, and so what its params may be, stands elsewhere.": """
        UnknownBroker UnknownBrokerOfAnObject ABrokerThatLacksSomething ParamsThatDoNotSupplyIt Overwritten
        AParamOfTheWrongType AnUnknownParam""",
    "Conditions have a reader of their own, and no table.": "AnUnknownOperator",
}


def parsed(text):
    """JSON with the comments that configurations may have."""
    token = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/|#[^\n]*', re.DOTALL)
    return json.loads(token.sub(lambda found: found[0] if found[0].startswith('"') else " ", text))


def has_infinity(value):
    """As Python reads 1e400. JSON cannot write it again."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return True
    return False


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def examples():
    """(where, configuration), as all of these give it. The schema knows the types that are built in; redis_streams is a
    type of its own."""
    for file in (SOURCE / "examples").rglob("*.json"):
        if file.name != "dashboard.json" and file.parent.name != "redis_streams":
            yield file, parsed(file.read_text(encoding="utf-8"))


def documented():
    sys.path.insert(0, str(SOURCE / "tests/docs"))
    import check_docs
    for page in [SOURCE / "README.md", *(SOURCE / "docs").rglob("*.md")]:
        for line, kind, note, content in check_docs.blocks(page.read_text(encoding="utf-8")):
            if kind == "json" and not (note or "").startswith("wrong"):
                yield f"{page}:{line}", parsed(content)


def imported():
    for dump in ("dump.json", "natural.json"):
        folder = SOURCE / "tests/cli/dat"
        done = subprocess.run([COMMAND, "import-dat", folder / dump, "--settings", folder / "settings.json"],
                              capture_output=True, text=True, timeout=60)
        made = parsed(done.stdout)
        made["brokers"] = {name: each for name, each in made["brokers"].items() if each["broker_type"] != "redis"}
        yield dump, made


def spelt():
    """Spellings and substitutions."""
    for written in (
            {"ACTION_BROKERS": {"b": {"broker_type": "Memory"}}},
            {"ACTION_TRIGGERS": {"brokers": None, "settings": {"MAX_BROKER_TIMEOUT": "20"}}},
            {"$schema": "x", "brokers": {"b": {"broker_type": "RABBITMQ", "conn_details": {
                "port": "${PORT}", "login": "u", "virtualhost": "v", "ssl": "${TLS}", "timeout": "1.5", "heartbeat": "5",
                "ssl_options": {"cafile": "${file:/x}"}, "host": None, "auth_mechanism": "plain"},
                "params": {"queue": "{{ queue }}", "persistent": "${P}", "overflow": "${O:-block}",
                           "retry": {"on": "${ON}", "max_attempts": "3"}}}}},
            {"brokers": {"b": {"broker_type": "kafka", "conn_details": {
                "bootstrap.servers": "a:1,b:2", "acks": -1, "socket.keepalive.enable": True, "linger.ms": "5"},
                "params": {"topic": "t", "message_id_header": None}}}}):
        yield written, written


def wrong():
    """Those of the tables of problems that are JSON."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder, "report.json")
        subprocess.run([PROBLEM_TESTS, "--gtest_filter=*/ConfigProblemsTest.*:*/TriggersProblemsTest.*",
                        f"--gtest_output=json:{report}"], check=True, stdout=subprocess.DEVNULL, timeout=60)
        suites = json.loads(report.read_bytes().decode("utf-8", "replace"))["testsuites"]
    for suite in suites:
        for test in suite["testsuite"]:
            try:
                yield test["name"].split("/")[-1], parsed(test["configuration"])
            except (ValueError, RecursionError):
                continue


class Schema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.schema = json.loads(output_of(COMMAND, "schema"))
        cls.validator = jsonschema.Draft7Validator(cls.schema)

    def check(self, configurations, least):
        checked = 0
        for where, configuration in configurations:
            problems = [f"{'/'.join(map(str, each.absolute_path))}: {each.message}"
                        for each in self.validator.iter_errors(configuration)]
            self.assertEqual(problems, [], where)
            checked += 1
        self.assertGreaterEqual(checked, least)

    def test_it_is_a_schema(self):
        jsonschema.Draft7Validator.check_schema(self.schema)

    def test_examples_pass(self):
        self.check(examples(), 6)

    def test_the_documentations_configurations_pass(self):
        self.check(documented(), 10)

    def test_what_import_dat_makes_passes(self):
        self.check(imported(), 2)

    def test_spellings_and_substitutions_pass(self):
        self.check(spelt(), 4)

    def test_wrong_configurations_fail(self):
        configurations = list(wrong())
        self.assertGreater(len(configurations), 200)
        passing = {name: configuration for name, configuration in configurations if self.validator.is_valid(configuration)}
        excused = {name for names in EXCEPTIONS.values() for name in names.split()}
        self.assertEqual({name: str(each)[:200] for name, each in passing.items() if name not in excused}, {})
        self.assertEqual(excused - set(passing), set(), "these are refused by now, or no tests")

    def test_editors_say_the_same(self):
        """ajv is the validator of editors in JavaScript; it has a parser of expressions of its own, for one."""
        named = [each for source in (examples, documented, imported, spelt, wrong) for each in source()
                 if not has_infinity(each[1])]
        with tempfile.TemporaryDirectory() as folder:
            for name, value in (("schema", self.schema), ("configurations", [each for _, each in named])):
                pathlib.Path(folder, name).write_text(json.dumps(value), encoding="utf-8")
            done = subprocess.run(["node", SOURCE / "tests/cli/ajv.js", "schema", "configurations"], cwd=folder, timeout=60,
                                  env={"NODE_PATH": "/usr/share/nodejs", **os.environ}, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual([where for (where, each), passes in zip(named, json.loads(done.stdout), strict=True)
                          if passes != self.validator.is_valid(each)], [])

    def test_defaults_and_examples_are_accepted(self):
        def each(schema):
            if isinstance(schema, dict):
                if isinstance(schema.get("type"), (str, list)) or "anyOf" in schema:
                    yield schema
                for value in schema.values():
                    yield from each(value)
            elif isinstance(schema, list):
                for value in schema:
                    yield from each(value)

        checked = 0
        for schema in each(self.schema):
            for value in [*schema.get("examples", []), *([schema["default"]] if "default" in schema else [])]:
                self.assertTrue(jsonschema.Draft7Validator(schema).is_valid(value), (schema, value))
                checked += 1
        self.assertGreater(checked, 40)


if __name__ == "__main__":
    SOURCE = pathlib.Path(sys.argv.pop(1)).resolve()
    COMMAND, PROBLEM_TESTS = (pathlib.Path(sys.argv.pop(1)).resolve() for _ in range(2))
    unittest.main(verbosity=2)
