"""What the admin shows of a dead letter beyond plain columns."""

from __future__ import annotations

from base64 import b64decode

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.deadletters.difference import beside
from apps.deadletters.models import DeadLetter, DeadLetterAction, DeadLetterJob
from apps.deadletters.replayable import indented
from apps.operations.columns import ABSENT, moment, preformatted, search_link, visible

LETTERS = "deadletters.deadletter"
ACTIONS_SHOWN = 200


@admin.display(description="partition/offset")
def coordinates(letter: DeadLetter) -> str:
    return f"{letter.partition}/{letter.offset}"


@admin.display(description="headers")
def header_values(letter: DeadLetter) -> str:
    """Names and values; a value that is no text is shown in hexadecimal."""
    if not letter.headers:
        return ABSENT
    rows = ((visible(str(name)), _header_value(value)) for name, value in letter.headers)
    return format_html(
        "<ul>{}</ul>", format_html_join("", "<li><bdi>{}</bdi>: <bdi>{}</bdi></li>", rows)
    )


def _header_value(encoded: str | None) -> str:
    if encoded is None:
        return "(null)"
    value = b64decode(encoded)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}"
    return visible(text) if text else "(empty)"


@admin.display(description="see also")
def see_also(letter: DeadLetter) -> str:
    links: list[SafeString] = []
    if letter.event_id is not None:
        event = str(letter.event_id)
        links += [
            search_link("the event in the log", "events.event", event=event),
            search_link("all its dead letters", LETTERS, event=event),
        ]
    if letter.player_id:
        links.append(search_link("the player's events", "events.event", player=letter.player_id))
    return format_html_join(" · ", "{}", ((link,) for link in links)) if links else ABSENT


@admin.display(description="edited event")
def edited_event(letter: DeadLetter) -> str:
    """The original on the left, what a replay applies on the right."""
    if letter.edited is None:
        return ABSENT
    lines = beside(indented(bytes(letter.raw)), indented(bytes(letter.edited)))
    rows = format_html_join(
        "",
        '<tr class="{}"><td><pre>{}</pre></td><td><pre>{}</pre></td></tr>',
        (
            ("changed" if line.changed else "", visible(line.left or ""), visible(line.right or ""))
            for line in lines
        ),
    )
    return format_html(
        '<div class="size">by {} at {}</div><div class="scrolled"><table class="beside" dir="ltr">'
        "<thead><tr><th>original</th><th>edited</th></tr></thead><tbody>{}</tbody></table></div>",
        visible(letter.edited_by),
        moment(letter.edited_at),
        rows,
    )


@admin.display(description="closed")
def closed(letter: DeadLetter) -> str:
    if letter.closed_at is None:
        return ABSENT
    effect = ", without effect: it was applied before" if letter.duplicate else ""
    return f"{moment(letter.closed_at)} by {visible(letter.closed_by)}{effect}"


@admin.display(description="replayed")
def replayed(letter: DeadLetter) -> str:
    if letter.last_replayed_at is None:
        return ABSENT
    times = "once" if letter.replays == 1 else f"{letter.replays} times"
    return f"{times}, last {moment(letter.last_replayed_at)} by {visible(letter.last_replayed_by)}"


@admin.display(description="history")
def letter_history(letter: DeadLetter) -> str:
    return history(DeadLetterAction.objects.filter(letter=letter))


@admin.display(description="history")
def job_history(job: DeadLetterJob) -> str:
    return history(DeadLetterAction.objects.filter(job=job, letter=None))


def history(rows: QuerySet[DeadLetterAction]) -> str:
    """Who did what, and when; the oldest first."""
    entries = (
        (
            moment(row.at),
            visible(row.action),
            visible(row.by),
            preformatted("\n".join(f"{name}: {value}" for name, value in row.detail.items()))
            if row.detail
            else "",
        )
        for row in rows.order_by("id")[:ACTIONS_SHOWN]
    )
    listed = format_html_join("", "<li>{} <strong>{}</strong> by {}{}</li>", entries)
    return format_html('<ul class="history">{}</ul>', listed) if listed else ABSENT
