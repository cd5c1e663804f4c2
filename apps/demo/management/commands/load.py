"""`manage.py load`: generated events at a steady rate, counted to the last one."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.demo import report
from apps.demo.arguments import whole
from apps.demo.failure import Failed
from apps.demo.load_run import Load
from apps.demo.schedule import Plan
from apps.demo.session import Session
from apps.demo.stack_env import StackEnv


class Command(BaseCommand):
    """Exit 1 if a single count is off."""

    help = "Send generated events to the running stack on this host and check every count."
    # The stack checks itself; this is a client of it.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rate", type=whole(1, 100_000), default=1_000, help="events a second")
        parser.add_argument("--seconds", type=whole(1, 3_600), default=30)
        parser.add_argument("--players", type=whole(1, 1_000_000), default=2_000)
        parser.add_argument("--batch", type=whole(1, 1_000), default=100, help="events a request")

    def handle(self, *args: Any, **options: Any) -> None:
        console = report.console()
        plan = Plan(rate=options["rate"], seconds=options["seconds"], batch=options["batch"])
        try:
            env = StackEnv.read(os.environ, settings.BASE_DIR)
            env.require_loopback()
            with Session.opened(env, settings.KAFKA_CLIENT, console) as session:
                found = Load(session=session, plan=plan, players=options["players"]).run()
        except Failed as error:
            raise CommandError(str(error)) from error
        report.problems(console, found)
        if found:
            raise CommandError("some counts are off")
        console.print("  every count is right", style="green", highlight=False)
