"""The user that PostgreSQL runs as, which refuses root, and what that user can reach."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """An operating-system user; without ids it is the one we already are."""

    user_id: int | None = None
    group_id: int | None = None

    def run(self, argv: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Runs a command as this account, with its output captured."""
        return subprocess.run(
            argv,
            user=self.user_id,
            group=self.group_id,
            extra_groups=None if self.user_id is None else [],
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def can_reach(self, path: Path) -> bool:
        return self.user_id is None or self.run(["test", "-x", path]).returncode == 0

    def own(self, path: Path) -> None:
        if self.user_id is not None and self.group_id is not None:
            os.chown(path, self.user_id, self.group_id)


def server_account() -> Account:
    """As root, `postgres` or else `nobody`; as anybody else, oneself."""
    if os.geteuid() != 0:
        return Account()
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return Account(user_id=entry.pw_uid, group_id=entry.pw_gid)
