# SPDX-License-Identifier: MIT
"""Reads messages, and prints what CloudEvents' own SDK makes of them: a JSON object an event.

Usage: cloudevents_consumer.py kafka BOOTSTRAP TOPIC COUNT
       cloudevents_consumer.py rabbitmq HOST:PORT QUEUE COUNT
"""
import json
import sys
import uuid

from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_rabbitmq
from cloudevents.core.formats.json import JSONFormat

PATIENCE = 60  # seconds for a message


def of_kafka(bootstrap, topic, count):
    from confluent_kafka import Consumer
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": str(uuid.uuid4()), "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    for _ in range(count):
        record = consumer.poll(PATIENCE)
        if record is None or record.error():
            sys.exit(f"no message: {record and record.error()}")
        yield from_kafka(KafkaMessage(dict(record.headers() or []), record.key(), record.value()), JSONFormat())
    consumer.close()


def of_rabbitmq(server, queue, count):
    import pika
    host, port = server.split(":")
    connection = pika.BlockingConnection(pika.ConnectionParameters(host, int(port)))
    channel = connection.channel()
    for method, properties, body in channel.consume(queue, inactivity_timeout=PATIENCE):
        if method is None:
            sys.exit("no message")
        channel.basic_ack(method.delivery_tag)
        yield from_rabbitmq(RabbitMQMessage(properties.headers or {}, properties.content_type, body), JSONFormat())
        count -= 1
        if not count:
            break
    connection.close()


kind, server, name, count = sys.argv[1:5]
for event in {"kafka": of_kafka, "rabbitmq": of_rabbitmq}[kind](server, name, int(count)):
    data = event.get_data()
    if isinstance(data, bytes):
        data = {"bytes": data.hex()}
    print(json.dumps({**event.get_attributes(), "data": data},
                     default=lambda value: value.isoformat() if hasattr(value, "isoformat") else str(value)))
