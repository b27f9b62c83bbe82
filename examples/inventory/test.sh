#!/bin/bash
# SPDX-License-Identifier: MIT
# What is committed arrives, and nothing else. Usage, by scripts/servers with postgresql rabbitmq kafka:
# test.sh PROGRAM ACTION_TRIGGERS
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export INVENTORY_DATABASE=$AT_POSTGRESQL_CONNINFO
run() { psql -q -v ON_ERROR_STOP=1 "$INVENTORY_DATABASE" "$@"; }
expect() { # what, what it is, what it should be
  if [ "$2" != "$3" ]; then
    printf '%s:\n%s\nbut should be:\n%s\n' "$1" "$2" "$3" >&2
    exit 1
  fi
}

run -f schema.sql
"$2" outbox install inventory.json
"$2" capture install inventory.json
"$AT_KAFKA_TOPICS" --create --topic stock --partitions 1 >/dev/null

"$1" receive apple 12 pear 3
"$1" order apple 4
if "$1" order apple 1 pear 9; then expect "an order of more pears than there are" taken refused; fi
if "$1" order apple 1 plum 1; then expect "an order of what there never was" taken refused; fi
run -c "DELETE FROM stock WHERE sku = 'pear'" # another program
"$2" relay --once inventory.json

expect "the topic" "$(kcat -C -q -e -o beginning -b "$AT_KAFKA_BOOTSTRAP" -t stock -f '%k %s\n')" \
'apple {"op":"insert","table":"stock","old":null,"new":{"sku":"apple","quantity":12},"context":null}
pear {"op":"insert","table":"stock","old":null,"new":{"sku":"pear","quantity":3},"context":null}
apple {"op":"update","table":"stock","old":{"sku":"apple","quantity":12},"new":{"sku":"apple","quantity":8},"context":null}
pear {"op":"delete","table":"stock","old":{"sku":"pear","quantity":3},"new":null,"context":null}'
rabbitmq=amqp://guest:guest@$AT_RABBITMQ_HOST:$AT_RABBITMQ_PORT
expect "the queue" "$(amqp-get -u "$rabbitmq" -q reorders)" '{"sku":"apple","left":8}'
if amqp-get -u "$rabbitmq" -q reorders; then expect "the queue's second message" there none; fi
