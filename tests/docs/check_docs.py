# SPDX-License-Identifier: MIT
"""Checks that README.md, docs/ and the READMEs of examples/ are true. Usage: check_docs.py SOURCE_DIR COMMAND (the action-triggers binary)

Every fenced block has a kind, and every kind is checked:
  cpp, cmake   stand word for word in the file named above them (<!-- from PATH -->), which the build compiles and runs
  json         a configuration without problems; <!-- file NAME --> above it puts it where console blocks find it.
               <!-- data NAME --> does so with JSON that is none; <!-- from PATH --> as with cpp
  console      `$ command` lines run, and what they print must be what stands below them; … matches anything
  sh           only commands that CI runs: see RUN_BY_CI
Links to files must lead somewhere, and a test that is named, such as `SuiteTest.Name`, must exist."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# The test of this build that runs the command, or how else it is run.
RUN_BY_CI = {
    "make demo": "test demo",
    "make demo DB=postgresql": "test demo.postgresql",
    "make demo EMBEDDED=1": "test demo.embedded",
    "make test": ".ci/run",
    "make bench": "a small run of each of its programs in scripts/test, by hand for the table",
    "make bench WRITE=1": "as make bench",
    "scripts/servers start": "the tests' fixture; scripts/first-hour, as it stands here",
    'eval "$(scripts/servers env)"': "tests/docs/quickstart.sh, as it stands here",
    "export KAFKA=$AT_KAFKA_BOOTSTRAP RABBITMQ_PORT=$AT_RABBITMQ_PORT": "tests/docs/quickstart.sh, as it stands here",
    '"$AT_KAFKA_TOPICS" --create --topic orders': "tests/docs/quickstart.sh, as it stands here",
    "kcat -C -q -e -b \"$KAFKA\" -t orders -f '%k %s\\n'": "tests/docs/quickstart.sh, as it stands here",
    'amqp-get --port "$RABBITMQ_PORT" --queue order_mails': "tests/docs/quickstart.sh, as it stands here",
    "scripts/servers stop": "the tests' fixture",
    "sudo apt-get install --no-install-recommends prometheus": "a package of scripts/setup",
    "action-triggers relay --metrics 9464 shop.json": "test monitoring, on a free port; scripts/first-hour, as it stands here",
    "prometheus --config.file=examples/monitoring/prometheus.yml --storage.tsdb.path=build/prometheus "
    "--web.listen-address=127.0.0.1:9091": "as the command before",
    "promtool query instant http://127.0.0.1:9091 action_triggers_health": "as the command before",
    "cmake -B build -G Ninja -DCMAKE_BUILD_TYPE=Release": "as tests/consumers/common.sh",
    "cmake --build build": "as tests/consumers/common.sh",
    "sudo cmake --install build": "as tests/consumers/common.sh",
    "c++ app.cpp -o app $(pkg-config --cflags --libs action_triggers)": "tests/consumers/pkg_config.sh, as it stands here",
    "c++ -std=c++20 app.cpp -o app -laction_triggers -pthread": "tests/consumers/pkg_config.sh, as it stands here",
    "cmake --preset debian": "tests/consumers/debian.sh, as it stands here",
    "cmake --build --preset debian": "tests/consumers/debian.sh, as it stands here",
    "cpack --preset debian": "tests/consumers/debian.sh, as it stands here",
    "sudo apt-get install ./build/debian/packages/*.deb": "tests/consumers/debian/check.sh",
    'conan create packaging/conan --build=missing -s compiler.cppstd=20 -o "&:with_sqlite=True"':
        "tests/consumers/conan.sh, as it stands here",
    "sudo apt-get install g++ cmake ninja-build pkg-config librdkafka-dev librabbitmq-dev libssl-dev libsqlite3-dev libpq-dev "
    "nlohmann-json3-dev libcli11-dev libmicrohttpd-dev libgtest-dev libgmock-dev": "packages of scripts/setup",
    "make lint": "by hand before a commit",
    "scripts/reliability --under tsan": "with a filter: scripts/test",
    "make reliability": "its tests run in CI, by hand before a release for the table",
    "make chaos MINUTES=60": "two minutes of it run in CI, by hand before a release",
    "make soak": "2,000 of its schedules run in CI, by hand before a release",
}
KINDS = {"cpp", "cmake", "json", "copy", "data", "console", "sh"}


def blocks(text):
    """(line number, kind, file named above or None, content); the kind of JSON that is no configuration is data,
    or copy"""
    note, said, kind, start, lines = None, None, None, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        if kind is None:
            found = re.match(r"```(\w*)\s*$", line)
            if found:
                kind, start, lines = found[1], number, []
            elif line.strip():
                named = re.match(r"<!-- (from|file|data) (\S+) -->", line)
                note = named[2] if named else None
                said = named[1] if named else None
        elif line.startswith("```"):
            if kind == "json":
                kind = {"data": "data", "from": "copy"}.get(said, "json")
            yield start, kind, note, "\n".join(lines)
            kind, note = None, None
        else:
            lines.append(line)


def squeezed(text):
    """Lines with single spaces and without indentation; empty ones do not count."""
    return "\n".join(" ".join(line.split()) for line in text.splitlines() if line.strip())


def matches(said, expected):
    pattern = ".*".join(re.escape(part) for part in expected.split("…"))
    return re.fullmatch(pattern, said, re.DOTALL) is not None


def wrong_commands(content, folder, environment):
    """Runs the commands of a console block; what they say instead of what stands there."""
    for part in re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]:
        to_run, _, expected = part.partition("\n")
        done = subprocess.run(["bash", "-c", to_run], capture_output=True, text=True, cwd=folder, env=environment)
        said = (done.stdout + done.stderr).strip()
        if not matches(said, expected.strip()):
            yield f"$ {to_run}\nsays:\n{said}\ninstead of:\n{expected.strip()}"


def main(source, command):
    wrong = []
    checked = 0
    tests = "".join(file.read_text(encoding="utf-8") for folder in ("tests", "include")
                    for file in (source / folder).rglob("*.[ch]pp"))
    for page in [source / "README.md", *sorted((source / "docs").rglob("*.md")),
                 *sorted((source / "examples").rglob("*.md"))]:
        name = page.relative_to(source)
        text = page.read_text(encoding="utf-8")
        folder = tempfile.TemporaryDirectory()
        environment = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}", "RABBITMQ_PASSWORD": "s3cret"}
        for line, kind, note, content in blocks(text):
            where = f"{name}:{line}"
            checked += 1
            if kind not in KINDS:
                wrong.append(f"{where}: a block of kind '{kind}': nobody would check it")
            elif kind in ("cpp", "cmake", "copy"):
                if note is None:
                    wrong.append(f"{where}: say above the block which file it is from")
                elif squeezed(content) not in squeezed((source / note).read_text(encoding="utf-8")):
                    wrong.append(f"{where}: this does not stand in {note}")
            elif kind == "json":
                path = pathlib.Path(folder.name, note or "unnamed.json")
                path.write_text(content, encoding="utf-8")
                done = subprocess.run([command, "check", path], capture_output=True, text=True, env=environment)
                if done.returncode != 0 and not path.name.startswith("wrong"):
                    wrong.append(f"{where}: {done.stdout}{done.stderr}")
            elif kind == "data":
                json.loads(content)
                pathlib.Path(folder.name, note).write_text(content, encoding="utf-8")
            elif kind == "console":
                wrong += [f"{where}: {each}" for each in wrong_commands(content, folder.name, environment)]
            else:
                wrong += [f"{where}: no test runs '{to_run}'" for to_run in content.splitlines() if to_run not in RUN_BY_CI]
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
        for suite, test in re.findall(r"`([A-Z]\w*(?:Test|Contract|Server))\.([A-Z]\w+)`", prose):
            if f"({suite}, {test})" not in tests:
                wrong.append(f"{name}: there is no test {suite}.{test}")
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)|\bsrc=\"([^\"]+)\"", prose):
            target = target[0] or target[1]
            if "://" not in target and not (page.parent / target).exists():
                wrong.append(f"{name}: the link to {target} leads nowhere")
        folder.cleanup()
    for each in wrong:
        print(each)
    print(f"{checked} blocks checked, {len(wrong)} wrong")
    return 1 if wrong or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))
