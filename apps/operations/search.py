"""Searches that an index answers; every other one is refused.

A search is `word:value` terms, as `player:ada game:"two words"`. What it may name follows from the
indexes: a leading run of an index's words, as the columns of a B-tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import models

from apps.operations.keyset import Keyset, columns

_TERM: Final = re.compile(r'\s*(\w+):(?:"((?:[^"\\]|\\.)*)"|(\S+))\s*')
_ESCAPED: Final = re.compile(r"\\(.)")
_PLAIN: Final = re.compile(r'[^\s"\\]+')


class SearchRefused(Exception):
    """The search has no meaning here, or no index answers it; the message says which."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexedSearch:
    """One index as a search: its words with their columns, and the order it gives.

    `narrowing` are further words, for where the first one leaves few rows to look through.
    """

    words: Mapping[str, str]
    order: Keyset
    narrowing: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> Mapping[str, str]:
        return {**self.words, **self.narrowing}

    @property
    def usage(self) -> str:
        first, *rest = self.words
        return " ".join((f"{first}:…", *(f"[{word}:…]" for word in (*rest, *self.narrowing))))

    def answers(self, terms: Iterable[str]) -> bool:
        """Whether the terms are a leading run of the words, and narrowing ones besides."""
        named = set(terms) - set(self.narrowing)
        return bool(named) and named == set(list(self.words)[: len(named)])


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What to filter by, and the order in which the rows come."""

    conditions: Mapping[str, Any]
    order: Keyset


def query(**terms: str) -> str:
    """The terms as one types them."""
    return " ".join(f"{word}:{_quoted(value)}" for word, value in terms.items())


def find(
    model: type[models.Model],
    searches: Sequence[IndexedSearch],
    bare_words: Sequence[str],
    text: str,
) -> Found:
    """Read a search. Text without a word is the first of `bare_words` that can take it.

    Raises SearchRefused.
    """
    named = {word: name for search in searches for word, name in search.columns.items()}
    fields = dict(zip(named, columns(model, named.values()), strict=True))
    text = text.strip()
    if text.partition(":")[0] in named:
        terms = {word: _value(word, fields[word], value) for word, value in _terms(text, named)}
    else:
        terms = _bare(text, bare_words, fields)
    for search in searches:
        if search.answers(terms):
            conditions = {search.columns[word]: value for word, value in terms.items()}
            return Found(conditions=conditions, order=search.order)
    raise SearchRefused(
        f"No index answers a search by {' and '.join(terms)} alone. Possible: "
        + " | ".join(search.usage for search in searches)
    )


def _terms(text: str, known: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    position, seen = 0, set[str]()
    while position < len(text):
        term = _TERM.match(text, position)
        if term is None:
            raise SearchRefused(
                f'Cannot read {text[position:]!r}. Terms are word:value; quote spaces: word:"a b"'
            )
        word, quoted, plain = term.groups()
        if word not in known or word in seen:
            words = ", ".join(known)
            raise SearchRefused(f"Cannot use {word}: here. Words, each once: {words}")
        seen.add(word)
        yield word, plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
        position = term.end()


def _bare(
    text: str, bare_words: Sequence[str], fields: Mapping[str, models.Field[Any, Any]]
) -> dict[str, Any]:
    for word in bare_words:
        try:
            return {word: _value(word, fields[word], text)}
        except SearchRefused:
            continue
    raise SearchRefused(f"Cannot read {text!r} as {' or '.join(bare_words)}.")


def _value(word: str, column: models.Field[Any, Any], text: str) -> Any:
    try:
        return column.to_python(text)
    except ValidationError as error:
        raise SearchRefused(f"{word}: {' '.join(error.messages)}") from error


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
