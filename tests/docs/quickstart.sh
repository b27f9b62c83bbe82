#!/bin/bash
# SPDX-License-Identifier: MIT
# The README's program with the README's configuration, on real servers, by the commands of the quickstart's README; the
# servers are the tests' own. Usage: quickstart.sh PROGRAM SOURCE_DIR
set -euo pipefail
block() { /usr/bin/python3 "$source_dir/tests/docs/block.py" "$source_dir/examples/quickstart/README.md" "$1"; }
source_dir=$2
cd "$source_dir"
commands=$(block 'scripts/servers env')
commands=${commands/scripts\/servers start/:}
eval "${commands/--create/--create --if-not-exists}" >/dev/null
cd examples/quickstart
said=$("$1")
[ "$said" = $'order_events: ok\norder_mails: ok' ] || { echo "it said: $said"; exit 1; }
arrived=$(eval "$(block amqp-get)")
grep -qx 'order-42 {"id": 42, "total": 99.90}' <<<"$arrived"
grep -qx 'order-42 {"id": 42}' <<<"$arrived"
[ "${arrived##*$'\n'}" = '{"text":"Thanks for order 42!"}' ] || { echo "it arrived: $arrived"; exit 1; }
