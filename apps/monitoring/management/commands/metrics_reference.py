"""Print the reference of all metrics."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.monitoring.reference import reference


class Command(BaseCommand):
    """Prints `docs/metrics.md`."""

    help = "Print the reference of all metrics as Markdown (docs/metrics.md)."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(reference(), ending="")
