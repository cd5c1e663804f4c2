"""How a value is shown: escaped, bounded in length, and with nothing invisible in it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

from django.contrib import admin
from django.db import models
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.operations.search import query

ABSENT: Final = "-"
HEADING_CHARACTERS: Final = 120
SHOWN_CHARACTERS: Final = 128 * 1024
SHOWN_BYTES: Final = 64 * 1024
# Control, format (bidirectional overrides, zero-width) and separator characters: they can make a
# page show another text than the one that is stored.
_UNSEEN: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))

Column: TypeAlias = Callable[[Any], str]


def visible(text: str) -> str:
    """The text with unseen characters as \\u escapes; line ends stay."""
    if text.isprintable():
        return text
    return "".join(
        rf"\u{ord(c):04x}" if c != "\n" and unicodedata.category(c) in _UNSEEN else c for c in text
    )


def heading(row: models.Model) -> str:
    """What a row is called, in one or two lines."""
    text = visible(str(row))
    return text if len(text) <= HEADING_CHARACTERS else f"{text[: HEADING_CHARACTERS - 1]}…"


def preformatted(text: str) -> SafeString:
    """A block of text, at most SHOWN_CHARACTERS of it."""
    cut = len(text) - SHOWN_CHARACTERS
    note = f"\n… and {cut:,} characters more" if cut > 0 else ""
    return _block(visible(text[:SHOWN_CHARACTERS]) + note)


def hex_dump(data: bytes) -> str:
    """Offset, 16 bytes in hexadecimal, and the printable ASCII among them; a line each."""
    lines = []
    for start in range(0, min(len(data), SHOWN_BYTES), 16):
        part = data[start : start + 16]
        ascii_text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        lines.append(f"{start:08x}  {part[:8].hex(' '):<23}  {part[8:].hex(' '):<23}  {ascii_text}")
    if len(data) > SHOWN_BYTES:
        lines.append(f"… and {len(data) - SHOWN_BYTES:,} bytes more")
    return "\n".join(lines)


def moment(value: datetime | None) -> str:
    """UTC to the millisecond, sortable by eye."""
    if value is None:
        return ABSENT
    return value.astimezone(UTC).isoformat(" ", "milliseconds").replace("+00:00", "Z")


def search_link(label: str, target: str, /, **terms: str) -> SafeString:
    """A link to the list of `target` ("app.model") with that search."""
    address = reverse(f"admin:{target.replace('.', '_')}_changelist")
    return format_html(
        '<a href="{}?{}">{}</a>', address, urlencode({"q": query(**terms)}), _isolated(label)
    )


def text_column(name: str, label: str | None = None) -> Column:
    """A text."""

    def show(row: models.Model) -> str:
        text = getattr(row, name)
        return _isolated(text) if text else ABSENT

    return _named(show, name, label)


def moment_column(name: str, label: str | None = None) -> Column:
    """A moment in UTC."""
    return _named(lambda row: moment(getattr(row, name)), name, label)


def decimal_column(name: str, label: str | None = None) -> Column:
    """A number as it is stored; Django would pad it to the field's decimal places."""
    return _named(lambda row: f"{getattr(row, name):f}", name, label)


def link_column(
    name: str, target: str, terms: Mapping[str, str], label: str | None = None
) -> Column:
    """A text that leads to the rows of `target` with it; `terms` are words and columns."""

    def show(row: models.Model) -> str:
        text = getattr(row, name)
        if not text:
            return ABSENT
        found = {word: str(getattr(row, column)) for word, column in terms.items()}
        return search_link(str(text), target, **found)

    return _named(show, name, label)


def json_column(name: str, label: str | None = None) -> Column:
    """The text that PostgreSQL made of a `jsonb` (see ReadOnlyAdmin.payloads)."""
    return _named(lambda row: preformatted(getattr(row, f"{name}_text")), name, label)


def block_column(name: str, label: str | None = None) -> Column:
    """A long text, whole."""
    return _named(lambda row: preformatted(getattr(row, name)), name, label)


def bytes_column(name: str, label: str | None = None) -> Column:
    """Bytes as a dump."""

    def show(row: models.Model) -> str:
        value = getattr(row, name)
        if value is None:
            return ABSENT
        return format_html(
            '<div class="size">{} bytes</div>{}',
            f"{len(value):,}",
            _block(hex_dump(bytes(value))),
        )

    return _named(show, name, label)


def _block(text: str) -> SafeString:
    return format_html('<pre class="payload" dir="ltr">{}</pre>', text)


def _isolated(text: str) -> SafeString:
    # Lists cut it by style; its title is whole there.
    return format_html('<bdi title="{0}">{0}</bdi>', visible(text))


def _named(show: Column, name: str, label: str | None) -> Column:
    show.__name__ = name
    return admin.display(description=label or name.replace("_", " "))(show)
