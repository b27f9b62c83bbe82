#!/bin/bash
# SPDX-License-Identifier: MIT
# java_client.sh FILE.java ARGUMENT...: compiles and runs a program of one file with the jars of scripts/setup
# java-clients, which it fetches first if they are not there, and with Kafka's if those are. Of what the program prints,
# standard output is its own alone.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
"$root/scripts/setup" java-clients >&2
libs=$("$root/scripts/setup" --where java-clients)/libs
jars=("$libs"/*.jar "$("$root/scripts/setup" --where kafka)"/libs/*.jar)
class_path=$(IFS=:; echo "${jars[*]}")
java=java
if [ -n "${JAVA_HOME:-}" ]; then java=$JAVA_HOME/bin/java; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$java" -jar "$libs"/ecj-*.jar -17 -cp "$class_path" -d "$work" "$1" >&2
"$java" -XX:+UseSerialGC -Dlog4j2.level=ERROR -cp "$work:$class_path" "$(basename "$1" .java)" "${@:2}"
