"""Django's backend of PostgreSQL, with a health check that costs no way to the server.

Django asks `SELECT 1` of a connection that it has kept, before the first statement of each request
and each task. Where the statement itself takes 0.2 ms, that was two fifths of a board's read.
"""

from __future__ import annotations

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that PostgreSQL, its host or a proxy has ended says so: its socket is readable.

    A host that is gone without a word is found by the statement instead, after `tcp_user_timeout`,
    as it would have been by `SELECT 1`; then the request is answered 503, the chunk comes again.
    """

    def is_usable(self) -> bool:
        """Whether the next statement may be sent: asked of the server only where in doubt."""
        if self.connection is None:
            return False
        return self._is_quiet() or super().is_usable()

    def _is_quiet(self) -> bool:
        if self.errors_occurred or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        # Between two statements PostgreSQL sends nothing but why it is going, or TLS its tickets.
        return not poll.poll(0)
