"""What fails is mended and replayed on the running stack, and takes effect once."""

import json
import re
import uuid
from decimal import Decimal
from html import unescape

import httpx
import pytest

from tests.acceptance.faults import comes_back, kill
from tests.acceptance.games import Game
from tests.acceptance.streams import Event, expected
from tests.acceptance.test_poison import put_on_topic
from tests.acceptance.waiting import until
from tests.services import Stack

LETTERS = "/admin/deadletters/deadletter"
BULK = 300


def numbered(game: Game, player_id: str, **more: object) -> Event:
    return game.event(player_id, event_id=str(uuid.uuid4()), **more)


def letters_of(game: Game, state: str) -> list[int]:
    rows = game.sql(
        "SELECT id FROM dlq_events WHERE game_id = %s AND state = %s", game.game_id, state
    )
    return [row[0] for row in rows]


def board_of(game: Game) -> list[tuple[str, Decimal]]:
    answer = game.http.get(
        f"/api/v1/leaderboards/{game.game_id}/default", params={"scores": "string"}
    )
    assert answer.status_code == 200
    return [(row["player_id"], Decimal(row["score"])) for row in answer.json()["entries"]]


def dead_letters(stack: Stack, *arguments: str) -> None:
    """`manage.py dead_letters <arguments>`, as somebody on call runs it."""
    shell = Stack(environ={**stack.environ, **stack.env})
    run = shell.run("manage.py", "dead_letters", *arguments)
    assert run.returncode == 0, run.stdout + run.stderr


def post(operator: httpx.Client, page: str, fields: dict[str, str]) -> httpx.Response:
    """Fill in a form of the admin as a browser does."""
    form = operator.get(page)
    assert form.status_code == 200, form.text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
    assert token is not None
    referer = {"Referer": str(form.url)}
    return operator.post(page, data={**fields, "csrfmiddlewaretoken": token[1]}, headers=referer)


def test_a_bad_score_is_mended_in_the_admin_replayed_and_on_the_board(
    game: Game, operator: httpx.Client
) -> None:
    good, bad = numbered(game, "bo"), numbered(game, "ada", data={"score": "ten"})
    assert game.post([good, bad]).status_code == 202
    game.applied()
    (letter,) = letters_of(game, "open")
    assert board_of(game) == [("bo", Decimal(10))]

    page = f"{LETTERS}/{letter}/edit/"
    text = re.search(r"<textarea[^>]*>(.*)</textarea>", operator.get(page).text, re.DOTALL)
    assert text is not None
    event = json.loads(unescape(text[1]))
    refused = post(operator, page, {"event": json.dumps({**event, "player_id": ""})})
    assert refused.status_code == 200
    assert "/player_id" in refused.text
    mended = json.dumps({**event, "data": {"score": 12.5}})
    assert post(operator, page, {"event": mended, "replay": "1"}).status_code == 302

    until(lambda: letters_of(game, "applied") == [letter], "the letter is applied")
    assert board_of(game) == [("ada", Decimal("12.5")), ("bo", Decimal(10))]
    shown = unescape(operator.get(f"{LETTERS}/{letter}/change/").text)
    assert '"score": "ten"' in shown
    assert '"score": 12.5' in shown
    assert post(operator, page, {"event": mended, "replay": "1"}).status_code == 200
    totals = expected([good, {**bad, "data": {"score": 12.5}}])
    totals.dead_letters = 1
    assert game.applied() == totals


def test_a_message_that_was_no_event_is_mended_and_takes_effect_everywhere(game: Game) -> None:
    event = numbered(game, "cyd")
    broken = json.dumps(event).replace('"player_id"', '"player"').encode()
    (offset,) = put_on_topic(game.stack, broken)
    game.applied()
    ((letter,),) = game.sql(
        'SELECT id FROM dlq_events WHERE partition = 0 AND "offset" = %s AND consumer_service = %s',
        offset,
        "bridge",
    )
    mended = game.stack.dir / "mended.json"
    mended.write_text(json.dumps(event))
    dead_letters(game.stack, "edit", str(letter), "--file", str(mended), "--replay")
    until(lambda: len(letters_of(game, "applied")) == 2, "stats and leaderboards have applied it")
    totals = expected([event])
    totals.dead_letters = 2
    assert game.totals() == totals
    ((state,),) = game.sql("SELECT state FROM dlq_events WHERE id = %s", letter)
    assert state == "applied"


def moves_on(game: Game) -> None:
    done = len(letters_of(game, "applied"))
    until(lambda: len(letters_of(game, "applied")) > min(done, BULK - 1), "the replay moves on")


@pytest.mark.parametrize(
    "victims", [("worker-leaderboards", "bridge"), ("redis", "postgres")], ids="-".join
)
def test_a_bulk_replay_in_which_processes_are_killed_applies_every_letter_once(
    game: Game, victims: tuple[str, ...]
) -> None:
    # A good one after every ten: a longer run of bad ones would trip the breaker.
    scores = [2 if n % 11 == 10 else "ten" for n in range(BULK * 11 // 10)]
    events = [numbered(game, "ada", data={"score": score}) for score in scores]
    game.send(events)
    game.applied()
    assert len(letters_of(game, "open")) == BULK
    # What a fixed rule would do to all of them at once: the same events, now with a score.
    game.sql(
        "UPDATE dlq_events SET edited = convert_to(replace(convert_from(raw, 'UTF8'),"
        " '\"ten\"', '2'), 'UTF8') WHERE game_id = %s RETURNING id",
        game.game_id,
    )
    dead_letters(game.stack, "replay", "--game", game.game_id, "--per-second", "40")
    for name in victims:
        moves_on(game)
        comes_back(game.stack, name, kill(game.stack, name))
    until(lambda: len(letters_of(game, "applied")) == BULK, "every letter is applied")
    assert board_of(game) == [("ada", Decimal(2 * len(events)))]
    totals = expected([{**event, "data": {"score": 2}} for event in events])
    totals.dead_letters = BULK
    assert game.totals() == totals
