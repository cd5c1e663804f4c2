"""Sizes of the local stack that must fit each other."""

from __future__ import annotations

from gamemetrics.stack.applications import STREAM_THREADS, WEB_THREADS
from gamemetrics.stack.postgres import SETTINGS

# Three workers, the bridge's two, operators' commands and psql, and those reserved for superusers.
OTHERS = 40


def test_every_thread_of_the_web_server_can_keep_a_connection() -> None:
    assert int(SETTINGS["max_connections"]) >= WEB_THREADS + STREAM_THREADS + OTHERS
