"""The names of what the API takes and answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ninja import Schema

import gamemetrics.api


def below(parent: type[Schema]) -> Iterator[type[Schema]]:
    for child in parent.__subclasses__():
        yield child
        yield from below(child)


def test_no_two_schemas_share_a_name() -> None:
    """The document knows them by name alone: the later one would stand for both."""
    assert gamemetrics.api.api.get_openapi_schema()["components"]["schemas"]
    ours = {schema for schema in below(Schema) if schema.__module__.startswith("apps.")}
    names = Counter(schema.__name__ for schema in ours)
    assert [name for name, times in names.items() if times > 1] == []
