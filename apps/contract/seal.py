"""The seal on a message: how a consumer knows that the bridge sent it.

Who can write to the broker can put any message on a queue. A forged chunk would take effect, and
the range that it names would count as applied though its events never were.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from apps.contract.queues import Consumer

_FIELD: Final = "seal"
_LONG: Final = "records"
# Sorted keys: the bytes are the same on both sides of the broker's JSON.
_canonical: Final = msgspec.json.Encoder(order="deterministic").encode


class SealBroken(Exception):
    """The message is not as the bridge sent it to this consumer."""


def sealed(message: Mapping[str, Any], consumer: Consumer, key: str) -> dict[str, Any]:
    """The message with the seal of its fields, for this consumer alone."""
    return {**message, _FIELD: _seal(message, consumer, key)}


def unsealed(message: Mapping[str, Any], consumer: Consumer, key: str) -> dict[str, Any]:
    """The message without its seal. Raises SealBroken where it is missing or does not fit."""
    fields = dict(message)
    given = fields.pop(_FIELD, None)
    # compare_digest takes no text beyond ASCII.
    if not isinstance(given, str) or not given.isascii():
        raise SealBroken("the message bears no seal")
    if not hmac.compare_digest(given, _seal(fields, consumer, key)):
        raise SealBroken("the seal is not of this message, this consumer or this key")
    return fields


def _seal(fields: Mapping[str, Any], consumer: Consumer, key: str) -> str:
    # The consumer's name is under the seal: the log's chunk bears the refused messages, and a
    # chunk of another consumer in its place would lose them.
    short = {name: value for name, value in fields.items() if name != _LONG}
    # As it is: to escape it first would cost twice the digest. JSON has no bare line feed, so
    # nothing can move from one part to the next.
    parts = [consumer.value, _canonical(short).decode(), str(fields.get(_LONG, ""))]
    return hmac.digest(key.encode(), "\n".join(parts).encode(), "sha256").hex()
