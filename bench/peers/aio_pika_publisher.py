#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures how fast aio-pika gets persistent messages confirmed by RabbitMQ.

One connection and one channel with publisher confirms; each message is mandatory and goes to a durable queue through
the default exchange. At most a thousand messages are unconfirmed at once. The time runs from the first publish to the
last confirmation; connecting and declaring the queue come before. Only the whole run has a timeout: aio-pika's own
timeout for each publish would add work to each.
"""

import argparse
import asyncio
import importlib.metadata
import json
import sys
import time

import aio_pika
from arguments import host_and_port, positive

WINDOW = 1000


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", required=True, type=host_and_port, metavar="HOST:PORT")
    parser.add_argument("--destination", required=True, metavar="QUEUE",
                        help="a durable queue, declared if need be")
    parser.add_argument("--count", required=True, type=positive, metavar="N", help="messages to send")
    parser.add_argument("--size", required=True, type=positive, metavar="BYTES", help="of each message's body")
    parser.add_argument("--timeout", type=positive, default=300, metavar="SECONDS", help="for the run (default: 300)")
    return parser.parse_args()


class Publisher:
    """Publishes to one queue, and counts the confirmations."""

    def __init__(self, exchange: aio_pika.abc.AbstractExchange, queue: str) -> None:
        self.exchange = exchange
        self.queue = queue
        self.window = asyncio.Semaphore(WINDOW)
        self.confirmed = 0
        self.error: Exception | None = None

    async def publish_all(self, count: int, body: bytes) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                await self.window.acquire()
                if self.error is not None:
                    break
                tasks.create_task(self.publish(body))

    async def publish(self, body: bytes) -> None:
        try:
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await self.exchange.publish(message, self.queue, mandatory=True)
            self.confirmed += 1
        except Exception as error:
            self.error = self.error or error
        finally:
            self.window.release()


async def run(arguments: argparse.Namespace) -> None:
    host, port = arguments.broker
    async with await aio_pika.connect(host=host, port=port, login="guest", password="guest") as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.declare_queue(arguments.destination, durable=True)
        publisher = Publisher(channel.default_exchange, arguments.destination)

        body = b"x" * arguments.size
        start, cpu_start = time.perf_counter(), time.process_time()
        try:
            async with asyncio.timeout(arguments.timeout):
                await publisher.publish_all(arguments.count, body)
        except TimeoutError as error:
            publisher.error = error
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start

    print(json.dumps({
        "subject": "aio-pika",
        "version": importlib.metadata.version("aio-pika"),
        "messages": arguments.count,
        "confirmed": publisher.confirmed,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "per_second": publisher.confirmed / seconds,
    }))
    if publisher.confirmed != arguments.count:
        sys.exit(f"{sys.argv[0]}: {publisher.confirmed} of {arguments.count} messages confirmed; "
                 f"first error: {publisher.error!r}")


def main() -> None:
    arguments = parse_arguments()
    try:
        asyncio.run(run(arguments))
    except Exception as error:
        sys.exit(f"{sys.argv[0]}: {error!r}")


if __name__ == "__main__":
    main()
