"""An Apache Kafka that demands TLS, SCRAM-SHA-512 and ACLs, for the tests of security."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # no exports, says its stub
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives import serialization

from gamemetrics.stack import kafka, kafka_jars
from gamemetrics.stack.kafka_jars import KafkaUnavailable
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.ports import HOST, Ports
from gamemetrics.stack.processes import wait_until
from gamemetrics.stack.topic import ensure_topic
from tests.kafka_clients import client_of
from tests.stack_homes import discard, new_home, reserve_ports

PATIENCE = 180.0  # seconds
ADMINISTRATOR = "administrator"
TOPIC = "player.events.secured"
GROUP = "gamemetrics-secured"
NODE = "node"


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """A SCRAM user, as the settings of a process name it."""

    name: str
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))


@dataclass(frozen=True, kw_only=True, slots=True)
class SecuredKafka:
    """Where it answers, whom it trusts and whose certificate it shows."""

    home: Path
    port: int
    administrator: User

    @property
    def servers(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def ca(self) -> Path:
        """The authority that signed the broker's certificate."""
        return self.home / "ca.pem"

    def settings(self, user: User, **more: str) -> dict[str, str]:
        """The settings of a process of ours that is this user."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.servers,
            "KAFKA_USERNAME": user.name,
            "KAFKA_PASSWORD": user.password,
            "KAFKA_SSL_CA_LOCATION": str(self.ca),
            "KAFKA_TOPIC": TOPIC,
            "KAFKA_GROUP_ID": GROUP,
            **more,
        }

    def client(self, user: User) -> dict[str, Any]:
        """librdkafka's settings of a plain client that is this user."""
        return {
            **client_of(self.servers),
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user.name,
            "sasl.password": user.password,
            "ssl.ca.location": str(self.ca),
        }

    @property
    def admin(self) -> AdminClient:
        return AdminClient(self.client(self.administrator))

    def store(self, user: User) -> User:
        """Make the user, or give it this password."""
        wanted = UserScramCredentialUpsertion(
            user.name,
            ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096),
            user.password.encode(),
        )
        admin = self.admin  # a name: unreferenced, it dies before it answers
        for made in admin.alter_user_scram_credentials([wanted]).values():
            made.result(PATIENCE)
        return user

    def allow(self, user: User, kind: ResourceType, name: str, *operations: AclOperation) -> None:
        admin = self.admin
        bindings = [_binding(user, kind, name, operation) for operation in operations]
        for made in admin.create_acls(bindings).values():
            made.result(PATIENCE)

    def forbid_all(self, user: User) -> None:
        """Take every ACL from the user."""
        admin = self.admin
        anything: Any = None
        everything = AclBindingFilter(
            ResourceType.ANY,
            anything,
            ResourcePatternType.ANY,
            f"User:{user.name}",
            anything,
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        for gone in admin.delete_acls([everything]).values():
            gone.result(PATIENCE)

    def allow_writing(self, user: User) -> None:
        """What the API's user may do."""
        self.allow(user, ResourceType.TOPIC, TOPIC, AclOperation.WRITE, AclOperation.DESCRIBE)

    def allow_reading(self, user: User) -> None:
        """What the bridge's user may do."""
        self.allow(user, ResourceType.TOPIC, TOPIC, AclOperation.READ, AclOperation.DESCRIBE)
        self.allow(user, ResourceType.GROUP, GROUP, AclOperation.READ)

    def answers(self) -> bool:
        try:
            self.admin.list_topics(timeout=10)
        except KafkaException:
            return False
        return True


def _binding(user: User, kind: ResourceType, name: str, operation: AclOperation) -> AclBinding:
    return AclBinding(
        kind,
        name,
        ResourcePatternType.LITERAL,
        f"User:{user.name}",
        "*",
        operation,
        AclPermissionType.ALLOW,
    )


@contextmanager
def run_secured_kafka() -> Iterator[SecuredKafka]:
    """One node, its topic and its administrator. Without Java: skipped, or failed in CI."""
    try:
        java, jars = kafka_jars.java(), kafka_jars.fetch(os.environ, lambda told: None)
    except KafkaUnavailable as problem:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"a secured Kafka cannot be started here: {problem}")
    home = new_home()
    directory = Layout(root=home).kafka
    directory.mkdir()
    port, controller_port = reserve_ports(2)
    broker = SecuredKafka(home=home, port=port, administrator=User(name=ADMINISTRATOR))
    ports = Ports(kafka_port=port, kafka_controller_port=controller_port)
    scram = f"name={ADMINISTRATOR},password={broker.administrator.password}"
    launch = kafka.node(
        java,
        jars,
        directory,
        {**kafka.server_settings(directory, ports), **_demands(broker, controller_port)},
        f"--add-scram=SCRAM-SHA-512=[{scram}]",
    )
    with (directory / "node.log").open("wb") as log:
        process = subprocess.Popen(
            launch.argv,
            env=dict(launch.environ),
            cwd=launch.directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        assert wait_until(broker.answers, seconds=PATIENCE), (directory / "node.log").read_text()
        access = broker.client(broker.administrator)
        ensure_topic(broker.servers, TOPIC, access=access, timeout_seconds=PATIENCE)
        yield broker
    finally:
        process.send_signal(signal.SIGKILL)  # nothing of it is kept
        process.wait()
        discard(home)


def _demands(broker: SecuredKafka, controller_port: int) -> Mapping[str, object]:
    """Clients come by TLS with a SCRAM user, the node to itself by TLS with its certificate."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(broker.ca))
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required"
    named = f'username="{ADMINISTRATOR}" password="{broker.administrator.password}"'
    client = f"SASL_SSL://{HOST}:{broker.port}"
    return {
        "listeners": f"{client},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": client,
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:SSL",
        "inter.broker.listener.name": "SASL_SSL",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{login} {named};",
        "listener.name.controller.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": r"RULE:^CN=(.*?),.*$/$1/,DEFAULT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": _keystore(authority, broker.home / "node.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": broker.ca,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{ADMINISTRATOR};User:{NODE}",
    }


def _keystore(authority: trustme.CA, path: Path) -> Path:
    """A certificate for the address alone: called by the machine's name, it does not hold."""
    issued = authority.issue_cert(HOST, common_name=NODE)
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), password=None)
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,  # Kafka reads no other
        serialization.NoEncryption(),
    )
    path.write_bytes(text + b"".join(part.bytes() for part in issued.cert_chain_pems))
    return path
