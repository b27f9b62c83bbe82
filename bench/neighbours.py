# SPDX-License-Identifier: MIT
"""What destinations in trouble cost the healthy ones on their connection to RabbitMQ: from fire to report, the same
healthy ones first without and then with 1,000 fires a second at those in trouble."""

import contextlib
import json
import os
import subprocess
import time

import pika

import measure

PROGRAM = "action_triggers_bench_neighbours"


def rabbitmqctl(*arguments):
    return subprocess.run([os.environ["AT_RABBITMQCTL"], "-q", *arguments], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def rabbitmq_eval(expression):
    rabbitmqctl("eval", expression)


@contextlib.contextmanager
def declared(queue, **arguments):
    host, port = measure.rabbitmq().split(":")
    connection = pika.BlockingConnection(pika.ConnectionParameters(host, int(port), heartbeat=0))
    with contextlib.closing(connection):
        channel = connection.channel()
        channel.queue_declare(queue, durable=True, arguments=arguments)
        yield channel


@contextlib.contextmanager
def suspended(queue, **arguments):
    """A queue whose process does nothing meanwhile: it takes messages and confirms none."""
    with declared(queue, **arguments) as channel:
        rabbitmq_eval(f'{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{queue}">>)), '
                      'P = case amqqueue:get_pid(Q) of {Name, _} -> whereis(Name); Pid -> Pid end, S = self(), '
                      'spawn(fun() -> register(bench_suspends, self()), erlang:suspend_process(P), S ! done, '
                      'receive stop -> ok end end), receive done -> ok after 5000 -> exit("not suspended") end.')
        try:
            yield
        finally:
            rabbitmq_eval("bench_suspends ! stop.")
            channel.queue_delete(queue)


def cluster_status():
    return json.loads(rabbitmqctl("cluster_status", "--formatter", "json"))


def forget(node):
    """The command may fail and have done its work, and then it fails for ever: what counts is who is a member."""
    end = time.monotonic() + 60
    while node in cluster_status()["disk_nodes"]:
        try:
            rabbitmqctl("forget_cluster_node", node)
        except subprocess.CalledProcessError:
            if time.monotonic() > end:
                raise


@contextlib.contextmanager
def without_majority(queue):
    """A quorum queue two of whose three nodes are down."""
    others = ("rabbitmq-2", "rabbitmq-3")
    subprocess.run(["scripts/servers", "start", *others], check=True)
    with declared(queue, **{"x-queue-type": "quorum"}):
        subprocess.run(["scripts/servers", "stop", *others], check=True)
        status = cluster_status()
        yield
        for node in set(status["disk_nodes"]) - set(status["running_nodes"]):
            forget(node)


def run(bench):
    bench.section = "Healthy destinations beside those in trouble"
    runs = min(bench.runs, 5)
    seconds = 0.5 if bench.quick else 3

    def compare(trouble, work, names=1, queue="trouble"):
        found, = bench.alternate(trouble, lambda: measure.program(
            PROGRAM, work, "--broker", measure.rabbitmq(), "--destination", queue, "--names", names, "--seconds", seconds),
            runs=runs)
        for quantile in ("p50", "p99"):
            bench.row(f"beside {trouble}, fire to report, {quantile} ÷ usual", "ns",
                      *([one[when][f"{quantile}_ns"] for one in found] for when in ("beside", "usual")))
    with suspended("trouble"):
        compare("a queue that confirms nothing", "silent")
        compare("a queue whose declaration is never answered", "undeclared")
    with suspended("trouble-quorum", **{"x-queue-type": "quorum"}):
        compare("a quorum queue that takes nothing", "silent", queue="trouble-quorum")
    compare("1,000 exchanges that do not exist", "missing", names=1_000)
    with without_majority("trouble-minority"):
        compare("a quorum queue without a majority", "silent", queue="trouble-minority")
