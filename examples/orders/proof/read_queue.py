# SPDX-License-Identifier: MIT
"""Takes every message out of a queue: one line each, id and body. Usage: read_queue.py HOST PORT QUEUE"""
import sys

import pika

host, port, queue = sys.argv[1:4]
connection = pika.BlockingConnection(pika.ConnectionParameters(host, int(port)))
channel = connection.channel()
while True:
    method, properties, body = channel.basic_get(queue, auto_ack=True)
    if method is None:
        break
    print(properties.message_id, body.decode(), sep="\t")
connection.close()
