"""PostgreSQL over TLS, its certificate checked, by the parameters of DATABASE_URL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import trustme

from bridge.ledger import LedgerUnavailable, PostgresLedger
from gamemetrics.environment import DatabaseSettings, Environment
from gamemetrics.stack.credentials import Credentials
from gamemetrics.stack.ports import HOST
from gamemetrics.stack.postgres import SUPERUSER
from gamemetrics.stack.processes import wait_until
from gamemetrics.stack.unprivileged import server_account
from tests.services import Stack, discard, new_stack
from tests.stack_probes import PATIENCE_SECONDS, up


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def encrypted(authority: trustme.CA) -> Iterator[Stack]:
    """A PostgreSQL that speaks TLS, with a certificate for its address."""
    stack = new_stack()
    up(stack, "postgres")
    issued = authority.issue_cert(HOST)
    with closing(as_superuser(stack)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SHOW data_directory")
        ((directory,),) = cursor.fetchall()
        for setting, name, text in (
            ("ssl_cert_file", "server.pem", issued.cert_chain_pems[0].bytes()),
            ("ssl_key_file", "server.key", issued.private_key_pem.bytes()),
        ):
            path = Path(directory) / name
            path.touch(mode=0o600)
            path.write_bytes(text)
            server_account().own(path)
            cursor.execute(f"ALTER SYSTEM SET {setting} = %s", [name])
        cursor.execute("ALTER SYSTEM SET ssl = on")
        cursor.execute("SELECT pg_reload_conf()")
    assert wait_until(lambda: speaks_tls(stack), seconds=PATIENCE_SECONDS)
    yield stack
    discard(stack.dir)


def as_superuser(stack: Stack) -> psycopg2.extensions.connection:
    return psycopg2.connect(
        stack.env["DATABASE_URL"],
        user=SUPERUSER,
        password=Credentials.of(stack.layout).database_superuser_password,
    )


def speaks_tls(stack: Stack) -> bool:
    try:
        psycopg2.connect(stack.env["DATABASE_URL"], sslmode="require").close()
    except psycopg2.OperationalError:
        return False
    return True


def settings(stack: Stack, authority: trustme.CA, directory: Path) -> DatabaseSettings:
    """As a process reads them: verify-full, against this authority."""
    file = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    url = f"{stack.env['DATABASE_URL']}?sslmode=verify-full&sslrootcert={file}"
    return DatabaseSettings.read(Environment(values={"DATABASE_URL": url}))


def test_a_certificate_that_holds_is_taken(
    encrypted: Stack, authority: trustme.CA, tmp_path: Path
) -> None:
    dsn = settings(encrypted, authority, tmp_path).dsn()
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert cursor.fetchall() == [(True,)]


def test_a_certificate_of_another_authority_is_an_outage_of_the_bridge_and_says_so(
    encrypted: Stack, tmp_path: Path
) -> None:
    ledger = PostgresLedger(settings(encrypted, trustme.CA(), tmp_path).dsn())
    with pytest.raises(LedgerUnavailable, match="certificate verify failed"):
        ledger.prune(uuid.uuid4())


def test_a_certificate_of_another_name_is_refused(
    encrypted: Stack, authority: trustme.CA, tmp_path: Path
) -> None:
    dsn = settings(encrypted, authority, tmp_path).dsn().replace(HOST, "localhost")
    with pytest.raises(psycopg2.OperationalError, match="does not match host name"):
        psycopg2.connect(dsn)


def test_django_reads_the_same_parameters(
    encrypted: Stack, authority: trustme.CA, tmp_path: Path
) -> None:
    good = settings(encrypted, authority, tmp_path).dsn()
    code = (
        "import django; django.setup()\n"
        "from django.db import connection\n"
        "with connection.cursor() as cursor:\n"
        "    cursor.execute('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')\n"
        "    print(cursor.fetchall())\n"
    )
    settled = {"DJANGO_SETTINGS_MODULE": "gamemetrics.settings", "DATABASE_URL": good}
    told = Stack(environ={**encrypted.environ, **settled}).run("-c", code)
    assert told.stdout.strip() == "[(True,)]", told.stderr
