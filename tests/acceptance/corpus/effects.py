"""What became of a case's events, read from PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Any

import httpx

from tests.acceptance.corpus.case import GAME, NDJSON, Posted
from tests.acceptance.games import Game
from tests.acceptance.streams import Event, expected


def answered(response: httpx.Response) -> str:
    """The answer in words: status, and for the request or each event code and pointer."""
    body = response.json()
    if "results" not in body:
        found = f"{response.status_code} {body.get('code', '')} {body.get('pointer', '')}"
        return found.strip()
    receipts = (
        f"{result['status']} {result.get('code', '')} {result.get('pointer', '')}".strip()
        for result in body["results"]
    )
    return f"{response.status_code}: {'; '.join(receipts)}"


def applied(watcher: Game, game_id: str) -> str:
    """How many events of the game are in the log, and which consumers could not apply one."""
    ((events,),) = watcher.sql("SELECT count(*) FROM events WHERE game_id = %s", game_id)
    dead = watcher.sql(
        "SELECT consumer_service, cause FROM dlq_events WHERE game_id = %s ORDER BY id", game_id
    )
    letters = [f"dead at {consumer}: {cause}" for consumer, cause in dead]
    return ", ".join([f"{events} applied" if events else "", *letters]).strip(", ")


def accepted_events(case: Posted, response: httpx.Response, game_id: str) -> list[Event]:
    """The events that were accepted, read anew from the request, with the ids of the receipts."""
    sent = read(case, game_id)
    body = response.json()
    if "results" not in body:
        return [{**sent[0], "event_id": body["event_id"]}]
    return [
        {**event, "event_id": result["event_id"]}
        for event, result in zip(sent, body["results"], strict=True)
        if result["status"] == "accepted"
    ]


def read(case: Posted, game_id: str) -> list[Event]:
    """The events of a request that is good as a whole, by another parser than the API's."""
    text = in_game(case.body, game_id)
    if dict(case.headers)["Content-Type"] == NDJSON:
        return [parsed(line) for line in text.splitlines()]
    found = parsed(text)
    events: list[Event] = found.get("events", [found])
    return events


def in_game(body: bytes, game_id: str) -> bytes:
    """The body, for this game."""
    return body.replace(GAME, game_id.encode())


def parsed(text: bytes | str) -> Any:
    return json.loads(text, parse_float=Decimal)


def took_effect(watcher: Game, events: Sequence[Event], dead_at_boards: int) -> None:
    """Of equal ids the first took effect, in its own game, as it was sent; the others did not."""
    first = {event["event_id"]: event for event in reversed(events)}
    for game_id in {event["game_id"] for event in events}:
        watcher.game_id = game_id
        own = [event for event in first.values() if event["game_id"] == game_id]
        scored = [{**event, "data": {}} for event in own] if dead_at_boards else own
        with localcontext(prec=100):  # a score has up to 60 digits
            totals = expected(scored)
        totals.dead_letters = dead_at_boards
        assert watcher.totals() == totals
        rows = watcher.sql(
            "SELECT event_id::text, player_id, data::text FROM events WHERE game_id = %s", game_id
        )
        assert {row[0]: (row[1], parsed(row[2])) for row in rows} == {
            event["event_id"]: (event["player_id"], event["data"]) for event in own
        }
