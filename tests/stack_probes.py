"""What tests ask of a stack's services, and do to them."""

import os
import signal
from contextlib import closing

import psycopg2
import redis
from confluent_kafka import Consumer, Producer

from gamemetrics.stack.processes import is_alive, read_pid, wait_until
from gamemetrics.stack.programs import SERVICES
from tests.services import Stack

PATIENCE_SECONDS = 60


def up(stack: Stack, services: str = ",".join(SERVICES), **more: str) -> str:
    started = Stack(environ={**stack.environ, **more}).command("up", "--only", services)
    assert started.returncode == 0, started.stdout + started.stderr
    return started.stdout


def postgres_answers(stack: Stack) -> bool:
    try:
        psycopg2.connect(stack.env["DATABASE_URL"], connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True


def redis_answers(stack: Stack) -> bool:
    with redis.Redis.from_url(stack.env["REDIS_URL"], retry=None) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def keep_a_message(stack: Stack, text: bytes) -> None:
    producer = Producer({"bootstrap.servers": stack.env["KAFKA_BOOTSTRAP_SERVERS"]})
    producer.produce(stack.env["KAFKA_TOPIC"], text, partition=0)
    assert producer.flush(PATIENCE_SECONDS) == 0


def kept_messages(stack: Stack) -> list[bytes | None]:
    consumer = Consumer(
        {
            "bootstrap.servers": stack.env["KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": "probe",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    with closing(consumer):
        consumer.subscribe([stack.env["KAFKA_TOPIC"]])
        return [message.value() for message in consumer.consume(1, PATIENCE_SECONDS)]


def kill(stack: Stack, name: str) -> int:
    pid = stack.pid(name)
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not is_alive(pid), seconds=PATIENCE_SECONDS)
    return pid


def comes_back(stack: Stack, name: str, killed: int) -> bool:
    def is_back() -> bool:
        pid = read_pid(stack.layout.pid_file(name))
        return pid is not None and pid != killed and is_alive(pid)

    return wait_until(is_back, seconds=PATIENCE_SECONDS)
