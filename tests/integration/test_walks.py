"""Walks over a board by cursors: nobody is left out or met twice but those who moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from django.test import Client

from apps.leaderboards import rank_reads
from apps.leaderboards.folding import Deltas, Scored
from apps.leaderboards.models import Board
from apps.leaderboards.ranks import RankMode
from apps.leaderboards.rules import Definition, Operator, Order, default_definition
from apps.leaderboards.services import merge, show
from apps.ledger import cache
from tests.builders import GAME, board, minutes
from tests.redis_servers import nobody_there
from tests.standings import expected_lines, lines_of, oracle

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cache")]
PLAYERS = 60


@dataclass
class Visit:
    """A walk over the alltime board of `definition`."""

    client: Client
    definition: Definition
    between: Callable[[], None] = lambda: None
    mode: RankMode = RankMode.ORDINAL
    limit: int = 7
    met: list[str] = field(default_factory=list)
    last: dict[str, Any] = field(default_factory=dict)

    def page(self, cursor: str | None) -> dict[str, Any]:
        asked = {"limit": self.limit, "rank_mode": self.mode.value, "scores": "string"}
        asked |= {} if cursor is None else {"cursor": cursor}
        response = self.client.get(f"/api/v1/leaderboards/{GAME}/{self.definition.name}", asked)
        assert response.status_code == 200, response.content
        return dict(response.json())

    def walk(self, way: str, cursor: str | None = None) -> str | None:
        """Follow `next` or `prev` to the end; the cursor by which the last page was asked."""
        while True:
            page = self.page(cursor)
            self.looks_right(page)
            names = [entry["player_id"] for entry in page["entries"]]
            self.met += names if way == "next" else reversed(names)
            self.last = page
            if page[way] is None:
                return cursor
            cursor = page[way]
            self.between()

    def looks_right(self, page: dict[str, Any]) -> None:
        """The page is a run of the board as it is at this moment, ranks and all."""
        stands = oracle(self.definition.order)
        assert page["total"] == len(stands)
        names = [stand.player_id for stand in stands]
        if page["entries"]:
            first = names.index(page["entries"][0]["player_id"])
            shown = stands[first : first + len(page["entries"])]
            assert lines_of(page) == expected_lines(shown, self.mode)


def declared(order: Order) -> Definition:
    """A board of best scores, so that a score moves a player."""
    definition = board(order=order, operator=Operator.BEST)
    Board.objects.create(
        game_id=GAME,
        name=definition.name,
        event_types=["player_score"],
        score="/score",
        operator="best",
        order=order.value,
        periods=[period.value for period in definition.periods],
    )
    return definition


def score(definition: Definition, player_id: str, points: Decimal, *, minute: int = 0) -> None:
    """A score as the consumer writes it, to PostgreSQL and to Redis."""
    deltas = Deltas()
    deltas.add(Scored(definition, player_id, minutes(minute), points))
    show(merge(deltas))


def settled(definition: Definition) -> None:
    """Players in heavy ties, none of whom will move."""
    random = Random(5)
    for number in range(PLAYERS):
        points = Decimal(random.randint(1, 8)) / 2
        score(definition, f"still {number}", points, minute=random.randint(0, 2))


def movers(definition: Definition) -> Callable[[], None]:
    """New players, and better scores of players who are there, anywhere on the board."""
    random = Random(11)

    def move() -> None:
        for _ in range(6):
            name = f"mover {random.randint(0, 25)}"
            score(definition, name, Decimal(random.randint(0, 18)) / 4, minute=random.randint(0, 2))

    return move


@pytest.mark.parametrize("mode", RankMode)
@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("limit", [1, 7])
def test_a_walk_during_writes_meets_everybody_who_stays_once(
    client: Client, order: Order, mode: RankMode, limit: int
) -> None:
    definition = declared(order)
    settled(definition)
    visit = Visit(client, definition, between=movers(definition), mode=mode, limit=limit)
    visit.walk("next")
    there = [name for name in visit.met if name.startswith("still")]
    assert len(there) == PLAYERS and len(set(there)) == PLAYERS
    visit.met.clear()
    visit.walk("prev", visit.last["prev"])
    shown = [entry["player_id"] for entry in visit.page(None)["entries"]]
    back = [name for name in visit.met if name.startswith("still")]
    assert len(set(back)) == len(back)
    # The last page of the way forth is where the way back began.
    missing = set(there) - set(back)
    assert missing <= set(there[-limit:])
    assert back == [name for name in reversed(there) if name not in missing]
    assert shown == list(reversed(visit.met))[:limit]


@pytest.mark.parametrize("source", ["redis", "postgresql", "both"])
def test_a_walk_may_change_its_source(
    client: Client, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition = declared(Order.DESC)
    settled(definition)
    here = cache.client
    with nobody_there() as away:
        turn = iter([source == "redis", source != "postgresql"] * PLAYERS)

        def switch() -> None:
            at_hand = here() if next(turn) else away
            monkeypatch.setattr(rank_reads, "client", lambda: at_hand)

        switch()
        visit = Visit(client, definition, between=switch, mode=RankMode.DENSE)
        visit.walk("next")
        assert visit.met == [stand.player_id for stand in oracle(Order.DESC)]
        forth = visit.met.copy()
        visit.met.clear()
        visit.walk("prev", visit.last["prev"])
        assert visit.met == forth[: len(visit.met)][::-1]


@pytest.mark.parametrize("away", [False, True], ids=["redis", "postgresql"])
def test_a_page_whose_players_moved_away_leads_back(
    client: Client, away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition = declared(Order.DESC)
    for number in range(9):
        score(definition, f"p{number}", Decimal(10 - number))
    visit = Visit(client, definition, limit=7)
    onward = visit.page(None)["next"]
    for number in (7, 8):
        score(definition, f"p{number}", Decimal(20))
    with nobody_there() as nobody:
        if away:
            monkeypatch.setattr(rank_reads, "client", lambda: nobody)
        empty = visit.page(onward)
        assert (empty["entries"], empty["next"]) == ([], None)
        back = visit.page(empty["prev"])
    assert [entry["player_id"] for entry in back["entries"]] == [f"p{n}" for n in range(7)]
    assert back["entries"][0]["rank"] == 3


def test_a_cursor_of_another_board_is_invalid(client: Client) -> None:
    definition = declared(Order.DESC)
    settled(definition)
    cursor = Visit(client, definition).page(None)["next"]
    for address in (f"{GAME}/default", f"{GAME}/points?period=weekly", f"{GAME}/points?period=x"):
        path, _, query = address.partition("?")
        asked = dict(pair.split("=") for pair in query.split("&") if pair)
        response = client.get(f"/api/v1/leaderboards/{path}", {**asked, "cursor": cursor})
        assert response.status_code == 400
        assert response.json()["pointer"] in {"/cursor", "/period"}
        assert response.json()["code"] in {"cursor_invalid", "enum"}


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "é", "%00", "=" * 8, "A" * 4_097])
def test_what_is_no_cursor_is_invalid(client: Client, cursor: str) -> None:
    response = client.get(f"/api/v1/leaderboards/{GAME}/default", {"cursor": cursor})
    assert response.status_code == 400
    assert response.json()["pointer"] == "/cursor"
    assert set(response.json()) == {"status", "error", "code", "pointer"}


def test_a_cursor_expires_when_its_period_has_rolled_over(client: Client) -> None:
    definition = default_definition(GAME)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    for name in ("ada", "bo"):
        deltas = Deltas()
        deltas.add(Scored(definition, name, yesterday, Decimal(1)))
        merge(deltas)
    address = f"/api/v1/leaderboards/{GAME}/default"
    asked: dict[str, str | int] = {"period": "daily", "limit": 1}
    cursor = client.get(address, {**asked, "at": yesterday.isoformat()}).json()["next"]
    response = client.get(address, {**asked, "cursor": cursor})
    assert response.status_code == 400
    assert (response.json()["code"], response.json()["pointer"]) == ("cursor_expired", "/cursor")
    # A past period stays readable by name, as a time or as a day.
    for at in (yesterday.isoformat(), yesterday.date().isoformat()):
        page = client.get(address, {**asked, "at": at, "cursor": cursor}).json()
        assert [entry["rank"] for entry in page["entries"]] == [2]


def test_a_cursor_expires_when_its_board_is_defined_anew(client: Client) -> None:
    definition = declared(Order.DESC)
    settled(definition)
    cursor = Visit(client, definition).page(None)["next"]
    Board.objects.update(operator="sum")
    response = client.get(f"/api/v1/leaderboards/{GAME}/points", {"cursor": cursor})
    assert (response.status_code, response.json()["code"]) == (400, "cursor_expired")


def test_redis_emptied_during_a_walk_changes_nothing(client: Client) -> None:
    definition = declared(Order.ASC)
    settled(definition)

    def emptied() -> None:
        cache.client().flushdb()

    visit = Visit(client, definition, between=emptied)
    visit.walk("next")
    assert visit.met == [stand.player_id for stand in oracle(Order.ASC)]
