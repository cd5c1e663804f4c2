"""Our own processes in a rig, started as the local stack starts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gamemetrics.stack import applications
from gamemetrics.stack.environment import Environment
from gamemetrics.stack.programs import QUEUES, Launch

WEBS: Final = ("web-1", "web-2")
BRIDGES: Final = ("bridge-1", "bridge-2")
WORKERS: Final = tuple(f"worker-{queue}" for queue in QUEUES)


def launches(
    environment: Environment, web_ports: Mapping[str, int], given: Mapping[str, str]
) -> dict[str, Launch]:
    """Two web processes, two bridges and a worker a queue; `given` overrides their environment."""
    found: dict[str, Launch] = {}
    for name, port in web_ports.items():
        ports = replace(environment.state.ports, web_port=port)
        state = replace(environment.state, ports=ports)
        found[name] = applications.launches(replace(environment, state=state))["web"]
    own = applications.launches(environment)
    found |= dict.fromkeys(BRIDGES, own["bridge"]) | {name: own[name] for name in WORKERS}
    return {
        name: replace(launch, environ={**launch.environ, **given, "METRICS_PORT": "0"})
        for name, launch in found.items()
    }
