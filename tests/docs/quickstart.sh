#!/bin/bash
# SPDX-License-Identifier: MIT
# The README's program with the README's configuration, on real servers. Usage: quickstart.sh PROGRAM SOURCE_DIR
set -euo pipefail
eval "$("$2/scripts/servers" env)"
"$AT_KAFKA_TOPICS" --create --if-not-exists --topic orders >/dev/null
cd "$2/examples/quickstart"
said=$(KAFKA=$AT_KAFKA_BOOTSTRAP RABBITMQ_PORT=$AT_RABBITMQ_PORT "$1")
[ "$said" = $'order_events: ok\norder_mails: ok' ] || { echo "it said: $said"; exit 1; }
events=$(kcat -C -q -e -b "$AT_KAFKA_BOOTSTRAP" -t orders -f '%k %s\n')
grep -qx 'order-42 {"id": 42, "total": 99.90}' <<<"$events"
grep -qx 'order-42 {"id": 42}' <<<"$events"
mail=$(amqp-get --server "$AT_RABBITMQ_HOST" --port "$AT_RABBITMQ_PORT" --queue order_mails)
[ "$mail" = '{"text":"Thanks for order 42!"}' ] || { echo "the queue holds: $mail"; exit 1; }
