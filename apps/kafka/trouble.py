"""What librdkafka reports, as the trouble it is and in the words of the setting that mends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class KafkaDenied(Exception):
    """Kafka does not let us in; the text names the setting or the ACL that mends it."""


class Cause(StrEnum):
    """A label of errors_total."""

    OUTAGE = "outage"
    DENIED = "kafka_denied"
    CUT_OFF = "kafka_cut_off"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """`remedy` names what to mend and never holds a secret; `told` is Kafka's own text."""

    cause: Cause
    remedy: str
    told: str


# By the names of librdkafka's error codes.
_DENIALS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "_AUTHENTICATION": "the broker does not accept KAFKA_USERNAME with KAFKA_PASSWORD",
        "SASL_AUTHENTICATION_FAILED": "the broker does not accept KAFKA_USERNAME with"
        " KAFKA_PASSWORD",
        "_SSL": "no TLS with the broker: its certificate must be signed by KAFKA_SSL_CA_LOCATION"
        " and name the host in KAFKA_BOOTSTRAP_SERVERS",
        "TOPIC_AUTHORIZATION_FAILED": "the user of KAFKA_USERNAME lacks an ACL on the topic of"
        " KAFKA_TOPIC (API: Write and Describe; bridge: Read and Describe)",
        "GROUP_AUTHORIZATION_FAILED": "the user of KAFKA_USERNAME lacks the ACL Read on the group"
        " of KAFKA_GROUP_ID",
        # An idempotent producer asks for its id first, and any Write on a topic grants that.
        "CLUSTER_AUTHORIZATION_FAILED": "the user of KAFKA_USERNAME may write to no topic: it lacks"
        " the ACL Write on the topic of KAFKA_TOPIC",
    }
)
_AWAY: Final = frozenset({"_ALL_BROKERS_DOWN", "_TRANSPORT", "_RESOLVE", "_TIMED_OUT"})
_NOBODY: Final = (
    "no broker answers at KAFKA_BOOTSTRAP_SERVERS in the way of KAFKA_SECURITY_PROTOCOL"
)


# What a client says that is replaced: see apps/kafka/lookout.py.
CUT_OFF: Final = Trouble(
    cause=Cause.CUT_OFF,
    remedy="none needed: another client takes the place of this one",
    told="the client has found no broker for long, while Kafka answers others",
)


def trouble(name: str, told: str) -> Trouble:
    """The trouble of an error with this name (`KafkaError.name()`) and text."""
    denial = _DENIALS.get(name)
    if denial is not None:
        return Trouble(cause=Cause.DENIED, remedy=denial, told=told)
    return Trouble(cause=Cause.OUTAGE, remedy=_NOBODY if name in _AWAY else told, told=told)
