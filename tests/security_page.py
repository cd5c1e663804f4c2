"""What docs/security.md tells an operator to type, for the tests to type it."""

from __future__ import annotations

import re

from gamemetrics.stack.layout import PROJECT_ROOT

_PAGE = (PROJECT_ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def _rules(user: str) -> tuple[str, ...]:
    """The rules of a user of Redis, after its name and password."""
    (found,) = re.findall(rf"^user {user} on >\S+ (.+)$", _PAGE, re.MULTILINE)
    return tuple(found.split())


BROKER_RULES = _rules("gamemetrics-broker")
CACHE_RULES = _rules("gamemetrics-cache")


def grants(database: str, owner: str, role: str) -> str:
    """The statements that give the processes' role its rights."""
    (found,) = re.findall(r"^```sql\n(.+?)^```", _PAGE, re.MULTILINE | re.DOTALL)
    named = found.replace("gamemetrics_owner", owner).replace("gamemetrics_app", role)
    return str(named.replace("DATABASE gamemetrics", f"DATABASE {database}"))
