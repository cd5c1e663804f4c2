"""The stack's PostgreSQL: made once, reached by TCP on 127.0.0.1 with a password only."""

import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg2
from psycopg2 import sql

from gamemetrics.stack.credentials import Credentials
from gamemetrics.stack.errors import StackError
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.ports import HOST, Ports
from gamemetrics.stack.postgres_binaries import Binaries, choose
from gamemetrics.stack.programs import Launch
from gamemetrics.stack.unprivileged import Account, server_account

DATABASE = "gamemetrics"
OWNER = "gamemetrics"
SUPERUSER = "postgres"

# For a laptop with two cores that also runs everything else.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    # No socket: its path would be too long or its lock file in the way of another user.
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "256MB",
    # One for each thread of the web server (96), which keeps it, and 64 for all others.
    "max_connections": "160",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "synchronous_commit": "on",
    "fsync": "on",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_statement": "none",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class InitdbFailed(StackError):
    """The database cluster could not be made."""


class UnsafeDirectory(StackError):
    """A directory that we need belongs to somebody else."""


def database_url(ports: Ports, credentials: Credentials) -> str:
    password = credentials.database_password
    return f"postgresql://{OWNER}:{password}@{HOST}:{ports.postgres_port}/{DATABASE}"


def prepare(
    environ: Mapping[str, str], layout: Layout, ports: Ports, credentials: Credentials
) -> None:
    """Makes the cluster if there is none, and says how to start it."""
    account = server_account()
    home = _home(layout, account)
    binaries = choose(environ, layout, home, account)
    if not (home / "PG_VERSION").exists():
        _make_cluster(binaries, home, account, credentials)
    settings = {
        **SETTINGS,
        "port": str(ports.postgres_port),
        "wal_compression": _wal_compression(binaries, home, account),
    }
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    Launch(
        argv=[str(binaries.postgres), "-D", str(home), *options],
        environ={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        directory=str(home),
        user_id=account.user_id,
        group_id=account.group_id,
    ).save(layout, "postgres")


def _home(layout: Layout, account: Account) -> Path:
    """The data directory: in the state directory, or where the account can reach it."""
    home = layout.postgres
    if not account.can_reach(layout.root):
        layout.away.mkdir(mode=0o711, exist_ok=True)
        # /var/tmp is everybody's: somebody else may have made a directory of this name.
        if layout.away.stat().st_uid != os.geteuid():
            raise UnsafeDirectory(f"{layout.away} belongs to another user: remove it")
        home = layout.away / "postgres"
    home.mkdir(mode=0o700, exist_ok=True)
    account.own(home)
    return home


def _make_cluster(
    binaries: Binaries, home: Path, account: Account, credentials: Credentials
) -> None:
    with TemporaryDirectory(prefix="gamemetrics-") as temporary:
        password = Path(temporary) / "password"
        password.touch(mode=0o600)
        password.write_text(credentials.database_superuser_password)
        account.own(Path(temporary))
        account.own(password)
        made = account.run(
            [
                binaries.initdb,
                f"--pgdata={home}",
                f"--username={SUPERUSER}",
                f"--pwfile={password}",
                "--auth-host=scram-sha-256",
                "--auth-local=reject",
                "--encoding=UTF8",
                # The one locale that every build has, and that orders text as Python does.
                "--locale=C",
                "--data-checksums",
            ]
        )
    if made.returncode:
        raise InitdbFailed(f"initdb failed: {made.stdout}{made.stderr}".strip())


def _wal_compression(binaries: Binaries, home: Path, account: Account) -> str:
    """lz4 where this build has it."""
    asked = account.run(
        [binaries.postgres, "-D", home, "-c", "wal_compression=lz4", "-C", "wal_compression"]
    )
    return "lz4" if asked.returncode == 0 else "pglz"


def answers(ports: Ports, credentials: Credentials) -> bool:
    try:
        _connect(ports, credentials).close()
    except psycopg2.OperationalError:
        return False
    return True


def ensure_database(ports: Ports, credentials: Credentials) -> None:
    """Makes our role, which may create test databases, and our database where they are missing."""
    with closing(_connect(ports, credentials)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER])
            verb = sql.SQL("ALTER" if cursor.fetchone() else "CREATE")
            cursor.execute(
                sql.SQL("{} ROLE {} LOGIN CREATEDB PASSWORD {}").format(
                    verb, sql.Identifier(OWNER), sql.Literal(credentials.database_password)
                )
            )
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if not cursor.fetchone():
                cursor.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(DATABASE), sql.Identifier(OWNER)
                    )
                )


def _connect(ports: Ports, credentials: Credentials) -> "psycopg2.extensions.connection":
    return psycopg2.connect(
        host=HOST,
        port=ports.postgres_port,
        user=SUPERUSER,
        password=credentials.database_superuser_password,
        dbname="postgres",
        connect_timeout=2,
    )
