# SPDX-License-Identifier: MIT
"""Every row of the table: what is measured, in which unit, which way is better, and the goal.

A goal is for ours ÷ theirs where theirs is measured, too, and otherwise for our own number. None: shown, without a goal.
For costs "theirs" is ours as well: without what must not cost anything.
"""

LOWER, HIGHER = "lower", "higher"

GOALS = {(work, unit): (better, goal) for work, unit, better, goal in (
    ("`fire()`, saturating, p50", "ns", LOWER, 0.33),
    ("`fire()`, saturating, p99", "ns", LOWER, 1.0),
    ("the same, p50, less the clock's own {clock:.0f} ns", "ns", LOWER, None),
    ("`fire()`, 10,000 a second, p99", "ns", LOWER, 1.0),
    ("Kafka, confirmed, mock cluster", "messages/s", HIGHER, 1.3),
    ("Kafka, client's CPU, mock cluster", "µs/message", LOWER, None),
    ("Kafka, confirmed, one node", "messages/s", HIGHER, 1.1),
    ("Kafka, client's CPU, one node", "µs/message", LOWER, None),
    ("Kafka, confirmed, three nodes", "messages/s", HIGHER, 1.1),
    ("Kafka, client's CPU, three nodes", "µs/message", LOWER, None),
    ("{what} of {count:,} of {size:,} bytes, no id header", "messages/s", HIGHER, 1.0),
    ("{what} of {count:,} of {size:,} bytes, with id header", "messages/s", HIGHER, 1.2),
    ("client's CPU, {what} of {count:,} of {size:,} bytes, no id header", "µs/message", LOWER, None),
    ("client's CPU, {what} of {count:,} of {size:,} bytes, with id header", "µs/message", LOWER, None),
    ("RabbitMQ, confirmed", "messages/s", HIGHER, 1.0),
    ("RabbitMQ, client's CPU", "µs/message", LOWER, 1.0),
    ("Kafka, one fire on an idle lane, fire to report, p50", "ns", LOWER, 1.1),
    ("Kafka, the same, absolute", "ns", LOWER, 1_500_000),
    ("Kafka, start to first confirmed message", "s", LOWER, 1.1),
    ("RabbitMQ, one fire on an idle lane, fire to report, p50", "ns", LOWER, 1.1),
    ("RabbitMQ, the same, absolute", "ns", LOWER, 1_000_000),
    ("RabbitMQ, start to first confirmed message", "s", LOWER, 1.1),
    ("Kafka, idle dispatcher", "% CPU", LOWER, 0.1),
    ("Kafka, idle dispatcher", "wake-ups/s", LOWER, 5),
    ("Kafka, idle, beside librdkafka with a thread that polls", "% CPU", LOWER, None),
    ("RabbitMQ, idle dispatcher", "% CPU", LOWER, 0.1),
    ("RabbitMQ, idle dispatcher", "wake-ups/s", LOWER, 5),
    ("a queued message, over its body", "bytes", LOWER, 256),
    ("`fire()` at 1,000 destinations ÷ at 1", "p50, ns", LOWER, 1.2),
    ("the umbrella header, compiled alone", "s", LOWER, 1.3),
    ("the shared library, stripped", "bytes", LOWER, 1 << 20),
    ("RabbitMQ, against django-action-triggers", "messages/s", HIGHER, 100),
    ("RabbitMQ, against aio-pika", "messages/s", HIGHER, None),
    ("Kafka, against django-action-triggers", "messages/s", HIGHER, 3_000),
    ("Kafka, against confluent-kafka", "messages/s", HIGHER, None),
    ("`fire().wait()` in 1,024 threads ÷ in 16", "µs CPU/message", LOWER, 1.5),
    ("waiting for capacity beside one idle destination ÷ beside none", "µs CPU/message", LOWER, 1.1),
    ("a blocked connection, a backlog at 1,000 destinations, 390 fires/s", "% CPU", LOWER, 5),
    ("`fire().wait()` beside {count:,} paused destinations ÷ beside one", "µs CPU/message", LOWER, 2),
    ("start with {count:,} destinations", "s", LOWER, 1),
    ("any mistakes in 1 MiB of configuration, the longest", "s", LOWER, 1),
    ("caches of 500 idle threads that fired 320 messages each", "MiB", LOWER, 32),
    ("caches of 500 idle threads that fired 4 messages each", "MiB", LOWER, 32),
)}
