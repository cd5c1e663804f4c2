"""The dead letters' application."""

from __future__ import annotations

from django.apps import AppConfig


class DeadLettersConfig(AppConfig):
    """Has the web process count the open letters when it is scraped."""

    name = "apps.deadletters"
    verbose_name = "Dead letters"

    def ready(self) -> None:
        # Models can only be imported once the registry is ready.
        from apps.deadletters.gauges import count_letters
        from apps.monitoring.views import before_scrape

        before_scrape.append(count_letters)
