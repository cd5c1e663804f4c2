"""`python -m bridge`: read the settings, put the parts together, run until SIGTERM."""

from __future__ import annotations

import logging
import logging.config
import signal
import sys
from datetime import UTC, datetime
from types import FrameType

from apps.failpoints import points
from apps.monitoring.progress import Progress
from apps.monitoring.server import serve
from bridge.buffer import CutPolicy
from bridge.courier import CeleryCourier
from bridge.dispatcher import Dispatcher
from bridge.ledger import PostgresLedger
from bridge.loop import Bridge
from bridge.replays import PostgresReplays
from bridge.settings import BridgeSettings
from bridge.source import KafkaSource
from gamemetrics.celery import app
from gamemetrics.environment import (
    DatabaseSettings,
    Environment,
    KafkaSettings,
    SettingInvalid,
    chunk_signing_key,
    failpoints_file,
    log_level,
)
from gamemetrics.log_config import logging_config

logger = logging.getLogger("bridge")


def bridge_settings(env: Environment) -> BridgeSettings:
    """The bridge's own settings. Raises SettingInvalid."""
    linger_ms = env.integer("BRIDGE_LINGER_MS", 15, at_least=0, at_most=1_000)
    return BridgeSettings(
        policy=CutPolicy(
            max_events=env.integer("BRIDGE_CHUNK_EVENTS", 5_000, at_least=1, at_most=5_000),
            max_bytes=env.integer(
                "BRIDGE_CHUNK_BYTES", 2 * 1024 * 1024, at_least=1024, at_most=16 * 1024 * 1024
            ),
            linger=linger_ms / 1000,
        )
    )


class Stop:
    """Set by SIGTERM or SIGINT; the loop looks at it between two passes."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def build(env: Environment, progress: Progress) -> Bridge:
    """A bridge on the real Kafka, PostgreSQL and Celery."""
    kafka = KafkaSettings.read(env).demand_usable()
    settings = bridge_settings(env)
    holder: list[Bridge] = []
    source = KafkaSource(
        kafka.client,
        topic=kafka.topic,
        group_id=kafka.group_id,
        on_assign=lambda partitions: holder[0].assigned(partitions),
        on_revoke=lambda: holder[0].revoked(),
        linger=settings.policy.linger,
    )
    dsn = DatabaseSettings.read(env).dsn()
    courier = CeleryCourier(app, signing_key=chunk_signing_key(env))
    dispatcher = Dispatcher(PostgresReplays(dsn), courier, clock=lambda: datetime.now(UTC))
    holder.append(
        Bridge(
            settings,
            topic=kafka.topic,
            source=source,
            ledger=PostgresLedger(dsn),
            courier=courier,
            beat=progress.beat,
            duty=dispatcher.step,
        )
    )
    return holder[0]


def main() -> None:
    env = Environment.of_process()
    logging.config.dictConfig(logging_config(log_level(env)))
    points.arm(failpoints_file(env))
    stop, progress = Stop(), Progress(within_seconds=30.0)
    port = env.integer("METRICS_PORT", 0, at_least=0, at_most=65535)
    bridge = build(env, progress)
    if port:
        serve(env.text("METRICS_HOST", "127.0.0.1"), port, progress)
    logger.info("bridge started", extra={"topic": bridge.topic})
    bridge.run(lambda: stop.asked)
    logger.info("bridge stopped")


if __name__ == "__main__":
    try:
        main()
    except SettingInvalid as error:
        sys.exit(f"gamemetrics bridge cannot start: {error}")
