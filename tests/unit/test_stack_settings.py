"""What the stack takes from the environment, and what it refuses."""

import dataclasses
from pathlib import Path

import pytest

from gamemetrics.stack.credentials import Credentials
from gamemetrics.stack.environment import Environment, KafkaAccessInvalid, client_settings
from gamemetrics.stack.layout import LONGEST_SOCKET_PATH, Layout
from gamemetrics.stack.ports import BadPort, Ports
from gamemetrics.stack.programs import PROGRAMS, STOP_LAYERS, Launch
from gamemetrics.stack.run_state import RunState

CREDENTIALS = Credentials(
    **{field.name: f"the-{field.name}" for field in dataclasses.fields(Credentials)}
)


def test_the_ports_are_the_usual_ones_unless_told_otherwise() -> None:
    ports = Ports.from_environ({"WEB_PORT": "18080", "REDIS_PORT": ""})
    assert (ports.web_port, ports.redis_port, ports.postgres_port) == (18080, 6379, 5432)


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "80.5"])
def test_what_is_no_port_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadPort, match=f"WEB_PORT={text}"):
        Ports.from_environ({"WEB_PORT": text})


def test_one_port_for_two_is_refused() -> None:
    with pytest.raises(BadPort, match="WEB_PORT and REDIS_PORT are both 6379"):
        Ports.from_environ({"WEB_PORT": "6379"})


def test_every_program_has_its_ports_and_its_place_in_the_stop_order() -> None:
    assert [program.name for layer in STOP_LAYERS for program in layer] == [
        "web", "bridge", "worker-logging", "worker-stats", "worker-leaderboards", "flower",
        "postgres", "redis", "kafka",
    ]  # fmt: skip
    assert all(Ports().of(program.name) for program in PROGRAMS)


def test_the_applications_settings_are_carried_and_a_strangers_are_not() -> None:
    state = RunState.from_environ(
        {"LOG_LEVEL": "DEBUG", "BRIDGE_CHUNK_EVENTS": "1", "BRIDGE_METRICS_PORT": "9", "A": "b"}
    )
    assert state.carried == {"LOG_LEVEL": "DEBUG", "BRIDGE_CHUNK_EVENTS": "1"}


def test_a_run_is_remembered_as_it_was(tmp_path: Path) -> None:
    layout = Layout(root=tmp_path)
    state = RunState.from_environ({"WEB_PORT": "18080", "LOG_LEVEL": "DEBUG"}).with_admin()
    state.keep(layout)
    assert RunState.recall(layout) == state


def test_a_run_tells_what_it_is_asked_to_be_otherwise() -> None:
    state = RunState.from_environ({"WEB_PORT": "18080", "LOG_LEVEL": "DEBUG"})
    assert state.unlike({"WEB_PORT": "18080"}) == []
    assert state.unlike({"WEB_PORT": "18081", "LOG_LEVEL": "INFO", "BRIDGE_CHUNK_EVENTS": "1"}) == [
        "WEB_PORT=18080",
        "LOG_LEVEL=DEBUG",
        "BRIDGE_CHUNK_EVENTS (unset)",
    ]


def test_the_environment_file_has_what_was_promised(tmp_path: Path) -> None:
    environment = Environment(
        layout=Layout(root=tmp_path),
        state=RunState.from_environ({}),
        credentials=CREDENTIALS,
    )
    promised = {
        "API_URL": "http://127.0.0.1:8080",
        "DATABASE_URL": "postgresql://gamemetrics:the-database_password@127.0.0.1:5432/gamemetrics",
        "REDIS_URL": "redis://127.0.0.1:6379/1",
        "CELERY_BROKER_URL": "redis://127.0.0.1:6379/0",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
        "KAFKA_TOPIC": "player.events.raw",
        "FLOWER_URL": "http://operator:the-flower_password@127.0.0.1:5555",
        "ADMIN_URL": "http://127.0.0.1:8080/admin/",
        "ADMIN_USER": "operator",
        "ADMIN_PASSWORD": "the-admin_password",
        "MANAGEMENT_KEY": "the-management_key",
        "CHUNK_SIGNING_KEY": "the-chunk_signing_key",
    }
    assert promised.items() <= environment.shown().items()


def test_secrets_are_made_once(tmp_path: Path) -> None:
    layout = Layout(root=tmp_path)
    first = Credentials.of(layout)
    assert Credentials.of(layout) == first
    assert layout.secrets_file.stat().st_mode & 0o777 == 0o600


def test_a_given_kafka_with_a_user_is_asked_by_scram() -> None:
    assert client_settings({}) == {"security.protocol": "PLAINTEXT"}
    assert client_settings({"KAFKA_USERNAME": "ada", "KAFKA_PASSWORD": "secret"}) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "ada",
        "sasl.password": "secret",
    }


def test_what_lets_into_a_given_kafka_is_carried_to_all_who_speak_to_it() -> None:
    given = {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka.example:9093",
        "KAFKA_USERNAME": "ada",
        "KAFKA_PASSWORD_FILE": "/run/secrets/kafka",
        "KAFKA_SSL_CA_LOCATION": "/etc/ca.pem",
        "KAFKA_GROUP_ID": "ours",
    }
    environment = Environment(
        layout=Layout(root=Path("/nowhere")),
        state=RunState.from_environ(given),
        credentials=CREDENTIALS,
    )
    assert given.items() <= environment.given().items()
    assert given.items() <= environment.shown().items()


def test_a_given_kafka_with_half_a_user_is_refused_by_name() -> None:
    with pytest.raises(KafkaAccessInvalid, match="KAFKA_PASSWORD: is required"):
        client_settings({"KAFKA_USERNAME": "ada"})


def test_a_launch_is_read_back_with_the_marks_of_its_stack(tmp_path: Path) -> None:
    layout = Layout(root=tmp_path)
    layout.make()
    launch = Launch(argv=["/bin/true"], environ={"A": "b"})
    launch.save(layout, "web")
    assert Launch.load(layout.launch_file("web")).environ == {
        "A": "b",
        "STACK_DIR": str(tmp_path),
        "STACK_PROCESS": "web",
    }


def test_the_socket_path_is_never_too_long() -> None:
    near, deep = Layout(root=Path("/srv/stack")), Layout(root=Path("/srv") / ("d" * 100))
    assert near.socket == Path("/srv/stack/supervisord.sock")
    assert len(str(deep.socket)) <= LONGEST_SOCKET_PATH
