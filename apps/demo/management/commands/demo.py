"""`manage.py demo`: stream the shipped chess events and print the leaderboards."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.demo import report
from apps.demo.arguments import whole
from apps.demo.demo_run import Demo
from apps.demo.failure import Failed
from apps.demo.session import Session
from apps.demo.stack_env import StackEnv


class Command(BaseCommand):
    """Exit 0 only if every total is the known one; a second run changes none."""

    help = "Stream 70,288 real chess events through the running stack and check every total."
    # The stack checks itself; this is a client of it.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", type=whole(1, 1_000), default=500, help="events a request")
        parser.add_argument("--connections", type=whole(1, 32), default=4)

    def handle(self, *args: Any, **options: Any) -> None:
        console = report.console()
        try:
            env = StackEnv.read(os.environ, settings.BASE_DIR)
            with Session.opened(env, settings.KAFKA_CLIENT, console) as session:
                demo = Demo(
                    session=session,
                    batch=options["batch"],
                    connections=options["connections"],
                )
                found = demo.run()
        except Failed as error:
            raise CommandError(str(error)) from error
        report.problems(console, found)
        if found:
            raise CommandError("the totals are not the known ones")
        console.print("  every total is the known one", style="green", highlight=False)
