"""A consumer that could apply next to nothing is stopped, and dead-letters nothing meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from prometheus_client import REGISTRY

from apps.contract.chunk import Chunk
from apps.contract.queues import Consumer
from apps.deadletters.models import DeadLetter
from apps.ledger import breakers
from apps.ledger.breaker import IN_A_ROW, Line
from apps.ledger.breakers import BreakerTripped, Permit
from apps.ledger.models import AppliedChunk, ConsumerBreaker
from apps.ledger.persistence import Delivery, GivenUp, persist
from apps.ledger.services import Outcome, apply_chunk
from tests.admin_site import show, shown
from tests.builders import chunk, points_of_the_cast, record, refused
from tests.totals import CONSUMERS, totals

pytestmark = pytest.mark.django_db(transaction=True)
BOARDS = CONSUMERS[Consumer.LEADERBOARDS]
LOG = CONSUMERS[Consumer.LOGGING]


def bad_scores(count: int, *, first_offset: int = 0) -> Chunk:
    """What a deploy that misreads scores makes of ada's events."""
    offsets = range(first_offset, first_offset + count)
    return chunk([record(offset, data='{"score": "a lot"}') for offset in offsets])


def deliver(
    carried: Chunk,
    line: Line,
    *,
    stopping: Callable[[], bool] = lambda: True,
    consumer: Consumer = Consumer.LEADERBOARDS,
) -> Outcome:
    return persist(
        Delivery(
            consumer=CONSUMERS[consumer],
            chunk=carried,
            line=line,
            stopping=stopping,
            beat=lambda: None,
        )
    )


def gauge(name: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"consumer": "leaderboards"})


def permit(minutes: int = 5, *, ago: int = 0) -> Permit:
    now = datetime.now(UTC) - timedelta(minutes=ago)
    return Permit.of(minutes=minutes, by="ada", now=now)


def test_a_chunk_of_bad_events_is_rolled_back_and_dead_letters_nothing(cache: redis.Redis) -> None:
    before = totals()
    with pytest.raises(BreakerTripped, match="21 of 21 events"):
        apply_chunk(BOARDS, bad_scores(IN_A_ROW + 1))
    assert totals() == before
    assert not AppliedChunk.objects.exists()


def test_some_bad_events_are_dead_lettered_as_ever(cache: redis.Redis) -> None:
    outcome = apply_chunk(BOARDS, bad_scores(IN_A_ROW))
    assert outcome.dead == IN_A_ROW
    assert not ConsumerBreaker.objects.exists()


def test_chunks_of_one_event_trip_it_together(cache: redis.Redis) -> None:
    line = Line()
    for offset in range(IN_A_ROW):
        assert apply_chunk(BOARDS, bad_scores(1, first_offset=offset), line).dead == 1
    for _ in range(2):
        with pytest.raises(BreakerTripped):
            apply_chunk(BOARDS, bad_scores(1, first_offset=IN_A_ROW), line)
    assert DeadLetter.objects.count() == IN_A_ROW
    apply_chunk(BOARDS, chunk(points_of_the_cast(1, first_offset=50)), line)
    assert apply_chunk(BOARDS, bad_scores(1, first_offset=IN_A_ROW), line).dead == 1


def test_dead_letters_that_come_again_in_another_cut_do_not_trip_it(cache: redis.Redis) -> None:
    breakers.allow(Consumer.LEADERBOARDS, permit())
    apply_chunk(BOARDS, bad_scores(30))
    ConsumerBreaker.objects.all().delete()
    line = Line()
    apply_chunk(BOARDS, bad_scores(29), line)
    assert line.in_a_row == 0
    assert DeadLetter.objects.count() == 30


def test_messages_that_the_bridge_refused_count_for_logging(cache: redis.Redis) -> None:
    noise = [refused(offset, b"noise") for offset in range(3, 3 + IN_A_ROW + 1)]
    carried = chunk(points_of_the_cast(3), refused=noise)
    with pytest.raises(BreakerTripped):
        apply_chunk(LOG, carried)
    assert not DeadLetter.objects.exists()
    assert totals().events == frozenset()


def test_a_stopped_consumer_says_so_in_its_row_and_its_metrics(cache: redis.Redis) -> None:
    line = Line()
    with pytest.raises(GivenUp):
        deliver(bad_scores(30), line)
    breaker = ConsumerBreaker.objects.get()
    assert (breaker.consumer, breaker.tripped) == ("leaderboards", True)
    assert "30 of 30 events" in breaker.cause
    assert [row["offset"] for row in breaker.sample] == [0, 1, 2, 3, 4]
    assert {row["cause"] for row in breaker.sample} == {"score_invalid"}
    assert (gauge("consumer_stopped"), gauge("breaker_tripped")) == (1, 1)
    first_moment = breaker.tripped_at
    with pytest.raises(GivenUp):
        deliver(bad_scores(30), line)
    assert ConsumerBreaker.objects.get().tripped_at == first_moment

    deliver(chunk(points_of_the_cast(3, first_offset=90)), line)
    assert not ConsumerBreaker.objects.get().tripped
    assert (gauge("consumer_stopped"), gauge("breaker_tripped")) == (0, 0)


def test_a_process_that_starts_anew_resets_what_another_left_tripped(cache: redis.Redis) -> None:
    with pytest.raises(GivenUp):
        deliver(bad_scores(30), Line())
    deliver(chunk(points_of_the_cast(3, first_offset=90)), Line())
    assert not ConsumerBreaker.objects.get().tripped


def test_a_consumer_that_is_let_through_while_it_holds_a_chunk_goes_on(
    cache: redis.Redis,
) -> None:
    tries: list[None] = []

    def allow_after_the_second() -> bool:
        tries.append(None)
        if len(tries) == 2:
            breakers.allow(Consumer.LEADERBOARDS, permit())
        return False

    outcome = deliver(bad_scores(30), Line(), stopping=allow_after_the_second)
    assert (outcome.dead, outcome.permitted) == (30, True)
    assert DeadLetter.objects.count() == 30
    # Let through is not mended.
    assert ConsumerBreaker.objects.get().tripped


def test_a_permit_that_is_over_lets_nothing_through(cache: redis.Redis) -> None:
    breakers.allow(Consumer.LEADERBOARDS, permit(5, ago=6))
    with pytest.raises(BreakerTripped):
        apply_chunk(BOARDS, bad_scores(30))


def test_a_permit_is_of_one_consumer(cache: redis.Redis) -> None:
    breakers.allow(Consumer.STATS, permit())
    with pytest.raises(BreakerTripped):
        apply_chunk(BOARDS, bad_scores(30))


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("breaker", *arguments, stdout=out)
    return out.getvalue()


def test_an_operator_sees_allows_and_resets_by_command(cache: redis.Redis) -> None:
    with pytest.raises(GivenUp):
        deliver(bad_scores(30), Line())
    assert "leaderboards: tripped at" in command("status")
    assert "logging: never tripped" in command("status")
    command("allow", "leaderboards", "--minutes", "5", "--by", "ada")
    assert "by ada" in command("status")
    assert apply_chunk(BOARDS, bad_scores(30)).dead == 30
    command("reset", "leaderboards")
    assert "leaderboards: goes through" in command("status")


@pytest.mark.parametrize(
    "arguments",
    [
        ("allow", "nobody", "--minutes", "5", "--by", "ada"),
        ("allow", "stats", "--minutes", "0", "--by", "ada"),
        ("allow", "stats", "--minutes", "5", "--by", " "),
        ("reset", "nobody"),
    ],
)
def test_the_command_refuses_nonsense(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        command(*arguments)
    assert not ConsumerBreaker.objects.filter(allowed_until__isnull=False).exists()


LIST = "ledger_consumerbreaker"


@pytest.fixture
def tripped(cache: redis.Redis) -> ConsumerBreaker:
    with pytest.raises(GivenUp):
        deliver(bad_scores(30), Line())
    return ConsumerBreaker.objects.get()


def let_through(client: Client, minutes: str = "10") -> None:
    client.post(
        reverse(f"admin:{LIST}_changelist"),
        {"action": "let_through", "_selected_action": "leaderboards", "minutes": minutes},
    )


def test_an_operator_lets_a_consumer_through_in_the_admin(
    operator: Client, tripped: ConsumerBreaker
) -> None:
    assert [row.consumer for row in shown(show(operator, LIST))] == ["leaderboards"]
    page = operator.get(reverse(f"admin:{LIST}_change", args=("leaderboards",)))
    assert "score_invalid" in page.content.decode()
    let_through(operator)
    tripped.refresh_from_db()
    assert tripped.allowed_by == "operator"
    assert tripped.allowed_until is not None
    left = tripped.allowed_until - datetime.now(UTC)
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    assert "let through for 10 minutes" in LogEntry.objects.get().change_message
    assert apply_chunk(BOARDS, bad_scores(30)).dead == 30


@pytest.mark.parametrize("minutes", ["", "0", "-5", "x", "100000"])
def test_nonsense_minutes_let_nobody_through(
    operator: Client, tripped: ConsumerBreaker, minutes: str
) -> None:
    let_through(operator, minutes)
    tripped.refresh_from_db()
    assert tripped.allowed_until is None


def test_who_may_only_look_lets_nobody_through(client: Client, tripped: ConsumerBreaker) -> None:
    onlooker = User.objects.create_user("onlooker", is_staff=True)
    onlooker.user_permissions.add(Permission.objects.get(codename="view_consumerbreaker"))
    client.force_login(onlooker)
    assert len(shown(show(client, LIST))) == 1
    let_through(client)
    tripped.refresh_from_db()
    assert tripped.allowed_until is None
    assert not LogEntry.objects.exists()


def test_a_breaker_cannot_be_added_changed_or_deleted(
    operator: Client, tripped: ConsumerBreaker
) -> None:
    for name in ("change", "delete"):
        address = reverse(f"admin:{LIST}_{name}", args=("leaderboards",))
        assert operator.post(address, {"post": "yes"}).status_code == 403
    assert operator.get(reverse(f"admin:{LIST}_add")).status_code == 403
    assert ConsumerBreaker.objects.get().tripped
