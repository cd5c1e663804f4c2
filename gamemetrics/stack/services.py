"""Brings PostgreSQL, Redis and Kafka up: prepared, started, answering."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gamemetrics.stack import kafka, postgres, redis_server
from gamemetrics.stack.environment import Environment, client_settings
from gamemetrics.stack.errors import StackError
from gamemetrics.stack.ports import answers, require_free
from gamemetrics.stack.processes import wait_until
from gamemetrics.stack.progress import Progress
from gamemetrics.stack.supervision import DOWN_STATES, Starts, Supervisor
from gamemetrics.stack.topic import answers as kafka_answers
from gamemetrics.stack.topic import ensure_topic

PATIENCE_SECONDS = 60
TAIL_LINES = 20


class ServiceFailed(StackError):
    """A process of the stack did not come up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    environ: Mapping[str, str]
    environment: Environment
    supervisor: Supervisor
    progress: Progress

    def bring_up(self, names: tuple[str, ...], then: Mapping[str, Callable[[], None]]) -> None:
        """Brings services up side by side; `then` is what to do once a service answers."""
        ways = {"postgres": self.postgres, "redis": self.redis, "kafka": self.kafka}
        with ThreadPoolExecutor(max_workers=len(ways)) as threads:
            pending = [threads.submit(_in_turn, ways[name], then.get(name)) for name in names]
        for outcome in pending:
            outcome.result()

    def postgres(self) -> None:
        state, credentials = self.environment.state, self.environment.credentials
        with self.progress.step("PostgreSQL answers"):
            if self._is_down("postgres"):
                postgres.prepare(self.environ, self.environment.layout, state.ports, credentials)
            self._start_and_wait("postgres", lambda: postgres.answers(state.ports, credentials))
            postgres.ensure_database(state.ports, credentials)

    def redis(self) -> None:
        ports = self.environment.state.ports
        with self.progress.step("Redis answers"):
            if self._is_down("redis"):
                redis_server.prepare(self.environment.layout, ports)
            self._start_and_wait("redis", lambda: redis_server.answers(ports))

    def kafka(self) -> None:
        state, layout = self.environment.state, self.environment.layout
        access = client_settings(state.carried) if state.kafka_is_given else {}
        title = "Kafka answers" + (" (not ours)" if state.kafka_is_given else "")
        with self.progress.step(title):
            if not state.kafka_is_given:
                if self._is_down("kafka"):
                    kafka.prepare(self.environ, layout, state.ports, self.progress.note)
                self._start_and_wait("kafka", lambda: _broker_answers(self.kafka_address()))
            ensure_topic(self.kafka_address(), state.topic, access=access)

    def kafka_address(self) -> str:
        """Where Kafka answers; empty while the fallback broker has not said so."""
        if self.environment.state.kafka_is_given:
            return self.environment.state.bootstrap_servers
        file = kafka.address_file(self.environment.layout)
        return file.read_text().strip() if file.exists() else ""

    def _is_down(self, name: str) -> bool:
        return self.supervisor.states()[name].state in DOWN_STATES

    def _start_and_wait(self, name: str, is_there: Callable[[], bool]) -> None:
        if self._is_down(name):
            require_free(self.environment.state.ports, [name])
            self.supervisor.start(name)
        starts = Starts()
        wait_until(
            lambda: name in starts.failing(self.supervisor.states()) or is_there(),
            seconds=PATIENCE_SECONDS,
        )
        if not is_there():
            raise ServiceFailed(failure(self.supervisor, [name]))


def _in_turn(first: Callable[[], None], then: Callable[[], None] | None) -> None:
    first()
    if then:
        then()


def _broker_answers(address: str) -> bool:
    # librdkafka takes its whole timeout to find that nobody listens: ask the port first.
    host, _, port = address.rpartition(":")
    return bool(address) and answers(int(port), host) and kafka_answers(address)


def failure(supervisor: Supervisor, names: list[str]) -> str:
    """Which of these processes are not right, with the end of each one's log."""
    states = supervisor.states()
    lines: list[str] = []
    for name in names:
        log = supervisor.layout.log_file(name)
        lines.append(f"{name} is {states[name].state}; the end of {log}:")
        text = log.read_text(errors="replace") if log.exists() else ""
        lines += [f"    {line}" for line in text.splitlines()[-TAIL_LINES:]]
    return "\n".join(lines)
