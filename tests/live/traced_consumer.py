# SPDX-License-Identifier: MIT
"""Reads messages with a client that OpenTelemetry instruments, and prints what it makes of them: a JSON object a span.

Usage: traced_consumer.py confluent-kafka|kafka-python BOOTSTRAP TOPIC COUNT
       traced_consumer.py pika HOST:PORT QUEUE COUNT

"trace", "parent" and "state" are those of the span's parent, or of its link, where that instrumentation makes one. Spans
that have to do with no other process are left out.
"""
import json
import sys
import uuid

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

PATIENCE = 60  # seconds for all messages

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)


def with_confluent_kafka(bootstrap, topic, count):
    from opentelemetry.instrumentation.confluent_kafka import ConfluentKafkaInstrumentor
    ConfluentKafkaInstrumentor().instrument()
    from confluent_kafka import Consumer
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": str(uuid.uuid4()), "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    for _ in range(count):
        message = consumer.poll(PATIENCE)
        if message is None or message.error():
            sys.exit(f"no message: {message and message.error()}")
    consumer.close()


def with_kafka_python(bootstrap, topic, count):
    from opentelemetry.instrumentation.kafka import KafkaInstrumentor
    KafkaInstrumentor().instrument()
    from kafka import KafkaConsumer
    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest",
                             consumer_timeout_ms=PATIENCE * 1000)
    for _ in range(count):
        next(consumer)
    consumer.close()


def with_pika(server, queue, count):
    from opentelemetry.instrumentation.pika import PikaInstrumentor
    PikaInstrumentor().instrument()
    import pika
    host, port = server.split(":")
    connection = pika.BlockingConnection(pika.ConnectionParameters(host, int(port)))
    channel = connection.channel()
    left = count

    def take(channel, method, _properties, _body):
        nonlocal left
        channel.basic_ack(method.delivery_tag)
        left -= 1
        if not left:
            channel.stop_consuming()

    channel.basic_consume(queue, take)
    connection.call_later(PATIENCE, lambda: sys.exit("no message"))
    channel.start_consuming()
    connection.close()


library, server, name, count = sys.argv[1:5]
{"confluent-kafka": with_confluent_kafka, "kafka-python": with_kafka_python, "pika": with_pika}[library](
    server, name, int(count))
for span in exporter.get_finished_spans():
    for cause in [link.context for link in span.links] + [span.parent]:
        if cause is None or not cause.is_remote:  # not of the message
            continue
        print(json.dumps({"span": span.name, "kind": span.kind.name, "trace": f"{cause.trace_id:032x}",
                          "parent": f"{cause.span_id:016x}", "state": cause.trace_state.to_header()}))
