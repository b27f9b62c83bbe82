#!/bin/bash
# SPDX-License-Identifier: MIT
# Usage: test.sh PROGRAM
set -euo pipefail
said=$("$1" "$(dirname "${BASH_SOURCE[0]}")/brokers.json")
[ "$said" = "order 1 is placed
order 1: event ok, mail ok
order 2 is placed
order 2: not_found: no destination is named 'order_mials' in the configuration. Did you mean 'order_mails'?
order 2: event ok, mail ok" ] || { echo "it said: $said"; exit 1; }
