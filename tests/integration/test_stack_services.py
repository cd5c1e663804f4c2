"""The services that other tests stand on."""

import os
from contextlib import closing

import psycopg2
import redis
from confluent_kafka.admin import AdminClient


def test_postgres_takes_our_role(postgres: str) -> None:
    with closing(psycopg2.connect(postgres)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, rolsuper, rolcreatedb FROM pg_user JOIN pg_roles"
            " ON rolname = usename WHERE usename = current_user"
        )
        assert cursor.fetchone() == ("gamemetrics", False, True)


def test_redis_keeps_the_broker_and_the_cache_apart(redis_server: str) -> None:
    with (
        redis.Redis.from_url(redis_server) as cache,
        redis.Redis.from_url(os.environ["CELERY_BROKER_URL"]) as broker,
    ):
        cache.set("stack:probe", "1")
        assert broker.exists("stack:probe") == 0
        assert cache.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_kafka_has_the_topic(kafka: str) -> None:
    topics = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics
    assert os.environ["KAFKA_TOPIC"] in topics
