#!/bin/bash
# SPDX-License-Identifier: MIT
# event_ruler.sh [FILE.java ARGUMENT...]: runs EventRulerPeer.java, or another program of one file, which says what
# it reads and writes. Fetches event-ruler and a Java compiler first, if they are not there: scripts/setup event-ruler.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
program=${1:-$here/EventRulerPeer.java}
"$root/scripts/setup" event-ruler >&2
libs=$(realpath -m -- "${ACTION_TRIGGERS_CACHE:-$root/build/servers}")/event-ruler-$(sed -n 's/^event_ruler_version=//p' "$root/scripts/setup")/libs
java=java
if [ -n "${JAVA_HOME:-}" ]; then java=$JAVA_HOME/bin/java; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
jars=("$libs"/*.jar)
"$java" -jar "$libs"/ecj-*.jar -17 -cp "$(IFS=:; echo "${jars[*]}")" -d "$work" "$program" >&2
"$java" -XX:+UseSerialGC -cp "$work:$libs/*" "$(basename "$program" .java)" "${@:2}"
