"""`up`: everything running and ready, or an error that says what is not."""

import urllib.error
import urllib.request
from collections.abc import Mapping

from gamemetrics.stack.applications import launches, make_admin, migrate
from gamemetrics.stack.credentials import Credentials
from gamemetrics.stack.down import end_everything
from gamemetrics.stack.environment import Environment
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.locking import locked
from gamemetrics.stack.ports import answers, require_free
from gamemetrics.stack.private_files import write_pairs
from gamemetrics.stack.processes import ours, wait_until
from gamemetrics.stack.programs import PROGRAMS, SERVICES
from gamemetrics.stack.progress import Progress
from gamemetrics.stack.run_state import RunState
from gamemetrics.stack.services import ServiceFailed, Services, failure
from gamemetrics.stack.supervision import DOWN_STATES, Starts, Supervisor

READY_SECONDS = 90
APPLICATIONS = tuple(program.name for program in PROGRAMS if program.name not in SERVICES)


def up(
    environ: Mapping[str, str], progress: Progress, only: tuple[str, ...] | None = None
) -> Environment:
    """Brings the stack up, or `only` some of its services, and waits until they answer.

    Harmless on a running stack: it keeps the ports and settings it was started with, and what is
    down is started again. Raises StackError.
    """
    layout = Layout.from_environ(environ)
    layout.make()
    # Two `up` of one stack at once: the second waits, then finds everything there.
    with locked(layout.lock_file):
        supervisor = Supervisor(layout=layout)
        environment = _begun(environ, layout, supervisor, progress, only)
        services = Services(
            environ=environ, environment=environment, supervisor=supervisor, progress=progress
        )
        whole = only is None
        services.bring_up(
            only or SERVICES,
            {"postgres": lambda: _fill(environment, progress)} if whole else {},
        )
        before = environment.state.bootstrap_servers
        after = services.kafka_address()
        environment = _kept(environment, after, admin_is_made=whole)
        if whole:
            _applications_up(environment, supervisor, progress, moved=before not in {"", after})
    return environment


def _begun(
    environ: Mapping[str, str],
    layout: Layout,
    supervisor: Supervisor,
    progress: Progress,
    only: tuple[str, ...] | None,
) -> Environment:
    """A supervisord that answers, and the settings of this run."""
    supervised = supervisor.answers()
    state = RunState.recall(layout)
    if not supervised and ours(layout):
        with progress.step("what a killed supervisor left is ended"):
            end_everything(layout)
    if state:
        for kept in state.unlike(environ):
            progress.note(f"started before with {kept}: `make down` first to change it")
    state = state or RunState.from_environ(environ)
    wanted = [name for name in only or (*SERVICES, *APPLICATIONS) if _is_run(name, state)]
    if supervised:
        states = supervisor.states()
        wanted = [name for name in wanted if states[name].state in DOWN_STATES]
    require_free(state.ports, wanted)
    environment = Environment(layout=layout, state=state, credentials=Credentials.of(layout))
    state.keep(layout)
    if not supervised:
        supervisor.run()
    return environment


def _is_run(name: str, state: RunState) -> bool:
    return not (name == "kafka" and state.kafka_is_given)


def _kept(environment: Environment, address: str, *, admin_is_made: bool) -> Environment:
    """The environment with what is known now, written for `.stack/env` and the next `up`."""
    state = environment.state.with_bootstrap_servers(address)
    if admin_is_made:
        state = state.with_admin()
    kept = Environment(layout=environment.layout, state=state, credentials=environment.credentials)
    state.keep(kept.layout)
    write_pairs(kept.layout.env_file, kept.shown())
    return kept


def _fill(environment: Environment, progress: Progress) -> None:
    with progress.step("database is migrated"):
        migrate(environment)
    if not environment.state.admin_is_made:
        with progress.step("admin user exists"):
            make_admin(environment)


def _applications_up(
    environment: Environment, supervisor: Supervisor, progress: Progress, *, moved: bool
) -> None:
    """Starts what is down; where Kafka has moved, also what would still look for it there."""
    with progress.step("applications are ready"):
        if moved:
            supervisor.stop([program for program in PROGRAMS if program.name in APPLICATIONS])
        states = supervisor.states()
        for name, launch in launches(environment).items():
            if states[name].state in DOWN_STATES:
                launch.save(environment.layout, name)
                supervisor.start(name)
        _wait_until_ready(environment, supervisor)


def _wait_until_ready(environment: Environment, supervisor: Supervisor) -> None:
    starts = Starts()

    def settled() -> bool:
        if starts.failing(supervisor.states()):
            return True
        return not _silent(environment) and readiness(environment.ready_url)[0]

    wait_until(settled, seconds=READY_SECONDS, every=0.1)
    failing = starts.failing(supervisor.states())
    silent = _silent(environment)
    ready, told = readiness(environment.ready_url)
    if failing or silent or not ready:
        raise ServiceFailed(
            f"not ready: {environment.ready_url} says {told}\n"
            f"{failure(supervisor, failing or silent or ['web'])}"
        )


def _silent(environment: Environment) -> list[str]:
    """The applications that do not listen yet on every port of theirs."""
    ports = environment.state.ports
    return [name for name in APPLICATIONS if not all(map(answers, ports.of(name).values()))]


def readiness(url: str) -> tuple[bool, str]:
    """Whether /health/ready is 200, and what it said."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200, str(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return False, f"{refusal.code} {refusal.read(2000).decode(errors='replace')}"
    except OSError as problem:
        return False, str(problem)
