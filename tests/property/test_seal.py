"""Only what the bridge sent, as it sent it and to whom it sent it, is taken for its message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.contract.chunk import from_message, to_message
from apps.contract.queues import Consumer
from apps.contract.seal import SealBroken, sealed, unsealed
from tests.builders import chunk, points_of_the_cast, refused

KEY, OTHER_KEY = "k" * 32, "o" * 32
CHUNK = chunk(points_of_the_cast(3), refused=[refused(3, bytes(range(256)))])
MESSAGE = {**to_message([CHUNK]), "added_in_a_later_release": [1.5, None, {"b": 1, "a": "é"}]}
consumers = st.sampled_from(list(Consumer))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def carried(message: dict[str, Any]) -> dict[str, Any]:
    """The message as it comes out of the broker."""
    arrived: dict[str, Any] = json.loads(json.dumps(message))
    return arrived


@given(consumers)
def test_what_the_bridge_sent_is_taken(consumer: Consumer) -> None:
    arrived = unsealed(carried(sealed(MESSAGE, consumer, KEY)), consumer, KEY)
    assert from_message(arrived) == [CHUNK]


@given(consumers, consumers, st.sampled_from([KEY, OTHER_KEY]))
def test_a_seal_is_of_one_consumer_and_one_key(one: Consumer, other: Consumer, key: str) -> None:
    message = carried(sealed(MESSAGE, one, key))
    if (one, key) == (other, KEY):
        assert unsealed(message, other, KEY)
        return
    with pytest.raises(SealBroken):
        unsealed(message, other, KEY)


@given(consumers, st.sampled_from([*sorted(MESSAGE), "seal", "new"]), json_values)
def test_no_field_can_be_changed_or_added(consumer: Consumer, field: str, value: Any) -> None:
    message = carried(sealed(MESSAGE, consumer, KEY))
    if field in message and message[field] == value:
        return
    message[field] = value
    with pytest.raises(SealBroken):
        unsealed(message, consumer, KEY)


@given(consumers, st.sampled_from([*sorted(MESSAGE), "seal"]))
def test_no_field_can_be_taken_away(consumer: Consumer, field: str) -> None:
    message = carried(sealed(MESSAGE, consumer, KEY))
    del message[field]
    with pytest.raises(SealBroken):
        unsealed(message, consumer, KEY)
