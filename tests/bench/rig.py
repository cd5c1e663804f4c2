"""A stack of its own to measure: the local stack's processes, started without a supervisor.

A process that dies is not started again: the row fails and says so.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import msgspec

from apps.contract.queues import Consumer
from apps.demo.database import Database
from apps.demo.positions import Positions, wait_until_applied
from apps.demo.topic import KafkaUnavailable, Topic
from gamemetrics.stack import applications, kafka, postgres, redis_server
from gamemetrics.stack.credentials import Credentials
from gamemetrics.stack.environment import Environment
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.ports import Ports
from gamemetrics.stack.processes import wait_until
from gamemetrics.stack.programs import QUEUES, Launch
from gamemetrics.stack.run_state import DEFAULT_TOPIC, RunState
from gamemetrics.stack.topic import answers as kafka_answers
from gamemetrics.stack.topic import ensure_topic
from tests.bench import database, http_load, kafka_load
from tests.bench.child import Child
from tests.rigs import web_probe
from tests.rigs.postgres_server import PostgresServer
from tests.rigs.processes import NotRunning, Process
from tests.stack_homes import discard, new_home, reserve_ports

PATIENCE: Final = 120.0  # seconds
SERVERS: Final = ("postgres", "redis", "kafka")
WORKERS: Final = tuple(f"worker-{queue}" for queue in QUEUES)
APPLICATIONS: Final = ("web", "bridge", *WORKERS, "flower")
GROUPS: Final = (*SERVERS, *APPLICATIONS)
# A load above the API's limit is meant here.
CARRIED: Final = {"RATE_LIMIT_RPS": "1000000"}
WARMING: Final = 600  # events


@dataclass(kw_only=True)
class Rig:
    """The servers, and our processes as a row wants them; `stop` ends all of it."""

    home: Path = field(init=False)
    processes: dict[str, Process] = field(default_factory=dict)
    topic: str = DEFAULT_TOPIC
    partitions: int = 3
    carried: Mapping[str, str] = field(default_factory=lambda: dict(CARRIED))
    _children: list[Child] = field(default_factory=list)

    def start(self) -> None:
        """Start the servers and make the schema. Raises NotRunning or StackError."""
        self.home = new_home()
        try:
            self._prepare()
            for name in SERVERS:
                self._add(name, Launch.load(self.layout.launch_file(name))).start()
            self._await("PostgreSQL", self.postgres.answers)
            postgres.ensure_database(self.ports, self.credentials)
            self._await("Redis", lambda: redis_server.answers(self.ports))
            self._await("Kafka", lambda: kafka_answers(self.servers))
            ensure_topic(self.servers, self.topic, self.partitions)
            applications.migrate(self.environment)
        except BaseException:
            self.stop()
            raise

    def _prepare(self) -> None:
        self.layout = Layout(root=self.home)
        self.layout.make()
        self.credentials = Credentials.of(self.layout)
        names = [one.name for one in fields(Ports)]
        self.ports = Ports(**dict(zip(names, reserve_ports(len(names)), strict=True)))
        self.postgres = PostgresServer(
            port=self.ports.postgres_port, home=self.home, credentials=self.credentials
        )
        postgres.prepare(os.environ, self.layout, self.ports, self.credentials)
        redis_server.prepare(self.layout, self.ports)
        # Figures of another broker would be figures of something else.
        kafka.prepare({**os.environ, "STACK_KAFKA": "apache"}, self.layout, self.ports, print)

    def _add(self, name: str, launch: Launch) -> Process:
        # SIGINT is PostgreSQL's fast shutdown.
        number = signal.SIGINT if name == "postgres" else signal.SIGTERM
        process = Process(name=name, home=self.home, launch=launch, stop_signal=number)
        self.processes[name] = process
        return process

    @property
    def environment(self) -> Environment:
        state = RunState(ports=self.ports, topic=self.topic, carried=self.carried)
        return Environment(layout=self.layout, state=state, credentials=self.credentials)

    @property
    def servers(self) -> str:
        return self.environment.bootstrap_servers

    @property
    def database_url(self) -> str:
        return self.postgres.url()

    def run(self, *names: str, **settings: str) -> None:
        """Have exactly these of our processes run, with these settings beside the usual ones.

        One that runs with other settings is started again. Raises NotRunning.
        """
        self.carried = {**CARRIED, **settings}
        launches = applications.launches(self.environment)
        for name in reversed(APPLICATIONS):
            process = self.processes.get(name) or self._add(name, launches[name])
            if name not in names or process.launch != launches[name]:
                process.end(seconds=30)
            process.launch = launches[name]
        for name in names:
            self.processes[name].start()
        if "web" in names:
            self._await("the API", lambda: web_probe.is_ready(self.ports.web_port))

    def use_topic(self, topic: str, partitions: int) -> None:
        """From the next `run` on our processes use this topic, made if it is missing."""
        self.topic, self.partitions = topic, partitions
        if ensure_topic(self.servers, topic, partitions):
            # It is made before its partitions have their leader.
            self._await(f"topic {topic}", self._has_leaders)

    def _has_leaders(self) -> bool:
        try:
            return len(self.view().ends()) == self.partitions
        except KafkaUnavailable:
            return False

    def demand_alive(self) -> None:
        """Raises NotRunning where a process that should run does not."""
        for name, process in self.processes.items():
            if not process.held and not process.is_running():
                raise NotRunning(f"{name} died; the end of its log:\n{process.tail()}")

    @contextmanager
    def child(self, module: str, plan: msgspec.Struct) -> Iterator[Child]:
        """A process of the harness until the end of the block."""
        child = Child(module, plan, self.environment.given())
        self._children.append(child)
        try:
            yield child
        finally:
            self._children.remove(child)
            child.close()

    def view(self) -> Topic:
        """The topic as Kafka has it."""
        return Topic({"bootstrap.servers": self.servers}, self.topic)

    def produce(self, events: int, **more: Any) -> dict[int, int]:
        """Write so many events at once; where each partition ends now. Raises ChildFailed."""
        plan = kafka_load.Plan(servers=self.servers, topic=self.topic, events=events, **more)
        with self.child("tests.bench.kafka_load", plan) as load:
            load.hear(PATIENCE)
            report = load.hear(PATIENCE)
        if report["failed"]:
            raise NotRunning(f"Kafka did not take {report['failed']} of {events} events")
        return self.view().ends()

    def request(self, plan: http_load.Plan, seconds: float) -> dict[str, Any]:
        """Send so many requests, which may take so long; the load's report. Raises ChildFailed."""
        with self.child("tests.bench.http_load", plan) as load:
            load.hear(PATIENCE)
            return load.hear(seconds + PATIENCE)

    def ready(self, *, warming: int = WARMING, **settings: str) -> None:
        """All our processes run with these settings, are warm and have empty tables before them."""
        self.run(*APPLICATIONS, **settings)
        # Every process then has its connections and has run its code once.
        self.produce(warming)
        self.wait_applied()
        self.reset()

    def wait_applied(self, patience: float = PATIENCE) -> None:
        """Wait until every consumer is at the topic's end. Raises StillBehind, NotRunning."""
        topic, observed = self.view(), Database(self.database_url)
        positions, ends = Positions(topic=topic, database=observed), topic.ends()

        def behind() -> Mapping[Any, int]:
            self.demand_alive()
            return positions.behind(ends)

        try:
            wait_until_applied(behind, patience)
        finally:
            observed.close()

    def reset(self) -> None:
        """Empty tables and cache, keep the positions: rows begin alike. All must be applied."""
        database.empty(self.postgres)
        with self.redis() as client:
            client.flushdb()

    def skip(self, consumers: Sequence[Consumer] = tuple(Consumer)) -> None:
        """Have the bridge, which must not run, begin at the topic's end for these consumers."""
        topic = self.view()
        database.skip_to(self.postgres, str(topic.id), topic.ends(), consumers)

    def redis(self) -> Any:
        return database.cache_client(self.ports)

    def roots(self) -> dict[str, int]:
        """The first pid of each process group that runs."""
        return {name: one.pid for name, one in self.processes.items() if one.is_running()}

    def _await(self, what: str, answers: Callable[[], bool]) -> None:
        def answers_or_dead() -> bool:
            self.demand_alive()
            return answers()

        if not wait_until(answers_or_dead, seconds=PATIENCE, every=0.1):
            raise NotRunning(f"{what} does not answer")

    def stop(self) -> None:
        """End every process, and delete what they wrote."""
        for child in list(self._children):
            child.close()
        for process in self.processes.values():
            process.hold()
        for name in (*APPLICATIONS, "redis", "kafka", "postgres"):
            if name in self.processes:
                # Killed, PostgreSQL would leave its shared memory behind.
                self.processes[name].end(seconds=15 if name == "postgres" else 0.5)
        discard(self.home)
