# SPDX-License-Identifier: MIT
"""Asks RabbitMQ's topic exchange which patterns match which names.

Usage: topic_exchange.py HOST PORT FILE

FILE holds a JSON object: {"patterns": [...], "names": [...]}. Prints a line for each pattern: the numbers of the names
whose message came to a queue that is bound with it.
"""
import json
import sys
import uuid

import pika

host, port, path = sys.argv[1:4]
with open(path, encoding="utf-8") as file:
    asked = json.load(file)
connection = pika.BlockingConnection(pika.ConnectionParameters(host, int(port)))
channel = connection.channel()
channel.confirm_delivery()  # a message that is confirmed is in all of its queues
exchange = f"topics-{uuid.uuid4()}"
channel.exchange_declare(exchange, "topic", auto_delete=True)
queues = []
for pattern in asked["patterns"]:
    queues.append(channel.queue_declare("", exclusive=True).method.queue)
    channel.queue_bind(queues[-1], exchange, pattern)
for number, name in enumerate(asked["names"]):
    channel.basic_publish(exchange, name, str(number).encode())
for queue in queues:
    numbers = []
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            break
        numbers.append(int(body))
    print(*sorted(numbers))
connection.close()
