"""Where migrations find the exact decimal, which now lives beside the database."""

from __future__ import annotations

from apps.database.fields import ExactDecimalField

__all__ = ["ExactDecimalField"]
