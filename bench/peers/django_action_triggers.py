#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures how fast django-action-triggers sends messages to RabbitMQ or Kafka, one after another.

Like the package's own dispatcher, it runs a new event loop for each message and calls send_message() of a new broker
object, which opens a connection, sends the message, waits for the confirmation and closes the connection. No database
and no Django site is needed: what a site keeps in its table of queues is in the settings. The package's defaults are
kept: messages for RabbitMQ are not persistent, and Kafka's producer has acks=1.
"""

import argparse
import asyncio
import importlib.metadata
import json
import sys
import time

import aio_pika
from action_triggers.message_broker.broker import get_broker_class
from arguments import host_and_port, positive
from django.conf import settings

BROKER = "benchmark"
TIMEOUT_SECONDS = 30


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--type", required=True, choices=["rabbitmq", "kafka"])
    parser.add_argument("--broker", required=True, type=host_and_port, metavar="HOST:PORT")
    parser.add_argument("--destination", required=True, metavar="QUEUE_OR_TOPIC",
                        help="a durable queue (declared if need be) or an existing topic")
    parser.add_argument("--count", required=True, type=positive, metavar="N", help="messages to send")
    parser.add_argument("--size", required=True, type=positive, metavar="BYTES", help="of each message's body")
    return parser.parse_args()


def configure_django(arguments: argparse.Namespace) -> None:
    host, port = arguments.broker
    if arguments.type == "rabbitmq":
        connection = {"host": host, "port": port, "login": "guest", "password": "guest"}
        parameters = {"queue": arguments.destination}
    else:
        connection = {"bootstrap_servers": f"{host}:{port}"}
        parameters = {"topic": arguments.destination}
    broker = {"broker_type": arguments.type, "conn_details": connection, "params": parameters}
    settings.configure(ACTION_TRIGGERS={"brokers": {BROKER: broker}}, ACTION_TRIGGER_SETTINGS={})


async def declare_queue(host: str, port: int, queue: str) -> None:
    async with await aio_pika.connect(host=host, port=port, login="guest", password="guest") as connection:
        channel = await connection.channel()
        await channel.declare_queue(queue, durable=True)


async def send(message: str) -> None:
    broker = get_broker_class(BROKER)(BROKER, {}, {})
    await asyncio.wait_for(broker.send_message(message), TIMEOUT_SECONDS)


def main() -> None:
    arguments = parse_arguments()
    configure_django(arguments)
    if arguments.type == "rabbitmq":
        try:
            asyncio.run(declare_queue(*arguments.broker, arguments.destination))
        except Exception as error:
            sys.exit(f"{sys.argv[0]}: cannot declare queue {arguments.destination}: {error!r}")

    message = "x" * arguments.size
    confirmed = 0
    failure = None
    start, cpu_start = time.perf_counter(), time.process_time()
    try:
        for _ in range(arguments.count):
            asyncio.run(send(message))
            confirmed += 1
    except Exception as error:
        failure = error
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start

    print(json.dumps({
        "subject": f"django-action-triggers ({arguments.type})",
        "version": importlib.metadata.version("django-action-triggers"),
        "messages": arguments.count,
        "confirmed": confirmed,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "per_second": confirmed / seconds,
    }))
    if failure is not None:
        sys.exit(f"{sys.argv[0]}: {confirmed} of {arguments.count} messages confirmed, then: {failure!r}")


if __name__ == "__main__":
    main()
