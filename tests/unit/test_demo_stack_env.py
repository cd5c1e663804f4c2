"""Where the demo and the load find the stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.contract.queues import Consumer
from apps.demo.stack_env import NotLocal, StackEnv, StackUnknown

VALUES = {
    "API_URL": "http://127.0.0.1:8080",
    "DATABASE_URL": "postgresql://gamemetrics:a=b@127.0.0.1:5432/gamemetrics",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "MANAGEMENT_KEY": "secret",
    "FLOWER_URL": "http://operator:secret@127.0.0.1:5555",
    "METRICS_URL_STATS": "http://127.0.0.1:9103/metrics",
}


def write(directory: Path, values: dict[str, str]) -> None:
    directory.mkdir()
    lines = (f"{name}={value}\n" for name, value in values.items())
    (directory / "env").write_text("".join(lines))


def test_the_file_of_the_stack_is_read(tmp_path: Path) -> None:
    write(tmp_path / ".stack", VALUES)
    env = StackEnv.read({}, tmp_path)
    assert env.database_url == VALUES["DATABASE_URL"]
    assert env.topic == "player.events.raw"
    assert env.metrics_urls == {Consumer.STATS: VALUES["METRICS_URL_STATS"]}
    assert env.flower_address == "http://127.0.0.1:5555"


def test_another_directory_is_named_by_the_environment(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", VALUES)
    env = StackEnv.read({"STACK_DIR": str(tmp_path / "elsewhere")}, Path("/nowhere"))
    assert env.api_url == VALUES["API_URL"]


def test_the_file_is_never_mixed_with_the_environment(tmp_path: Path) -> None:
    write(tmp_path / ".stack", {"API_URL": "http://127.0.0.1:1"})
    with pytest.raises(StackUnknown, match="DATABASE_URL"):
        StackEnv.read(VALUES, tmp_path)


def test_without_a_file_the_environment_is_read(tmp_path: Path) -> None:
    assert StackEnv.read(VALUES, tmp_path).management_key == "secret"


def test_without_either_the_remedy_is_told(tmp_path: Path) -> None:
    with pytest.raises(StackUnknown, match="make up"):
        StackEnv.read({}, tmp_path)


def test_secrets_stay_out_of_the_representation(tmp_path: Path) -> None:
    assert "secret" not in repr(StackEnv.read(VALUES, tmp_path))


@pytest.mark.parametrize("url", ["http://localhost:8080", "http://127.0.0.9:1", "http://[::1]:80"])
def test_a_loopback_address_is_local(url: str, tmp_path: Path) -> None:
    StackEnv.read({**VALUES, "API_URL": url}, tmp_path).require_loopback()


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1:8080", "https://example.com", "http://localhost.example.com"],
)
def test_any_other_address_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(NotLocal):
        StackEnv.read({**VALUES, "API_URL": url}, tmp_path).require_loopback()
