#!/bin/bash
# SPDX-License-Identifier: MIT
# The example says what was committed, and nothing else. Usage: test.sh PROGRAM ACTION_TRIGGERS
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/shop.json" "$work"
cd "$work"
touch shop.db
"$2" outbox install shop.json
said=$("$1")
[ "$said" = 'rolled back: nobody pays 20000
sent: {"id": 1}
sent: {"id": 3}' ] || { echo "it said: $said"; exit 1; }
