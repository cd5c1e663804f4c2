"""Reading how a board came to be what it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import F, Func, TextField

from apps.leaderboards.models import Board, BoardVersion

SHOWN: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """A definition that a board had; JSON text as PostgreSQL indents it, so no digit is lost."""

    version: int
    definition: str
    changed_by: str
    reason: str
    created_at: datetime


def versions(board: Board) -> list[Version]:
    """The newest definitions of a board, from the newest on."""
    text = Func(F("definition"), function="jsonb_pretty", output_field=TextField())
    rows = BoardVersion.objects.filter(board=board).order_by("-version")
    return [
        Version(
            version=row["version"],
            definition=row["text"],
            changed_by=row["changed_by"],
            reason=row["reason"],
            created_at=row["created_at"],
        )
        for row in rows.values("version", "changed_by", "reason", "created_at", text=text)[:SHOWN]
    ]
