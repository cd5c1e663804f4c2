"""What the rig itself asks of the API."""

from __future__ import annotations

import http.client
import json

from gamemetrics.stack.ports import HOST
from tests.rigs.processes import NotRunning


def is_ready(port: int) -> bool:
    """Whether the web process says that Kafka, PostgreSQL and Redis answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def declare_best(port: int, management_key: str, game_id: str) -> None:
    """A board beside the default one, declared before the game's first event."""
    body = {
        "name": "best",
        "event_types": ["player_score"],
        "score": "/score",
        "operator": "best",
        "periods": ["alltime", "daily"],
        "timezone": "Europe/Vienna",
    }
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {management_key}",
    }
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    path = f"/api/v1/games/{game_id}/leaderboards"
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    told = answer.read()
    connection.close()
    if answer.status not in {200, 201}:
        raise NotRunning(f"the board was not declared: {answer.status} {told!r}")
