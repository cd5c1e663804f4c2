"""Transactions that wait for each other for real, each in a thread and on its own connection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from django.db import connection, transaction

T = TypeVar("T")
SECONDS: Final = 30
_LOOKS: Final = 30_000


def while_uncommitted(
    change: Callable[[], object], work: Callable[[], T], *, waits_for: str = "transactionid"
) -> T:
    """What `work` returns, which waits for the end of the transaction of `change`.

    `waits_for` is the type of the lock: `advisory`, or `transactionid` for a row of the other's.
    """
    changed, at_hand = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                change()
                changed.set()
                assert at_hand.wait(SECONDS)
        finally:
            connection.close()

    def wait() -> T:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        holder = pool.submit(hold)
        assert changed.wait(SECONDS)
        waiter = pool.submit(wait)
        assert any(_somebody_waits(waits_for) for _ in range(_LOOKS)), "nobody waits"
        at_hand.set()
        holder.result(SECONDS)
        return waiter.result(SECONDS)


def _somebody_waits(locktype: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE locktype = %s AND NOT granted", [locktype])
        return cursor.fetchone() is not None
