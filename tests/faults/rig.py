"""A stack of its own to do harm to: servers, two web processes, two bridges, a worker a queue."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Final

from gamemetrics.stack.applications import migrate
from gamemetrics.stack.credentials import Credentials
from gamemetrics.stack.environment import Environment
from gamemetrics.stack.layout import PROJECT_ROOT, Layout
from gamemetrics.stack.ports import HOST, Ports
from gamemetrics.stack.postgres import ensure_database
from gamemetrics.stack.processes import wait_until
from gamemetrics.stack.programs import Launch
from gamemetrics.stack.run_state import RunState
from gamemetrics.stack.topic import answers as kafka_answers
from gamemetrics.stack.topic import ensure_topic
from tests.faults import applications, kafka, mounts, standby
from tests.faults.applications import WEBS
from tests.faults.failpoints import Failpoints
from tests.faults.needs import Needs
from tests.faults.proxy import Proxy
from tests.faults.redis_servers import RedisServer
from tests.rigs import web_probe
from tests.rigs.postgres_server import PostgresServer
from tests.rigs.processes import Keeper, NotRunning, Process
from tests.stack_homes import discard, new_home, reserve_ports

TOPIC: Final = "player.events.raw"
PATIENCE: Final = 180.0  # seconds, for a server to answer on a crowded machine
# Rows start them, and end them.
EXTRAS: Final = ("bridge-3", "standby")


@dataclass(kw_only=True)
class Rig:
    """Everything that a row may hurt, by name; `stop` ends all of it."""

    needs: Needs
    chance: Random
    home: Path = field(init=False)
    processes: dict[str, Process] = field(default_factory=dict)
    proxies: dict[str, Proxy] = field(default_factory=dict)
    proxied: frozenset[str] = frozenset()

    def start(self) -> None:
        """Start all; raises NotRunning, or KafkaUnavailable, after ending what was started."""
        self.home = new_home()
        self.keeper = Keeper(())
        try:
            self._prepare()
            self._start_servers()
            migrate(self.environment)
            self._start_applications()
        except BaseException:
            self.stop()
            raise

    def _prepare(self) -> None:
        layout = Layout(root=self.home)
        layout.make()
        (self.home / "log").mkdir(exist_ok=True)
        (self.home / "tokens").mkdir()
        self.credentials = Credentials.of(layout)
        self.failpoints = Failpoints(file=self.home / "failpoints.json")
        ports = iter(reserve_ports(24))
        self.web_ports = {name: next(ports) for name in WEBS}
        self.nodes = [
            kafka.Node(number=number, port=next(ports), controller_port=next(ports), home=self.home)
            for number in range(1, self.needs.brokers + 1)
        ]
        self.postgres = PostgresServer(
            port=next(ports), home=self.home, credentials=self.credentials
        )
        self.broker = RedisServer(name="redis-broker", port=next(ports), home=self.home)
        self.cache = RedisServer(name="redis-cache", port=next(ports), home=self.home)
        for name, upstream in (
            ("postgres", self.postgres.port),
            ("broker", self.broker.port),
            ("cache", self.cache.port),
        ):
            self.proxies[name] = Proxy(port=next(ports), upstream=upstream)
            self.proxies[name].start()

    @property
    def environment(self) -> Environment:
        """What our own processes are given, before `_given` points it to the rig's servers."""
        state = RunState(
            ports=replace(Ports(), postgres_port=self.postgres.port),
            bootstrap_servers=kafka.bootstrap_servers(self.nodes),
        )
        return Environment(layout=Layout(root=self.home), state=state, credentials=self.credentials)

    def _given(self) -> dict[str, str]:
        def port(name: str, own: int) -> int:
            return self.proxies[name].port if name in self.proxied else own

        return {
            "DATABASE_URL": self.postgres.url(port("postgres", self.postgres.port)),
            "CELERY_BROKER_URL": f"redis://{HOST}:{port('broker', self.broker.port)}/0",
            "REDIS_URL": f"redis://{HOST}:{port('cache', self.cache.port)}/0",
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers(self.nodes),
            "KAFKA_TOPIC": TOPIC,
            "FAILPOINTS": str(self.failpoints.file),
            "RATE_LIMIT_RPS": "1000000",
        }

    def _start_servers(self) -> None:
        if self.needs.kafka_mb:
            mounts.mount(self.nodes[0].layout.kafka / "data", self.needs.kafka_mb)
        if self.needs.postgres_mb:
            mounts.mount(self.postgres.data, self.needs.postgres_mb)
        for name, launch in kafka.launches(self.nodes).items():
            self.add(name, launch).start()
        for server in (self.broker, self.cache):
            self.add(server.name, server.launch()).start()
        # SIGQUIT: as `pg_ctl stop -m immediate`.
        launch = self.postgres.launch(max_wal_mb=128 if self.needs.postgres_mb else 0)
        self.add("postgres", launch, stop_signal=signal.SIGQUIT).start()
        self._await("PostgreSQL", self.postgres.answers)
        ensure_database(self.postgres.ports, self.credentials)
        self._await("Redis", lambda: self.broker.answers() and self.cache.answers())
        self._await("Kafka", self.kafka_answers)
        ensure_topic(self.servers, TOPIC, replication_factor=self.needs.brokers)

    def _start_applications(self) -> None:
        self.keeper = Keeper(self.processes.values())
        for name, launch in self._applications().items():
            self.add(name, launch).start()
        self.keeper.start()
        self._await("the API", self.is_ready)

    def _applications(self) -> dict[str, Launch]:
        return applications.launches(self.environment, self.web_ports, self._given())

    def add(
        self, name: str, launch: Launch, *, stop_signal: signal.Signals = signal.SIGTERM
    ) -> Process:
        """One more process of the rig, not started yet."""
        process = Process(name=name, home=self.home, launch=launch, stop_signal=stop_signal)
        self.processes[name] = process
        self.keeper.processes.append(process)
        return process

    def third_bridge(self) -> Process:
        """A bridge beside the two; end it before the row is over."""
        launch = self.processes["bridge-1"].launch
        return self.processes.get("bridge-3") or self.add("bridge-3", launch)

    def new_standby(self) -> PostgresServer:
        """A second PostgreSQL, which follows the first and is started."""
        (port,) = reserve_ports(1)
        server, launch = standby.copy(self.postgres, self.processes["postgres"].launch, port)
        self.add("standby", launch, stop_signal=signal.SIGQUIT).start()
        return server

    def promote(self, server: PostgresServer) -> None:
        """The standby is the rig's PostgreSQL from now on; the old one is not started again."""
        server.sql("SELECT pg_promote()")
        old = self.processes["postgres"]
        old.hold()
        self.keeper.processes.remove(old)
        self.processes["postgres"] = self.processes.pop("standby")
        self.postgres = server
        self.proxies["postgres"].to(server.port)

    def route(self, proxied: frozenset[str]) -> None:
        """Have our processes reach these servers through their proxies, others directly."""
        if proxied == self.proxied:
            return
        self.proxied = proxied
        changed = self._applications()
        for name, launch in changed.items():
            self.processes[name].end()
            self.processes[name].launch = launch
        for name in changed:
            self.processes[name].start()
        self._await("the API", self.is_ready)

    def manage(self, *arguments: str) -> str:
        """`manage.py <arguments>` on this rig; what it said. Raises NotRunning."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            env={**self.environment.given(), **self._given()},
            cwd=PROJECT_ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise NotRunning(f"manage.py {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    @property
    def servers(self) -> str:
        return kafka.bootstrap_servers(self.nodes)

    def kafka_answers(self) -> bool:
        return all(kafka_answers(f"{HOST}:{node.port}") for node in self.nodes)

    def some(self, names: Iterable[str]) -> list[Process]:
        return [self.processes[name] for name in names]

    def is_ready(self) -> bool:
        """Both web processes say that Kafka, PostgreSQL and Redis answer."""
        return all(web_probe.is_ready(port) for port in self.web_ports.values())

    def heal(self) -> None:
        """Lift every fault and bring everything back. Raises NotRunning."""
        self.failpoints.clear()
        for proxy in self.proxies.values():
            proxy.heal()
        for name, process in self.processes.items():
            if name in EXTRAS:
                process.end()
            else:
                process.start()
        self._await("Redis", lambda: self.broker.answers() and self.cache.answers())
        self._await("PostgreSQL", self.postgres.answers)
        self._await("Kafka", self.kafka_answers)
        self._await("the API", self.is_ready)

    def _await(self, what: str, answers: Callable[[], bool]) -> None:
        if not wait_until(answers, seconds=PATIENCE, every=0.1):
            down = [name for name, process in self.processes.items() if not process.is_running()]
            raise NotRunning(f"{what} does not answer; down: {', '.join(down) or 'nothing'}")

    def stop(self) -> None:
        """End every process, and delete what they wrote."""
        self.keeper.stop()
        for process in self.processes.values():
            process.hold()
        for name, process in self.processes.items():
            if name in {"postgres", "standby"}:
                # Killed, it would leave its shared memory behind.
                process.end(seconds=5)
            process.kill()
        for proxy in self.proxies.values():
            proxy.stop()
        for place in mounts.under(self.home):
            mounts.unmount(place)
        discard(self.home)
