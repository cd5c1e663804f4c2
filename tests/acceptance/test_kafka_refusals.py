"""What Kafka refuses: said once and clearly, survived, and over as soon as it is mended.

Real processes of the product against a broker that demands TLS, SCRAM-SHA-512 and ACLs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

from tests.acceptance.waiting import until
from tests.deployments import Deployment, Running, deployment
from tests.kafka_clients import client_of
from tests.secured_kafka import GROUP, TOPIC, SecuredKafka, User

PATIENCE = 30.0  # seconds
EVENT = {
    "event_type": "test",
    "player_id": "ada",
    "game_id": "chess",
    "timestamp": "2024-01-15T10:00:00Z",
}
DENIED = "kafka denies access"


@pytest.fixture
def api(secured_kafka: SecuredKafka, request: pytest.FixtureRequest) -> User:
    """A user of this test alone that may do what the API's may."""
    user = secured_kafka.store(User(name=f"api-{request.node.name}"))
    secured_kafka.allow_writing(user)
    return user


@pytest.fixture
def reader(secured_kafka: SecuredKafka, request: pytest.FixtureRequest) -> User:
    """A user of this test alone that may do what the bridge's may."""
    user = secured_kafka.store(User(name=f"bridge-{request.node.name}"))
    secured_kafka.allow_reading(user)
    return user


@pytest.fixture
def deployed(secured_database: str, redis_server: str) -> Iterator[Deployment]:
    with deployment({"DATABASE_URL": secured_database, "REDIS_URL": redis_server}) as ready:
        yield ready


def denials(process: Running) -> list[dict[str, Any]]:
    """What the process has logged of Kafka's refusals."""
    return [json.loads(line) for line in process.told.splitlines() if DENIED in line]


def wrong(user: User) -> User:
    return User(name=user.name, password="a-wrong-password")


def kafka_check(web: Running) -> str:
    answer = web.get("/health/ready")
    return str(answer.json()["checks"]["kafka"]) if answer else ""


def metric(process: Running, line: str) -> float:
    answer = process.get("/metrics")
    assert answer is not None
    found = [told for told in answer.text.splitlines() if told.startswith(line)]
    return float(found[0].rpartition(" ")[2]) if found else 0.0


def post(web: Running) -> httpx.Response:
    return httpx.post(f"{web.url}/api/v1/events", json=EVENT, timeout=30, trust_env=False)


def test_the_users_may_do_their_work_and_no_other(
    secured_kafka: SecuredKafka, api: User, reader: User
) -> None:
    writes = Producer({**secured_kafka.client(api), "enable.idempotence": True})
    reports: list[KafkaError | None] = []
    writes.produce(TOPIC, b"from ada", on_delivery=lambda error, _: reports.append(error))
    writes.flush(PATIENCE)
    may_not = Producer(secured_kafka.client(reader))
    may_not.produce(TOPIC, b"from bo", on_delivery=lambda error, _: reports.append(error))
    may_not.flush(PATIENCE)
    assert reports[0] is None
    assert reports[1] is not None
    assert reports[1].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert first_of(secured_kafka.client(reader)) is None
    assert first_of(secured_kafka.client(api)) == KafkaError.GROUP_AUTHORIZATION_FAILED


def first_of(client: dict[str, Any]) -> int | None:
    """The code of the first error that a consumer gets; None where it gets a message."""
    consumer = Consumer({**client, "group.id": GROUP, "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    message = consumer.poll(PATIENCE)
    consumer.close()
    assert message is not None
    error = message.error()
    return None if error is None else error.code()


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_who_brings_no_user_is_not_let_in(secured_kafka: SecuredKafka, protocol: str) -> None:
    client = {**client_of(secured_kafka.servers), "security.protocol": protocol}
    consumer = Consumer({**client, "group.id": GROUP, "ssl.ca.location": str(secured_kafka.ca)})
    with pytest.raises(KafkaException):
        consumer.list_topics(TOPIC, timeout=2)
    consumer.close()


def test_a_wrong_password_of_the_api_is_a_503_with_its_reason_until_it_is_mended(
    secured_kafka: SecuredKafka, deployed: Deployment, api: User
) -> None:
    web = deployed.start("web", **secured_kafka.settings(wrong(api)))
    web.answers()
    answer = post(web)
    assert answer.status_code == 503
    assert answer.json()["code"] == "kafka_unavailable"
    assert int(answer.headers["Retry-After"]) > 0
    check = kafka_check(web)
    assert "the broker does not accept KAFKA_USERNAME with KAFKA_PASSWORD" in check
    assert web.is_up()
    assert len(denials(web)) == 1
    assert metric(web, 'errors_total{cause="kafka_denied",consumer="web"}') > 1
    assert "a-wrong-password" not in web.told + check + answer.text

    secured_kafka.store(wrong(api))  # the broker's side is mended
    until(lambda: post(web).status_code == 202, "events are taken")
    assert kafka_check(web) == "ok"


def test_a_wrong_password_of_the_bridge_is_said_once_and_it_goes_on_when_it_is_mended(
    secured_kafka: SecuredKafka, deployed: Deployment, reader: User
) -> None:
    bridge = deployed.start("bridge", **secured_kafka.settings(wrong(reader)))
    bridge.tells(DENIED)
    failures = 'errors_total{cause="kafka_denied",consumer="bridge"}'
    until(lambda: metric(bridge, failures) >= 3, "Kafka has refused three times")
    bridge.answers("/health/live")
    (told,) = denials(bridge)
    assert told["level"] == "ERROR"
    assert told["remedy"] == "the broker does not accept KAFKA_USERNAME with KAFKA_PASSWORD"
    assert len(bridge.told.splitlines()) < 10
    assert "a-wrong-password" not in bridge.told

    secured_kafka.store(wrong(reader))
    bridge.tells("partitions started")
    assert "kafka lets us in" in bridge.told


@pytest.mark.parametrize("fault", ["another authority", "another name"])
def test_a_certificate_that_does_not_hold_is_told_with_its_setting(
    secured_kafka: SecuredKafka, deployed: Deployment, api: User, reader: User, fault: str
) -> None:
    other = deployed.home / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    changed = {
        "another authority": {"KAFKA_SSL_CA_LOCATION": str(other)},
        "another name": {"KAFKA_BOOTSTRAP_SERVERS": f"localhost:{secured_kafka.port}"},
    }[fault]
    web = deployed.start("web", **{**secured_kafka.settings(api), **changed})
    bridge = deployed.start("bridge", **{**secured_kafka.settings(reader), **changed})
    bridge.tells("its certificate must be signed by KAFKA_SSL_CA_LOCATION and name the host")
    bridge.answers("/health/live")
    web.answers()
    until(lambda: "KAFKA_SSL_CA_LOCATION" in kafka_check(web), "readiness names the setting")
    assert len(denials(bridge)) == 1


def test_a_user_that_may_not_write_is_told_the_acl_and_writes_once_it_may(
    secured_kafka: SecuredKafka, deployed: Deployment, api: User
) -> None:
    secured_kafka.forbid_all(api)
    web = deployed.start("web", **secured_kafka.settings(api))
    web.answers()
    assert post(web).status_code == 503
    assert "lacks" in kafka_check(web)
    assert "KAFKA_TOPIC" in kafka_check(web)
    secured_kafka.allow_writing(api)
    until(lambda: post(web).status_code == 202, "events are taken")


def test_a_user_that_may_not_read_is_told_the_acl_and_reads_once_it_may(
    secured_kafka: SecuredKafka, deployed: Deployment, reader: User
) -> None:
    secured_kafka.forbid_all(reader)
    bridge = deployed.start("bridge", **secured_kafka.settings(reader))
    bridge.tells("lacks the ACL Read on the group of KAFKA_GROUP_ID")
    bridge.answers("/health/live")
    secured_kafka.allow_reading(reader)
    bridge.tells("partitions started")


def test_a_process_without_its_authority_does_not_start(
    secured_kafka: SecuredKafka, deployed: Deployment, api: User, tmp_path: Path
) -> None:
    nowhere = secured_kafka.settings(api, KAFKA_SSL_CA_LOCATION=str(tmp_path / "nowhere.pem"))
    bridge = deployed.start("bridge", **nowhere)
    assert bridge.process.wait(PATIENCE) != 0
    assert "cannot start: KAFKA_SSL_CA_LOCATION: must be a file" in bridge.told
    assert "Traceback" not in bridge.told
