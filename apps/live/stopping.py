"""End the streams when the process is told to stop; the server waits for their threads."""

from __future__ import annotations

import signal
import socket
import threading
from typing import Final

from apps.live.hub import hub

_STOPS: Final = frozenset({signal.SIGTERM, signal.SIGINT})


def end_streams_on_signals() -> None:
    """Watch for SIGTERM and SIGINT without a handler: granian sets its own after the app loads.

    Does nothing outside of the main thread (manage.py runserver), where streams just die.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    told, tell = socket.socketpair()
    tell.setblocking(False)
    signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(told, tell), name="live-stop", daemon=True).start()


def _watch(told: socket.socket, tell: socket.socket) -> None:
    """Reads the numbers of signals; holds `tell`, which would be closed without a holder."""
    while numbers := told.recv(64):
        if _STOPS & set(numbers):
            hub().stop()
