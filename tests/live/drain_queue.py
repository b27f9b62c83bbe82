"""Takes every message out of a queue and prints one JSON object a line. Usage: drain_queue.py HOST PORT VHOST QUEUE"""
import json
import sys

import pika

host, port, virtual_host, queue = sys.argv[1:5]
connection = pika.BlockingConnection(pika.ConnectionParameters(host, int(port), virtual_host))
channel = connection.channel()
left = channel.queue_declare(queue, passive=True).method.message_count
if left:
    for method, properties, body in channel.consume(queue, auto_ack=True, inactivity_timeout=30):
        if method is None:
            sys.exit(f"{left} messages did not come")
        fields = {name: value for name, value in vars(properties).items() if value is not None}
        fields.setdefault("message_id", None)
        print(json.dumps({**fields, "body": body.hex(), "redelivered": method.redelivered}, default=str))
        left -= 1
        if not left:
            break
connection.close()
