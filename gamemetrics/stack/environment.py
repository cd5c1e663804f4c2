"""What the stack tells its users (`.stack/env`) and what it gives its own processes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from gamemetrics.environment import Environment as Settings
from gamemetrics.environment import KafkaSettings, SettingInvalid
from gamemetrics.stack import redis_server
from gamemetrics.stack.credentials import Credentials
from gamemetrics.stack.errors import StackError
from gamemetrics.stack.layout import PROJECT_ROOT, Layout
from gamemetrics.stack.ports import HOST
from gamemetrics.stack.postgres import database_url
from gamemetrics.stack.run_state import RunState, kafka_access

ADMIN_USER = "operator"
FLOWER_USER = "operator"
GROUP_ID = "gamemetrics-bridge"

INHERITED = ("PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "CI")


class KafkaAccessInvalid(StackError):
    """The settings of a given Kafka cannot be used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    layout: Layout
    state: RunState
    credentials: Credentials

    @property
    def api_url(self) -> str:
        return f"http://{HOST}:{self.state.ports.web_port}"

    @property
    def ready_url(self) -> str:
        return f"{self.api_url}/health/ready"

    @property
    def bootstrap_servers(self) -> str:
        return self.state.bootstrap_servers or f"{HOST}:{self.state.ports.kafka_port}"

    def shown(self) -> dict[str, str]:
        """The lines of `.stack/env`."""
        ports, credentials = self.state.ports, self.credentials
        password = credentials.flower_password
        return {
            "API_URL": self.api_url,
            "DATABASE_URL": database_url(ports, credentials),
            "REDIS_URL": redis_server.cache_url(ports),
            "CELERY_BROKER_URL": redis_server.broker_url(ports),
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "KAFKA_TOPIC": self.state.topic,
            **kafka_access(self.state.carried),
            "FLOWER_URL": f"http://{FLOWER_USER}:{password}@{HOST}:{ports.flower_port}",
            "ADMIN_URL": f"{self.api_url}/admin/",
            "ADMIN_USER": ADMIN_USER,
            "ADMIN_PASSWORD": credentials.admin_password,
            "MANAGEMENT_KEY": credentials.management_key,
            "CHUNK_SIGNING_KEY": credentials.chunk_signing_key,
            **self.metrics_urls(),
        }

    def metrics_urls(self) -> dict[str, str]:
        """Where the bridge and the workers export their Prometheus metrics."""
        ports = self.state.ports
        numbers = {
            "BRIDGE": ports.bridge_metrics_port,
            "LOGGING": ports.logging_metrics_port,
            "STATS": ports.stats_metrics_port,
            "LEADERBOARDS": ports.leaderboards_metrics_port,
        }
        return {
            f"METRICS_URL_{name}": f"http://{HOST}:{number}/metrics"
            for name, number in numbers.items()
        }

    def given(self, **more: str) -> dict[str, str]:
        """The whole environment of one of our processes."""
        shown = self.shown()
        inherited = {key: os.environ[key] for key in INHERITED if key in os.environ}
        return {
            **inherited,
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(PROJECT_ROOT),
            "STACK_DIR": str(self.layout.root),
            "DJANGO_SETTINGS_MODULE": "gamemetrics.settings",
            "DJANGO_SECRET_KEY": self.credentials.django_secret_key,
            "KAFKA_GROUP_ID": GROUP_ID,
            **{key: shown[key] for key in SHARED},
            **self.state.carried,
            **more,
        }


SHARED = (
    "DATABASE_URL",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "KAFKA_BOOTSTRAP_SERVERS",
    "KAFKA_TOPIC",
    "MANAGEMENT_KEY",
    "CHUNK_SIGNING_KEY",
)


def client_settings(carried: Mapping[str, str]) -> dict[str, str]:
    """librdkafka's settings for a Kafka that was given, by the rule of the processes themselves."""
    try:
        settings = KafkaSettings.read(Settings(values=carried)).demand_usable()
    except SettingInvalid as problem:
        raise KafkaAccessInvalid(str(problem)) from problem
    return {key: value for key, value in settings.client.items() if key != "bootstrap.servers"}
