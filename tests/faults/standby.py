"""A second PostgreSQL that follows the first."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from gamemetrics.stack import postgres
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.ports import HOST
from gamemetrics.stack.programs import Launch
from gamemetrics.stack.unprivileged import server_account
from tests.rigs.postgres_server import PostgresServer
from tests.rigs.processes import NotRunning


def basebackup(server: str) -> str | None:
    """The pg_basebackup that belongs to the `postgres` of this path."""
    beside = Path(server).resolve().with_name("pg_basebackup")
    return str(beside) if beside.exists() else shutil.which("pg_basebackup")


def copy(primary: PostgresServer, launch: Launch, port: int) -> tuple[PostgresServer, Launch]:
    """Copy the primary while it runs, into a standby that follows it once it is started."""
    tool = basebackup(launch.argv[0])
    if tool is None:
        raise NotRunning("no pg_basebackup, which makes a standby")
    away = Layout(root=primary.home).away
    away.mkdir(mode=0o711, exist_ok=True)
    data = away / f"standby-{port}"
    data.mkdir(mode=0o700)
    account = server_account()
    account.own(data)
    copied = subprocess.run(
        [
            tool,
            *("--host", HOST, "--port", str(primary.port), "--username", postgres.SUPERUSER),
            *("--pgdata", str(data), "--checkpoint=fast", "--wal-method=stream"),
            "--write-recovery-conf",
        ],
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "PGPASSWORD": primary.credentials.database_superuser_password,
        },
        user=account.user_id,
        group=account.group_id,
        extra_groups=None if account.user_id is None else [],
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if copied.returncode:
        raise NotRunning(f"pg_basebackup failed: {copied.stderr.strip()}")
    argv = [_moved(argument, primary.port, port) for argument in launch.argv]
    argv[argv.index("-D") + 1] = str(data)
    return replace(primary, port=port), replace(launch, argv=argv, directory=str(data))


def _moved(argument: str, old: int, new: int) -> str:
    return f"port={new}" if argument == f"port={old}" else argument
