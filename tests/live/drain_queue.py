# SPDX-License-Identifier: MIT
"""Takes out every message that is in a queue and prints one JSON object a line.

Usage: drain_queue.py HOST PORT VHOST QUEUE

Acknowledges what it prints and nothing else: what arrives meanwhile may be sent here too, and goes back into the queue.
"""
import json
import sys

import pika

UNACKNOWLEDGED = 2_000

host, port, virtual_host, queue = sys.argv[1:5]
connection = pika.BlockingConnection(pika.ConnectionParameters(host, int(port), virtual_host))
channel = connection.channel()
left = channel.queue_declare(queue, passive=True).method.message_count
channel.basic_qos(prefetch_count=UNACKNOWLEDGED)
if left:
    for method, properties, body in channel.consume(queue, inactivity_timeout=30):
        if method is None:
            sys.exit(f"{left} messages did not come")
        fields = {name: value for name, value in vars(properties).items() if value is not None}
        fields.setdefault("message_id", None)
        print(json.dumps({**fields, "body": body.hex(), "redelivered": method.redelivered}, default=str))
        left -= 1
        if not left or left % (UNACKNOWLEDGED // 2) == 0:
            channel.basic_ack(method.delivery_tag, multiple=True)
        if not left:
            break
    channel.cancel()
connection.close()
