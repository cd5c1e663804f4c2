"""What a row needs of its rig: rigs are dear to start, so rows of equal needs share one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """`kafka_mb` and `postgres_mb`: the data is on a file system of that size, which can be
    filled; 0: on the machine's own."""

    brokers: int = 1
    kafka_mb: int = 0
    postgres_mb: int = 0

    @property
    def mounts(self) -> bool:
        return bool(self.kafka_mb or self.postgres_mb)
