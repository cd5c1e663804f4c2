"""Kafka clients of tests, silent about a broker that ends before they do."""

from __future__ import annotations

import logging
from typing import Any

_SILENT = logging.getLogger("tests.librdkafka")
_SILENT.setLevel(logging.CRITICAL)


def client_of(servers: str) -> dict[str, Any]:
    """librdkafka's settings; what it would write to standard error goes to a silent logger."""
    return {"bootstrap.servers": servers, "logger": _SILENT}
