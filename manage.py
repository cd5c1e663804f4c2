#!/usr/bin/env python
"""Django's command line."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

from gamemetrics.environment import SettingInvalid


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gamemetrics.settings")
    try:
        execute_from_command_line(sys.argv)
    except SettingInvalid as error:
        sys.exit(f"gamemetrics cannot start: {error}")


if __name__ == "__main__":
    main()
