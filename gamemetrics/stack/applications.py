"""Our own processes: what each is started as, and what must be done before."""

import subprocess
import sys
from collections.abc import Mapping

from gamemetrics.stack.environment import ADMIN_USER, FLOWER_USER, Environment
from gamemetrics.stack.errors import StackError
from gamemetrics.stack.layout import PROJECT_ROOT
from gamemetrics.stack.ports import HOST
from gamemetrics.stack.programs import QUEUES, Launch

# Each thread waits for Kafka's confirmation of one request; more requests wait in the backlog.
WEB_THREADS = 64
# And as many more as there may be streams (apps.live.hub.MAX_STREAMS), each of which holds a
# thread and a connection: POSTs keep theirs.
STREAM_THREADS = 32
# No request line and headers of ours come near it; granian's own bound is six times as much.
HEAD_BYTES = 64 * 1024
# Flower keeps the last tasks in memory, some 2.4 kB each. Of its own 100,000 it was still growing
# after 20 minutes at 3,000 events/s (by 178 MiB); these are two minutes of that.
FLOWER_TASKS = 10_000


class CommandFailed(StackError):
    """A management command failed."""


def launches(environment: Environment) -> Mapping[str, Launch]:
    ports = environment.state.ports
    password = environment.credentials.flower_password
    return {
        "web": Launch(
            argv=[*_module("granian"), *_web(ports.web_port)], environ=environment.given()
        ),
        "bridge": Launch(
            argv=_module("bridge"),
            environ=environment.given(METRICS_PORT=str(ports.bridge_metrics_port)),
        ),
        **{
            f"worker-{queue}": Launch(
                argv=[*_celery("worker"), *_worker(queue)],
                environ=environment.given(METRICS_PORT=_metrics_port(environment, queue)),
            )
            for queue in QUEUES
        },
        "flower": Launch(
            argv=[
                *_celery("flower"),
                f"--address={HOST}",
                f"--port={ports.flower_port}",
                f"--max-tasks={FLOWER_TASKS}",
            ],
            # Not an argument: those are for every user of the machine to read.
            environ=environment.given(FLOWER_BASIC_AUTH=f"{FLOWER_USER}:{password}"),
        ),
    }


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def _celery(command: str) -> list[str]:
    return [*_module("celery"), "-A", "gamemetrics", command]


def _web(port: int) -> list[str]:
    return [
        *("--interface", "wsgi", "gamemetrics.wsgi:application"),
        *("--host", HOST, "--port", str(port)),
        *("--workers", "1", "--respawn-failed-workers"),
        *("--blocking-threads", str(WEB_THREADS + STREAM_THREADS)),
        *("--backpressure", str(2 * WEB_THREADS + STREAM_THREADS)),
        *("--http1-buffer-size", str(HEAD_BYTES), "--no-ws"),
    ]


def _worker(queue: str) -> list[str]:
    return [
        *("-Q", queue, "-n", f"{queue}@%h"),
        *("--pool", "solo", "--concurrency", "1"),
        *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
    ]


def _metrics_port(environment: Environment, queue: str) -> str:
    return str(environment.state.ports.of(f"worker-{queue}")[f"{queue.upper()}_METRICS_PORT"])


def migrate(environment: Environment) -> None:
    _manage(environment, "migrate", "--noinput")


def make_admin(environment: Environment) -> None:
    """Makes the admin user; one that is there already is left alone."""
    try:
        _manage(
            environment,
            "createsuperuser",
            "--noinput",
            DJANGO_SUPERUSER_USERNAME=ADMIN_USER,
            DJANGO_SUPERUSER_EMAIL=f"{ADMIN_USER}@localhost",
            DJANGO_SUPERUSER_PASSWORD=environment.credentials.admin_password,
        )
    except CommandFailed as problem:
        if "already taken" not in str(problem):
            raise


def _manage(environment: Environment, *arguments: str, **more: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=environment.given(**more),
        cwd=PROJECT_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        told = (done.stdout + done.stderr).strip().splitlines()[-15:]
        raise CommandFailed(f"manage.py {arguments[0]} failed:\n" + "\n".join(told))
