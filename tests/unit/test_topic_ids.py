"""The ids of topics."""

from __future__ import annotations

import uuid

import pytest

from apps.contract import topic_ids


@pytest.mark.parametrize("text", ["00000000-0000-0000-0000-000000000001", "f" * 32, "8" * 32])
def test_kafkas_signed_halves_make_its_id(text: str) -> None:
    wanted = uuid.UUID(text)
    halves = (int.from_bytes(part, signed=True) for part in (wanted.bytes[:8], wanted.bytes[8:]))
    assert topic_ids.of_halves(*halves) == wanted


def test_a_restarted_in_process_broker_has_other_ids() -> None:
    before = topic_ids.of_in_process("mockCluster01", "events")
    assert before == topic_ids.of_in_process("mockCluster01", "events")
    assert before != topic_ids.of_in_process("mockCluster02", "events")
    assert before != topic_ids.of_in_process("mockCluster01", "other")
