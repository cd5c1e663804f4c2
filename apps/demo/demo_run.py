"""The demo: real events through the whole pipeline, and proof that every total is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import httpx

from apps.demo import differences, reading, report, verify
from apps.demo.boards import BOARDS
from apps.demo.connections import client
from apps.demo.facts import Facts, as_known, facts_of
from apps.demo.lichess import Recording, known, recording
from apps.demo.pacing import MOST_BEHIND
from apps.demo.session import Measured, Session
from apps.demo.stream import Tally

SHOWN_GAME: Final = "lichess-blitz"
PACED: Final = f"with up to {MOST_BEHIND:,} events waiting in line"


@dataclass(frozen=True, kw_only=True, slots=True)
class Demo:
    """`batch` events a request, over `connections` connections."""

    session: Session
    batch: int
    connections: int

    def run(self) -> list[str]:
        """Stream, wait, show; what differs from the known totals. Raises Failed."""
        session, played = self.session, recording()
        facts = facts_of(played)
        with client(session.env.api_url, self._key()) as http:
            new = reading.declare_boards(http, facts.games)
            session.console.print(
                f"  {len(facts.games) * len(BOARDS)} boards are declared ({new} of them now)",
                highlight=False,
            )
            before = verify.count(session.database, facts)
            tally = Tally()
            measured = self._stream(played, tally)
            found = [*self._file_problems(facts), *verify.problems(session.database, facts)]
            found += reading.board_problems(http, facts)
            self._show(http, facts, tally, measured, before)
        return found

    def _key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.session.env.management_key}"}

    def _stream(self, played: Recording, tally: Tally) -> Measured:
        lanes = played.lanes(self.connections, self.batch)
        return self.session.run(lanes, len(played.lines), tally, paced=True)

    def _file_problems(self, facts: Facts) -> list[str]:
        """Whether the shipped file is the one that its known totals are of."""
        return differences.of_mappings("shipped file", known(), as_known(facts, known()))

    def _show(
        self, http: httpx.Client, facts: Facts, tally: Tally, measured: Measured, before: int
    ) -> None:
        session = self.session
        now = verify.count(session.database, facts)
        rows = [
            ("events in the log", f"{now:,} ({now - before:,} new)"),
            ("players", f"{verify.players(session.database, facts):,}"),
            ("dead letters", f"{verify.dead_letters(session.database, facts.games):,}"),
            ("accepted", f"{tally.accepted / measured.accepted_seconds:,.0f} events/s"),
            ("accepted after", f"{measured.accepted_seconds:.1f} s"),
            ("applied by all after", f"{measured.applied_seconds:.1f} s"),
            ("requests sent again", f"{tally.retries:,}"),
        ]
        summary = report.summary("Lichess, 2021-10-01", rows)
        report.show(session.console, summary, report.latencies(measured, PACED))
        tables = []
        for board in BOARDS:
            total, entries = reading.read_board(http, SHOWN_GAME, board.name, limit=10)
            title = f"{SHOWN_GAME} by {board.name}"
            tables.append(report.ranking(title, board.name, total, entries))
        report.show(session.console, *tables)
        report.urls(session.console, session.env)
