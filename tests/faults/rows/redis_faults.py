"""Faults of the two Redis servers."""

from __future__ import annotations

from typing import Any

from tests.faults.applications import BRIDGES
from tests.faults.row import Row
from tests.faults.scene import Scene


def emptied(scene: Scene) -> None:
    for _ in range(4):
        for server in (scene.rig.broker, scene.rig.cache):
            with server.client() as client:
                client.flushall()
        scene.last(1, 4)


def killed_and_flapping(scene: Scene) -> None:
    process = scene.rig.processes["redis-broker"]
    with process.down():
        scene.rig.broker.forget()
        scene.last(1, 3)
    scene.last(2, 4)
    for _ in range(10):
        process.kill()
        scene.until(process.is_running, "Redis is started again")
    scene.until(scene.rig.broker.answers, "Redis answers")


def paused(scene: Scene) -> None:
    before = _assignments(scene)
    broker, cache = scene.rig.some(("redis-broker", "redis-cache"))
    with broker.paused(), cache.paused():
        scene.last(14, 16)
    scene.last(1)
    scene.require(_assignments(scene) == before, "partitions were assigned anew")


def _assignments(scene: Scene) -> int:
    """How often the bridges have started partitions."""
    return sum(
        bridge.log.read_text(errors="replace").count("partitions started")
        for bridge in scene.rig.some(BRIDGES)
    )


def half_open(scene: Scene) -> None:
    scene.notes["stranded"] = scene.rig.proxies["broker"].strand()
    scene.require(scene.notes["stranded"] > 5, "the broker has no connections")
    scene.last(3, 5)


def reply_lost(scene: Scene) -> None:
    proxy = scene.rig.proxies["broker"]
    proxy.cut_after(b"LPUSH", times=8)
    scene.until(lambda: proxy.cuts == 8, "eight replies were lost", seconds=30)
    scene.notes["cuts"] = proxy.cuts


def out_of_memory(scene: Scene) -> None:
    with scene.rig.broker.client() as client:
        try:
            client.config_set("maxmemory", 1)
            scene.last(4, 6)
            refused: Any = client.info("stats")
            info: Any = client.info("memory")
            client.config_set("maxmemory-policy", "allkeys-lru")
            client.config_set("maxmemory", info["used_memory"] + 40_000)
            scene.last(4, 6)
            evicted: Any = client.info("stats")
            scene.notes["evicted"] = evicted["evicted_keys"] - refused["evicted_keys"]
        finally:
            client.config_set("maxmemory", 0)
            client.config_set("maxmemory-policy", "noeviction")


ROWS = (
    Row(
        number="14",
        title="Both Redis emptied again and again",
        injected="FLUSHALL four times, every 1 to 4 s",
        expected="what was on the queues is sent again after its lease; copies are rebuilt",
        seconds=10,
        fault=emptied,
    ),
    Row(
        number="15",
        title="The broker killed and started empty, then ten flaps",
        injected="SIGKILL, its files deleted; then SIGKILL ten times, each as it is back",
        expected="",
        seconds=15,
        fault=killed_and_flapping,
    ),
    Row(
        number="16",
        title="Both Redis paused",
        injected="SIGSTOP for 14 to 16 s, beyond socket time-outs (5 s) and session (10 s)",
        expected="the bridges poll on: no partition is assigned anew",
        seconds=17,
        fault=paused,
    ),
    Row(
        number="17",
        title="The broker's connections half-open",
        injected="the proxy lets every open connection go silent for good; new ones pass",
        expected="sends fail within 5 s; workers notice within 51 s",
        seconds=5,
        fault=half_open,
        proxied=frozenset({"broker"}),
    ),
    Row(
        number="18",
        title="The broker's reply lost after a send",
        injected="the proxy cuts eight connections after LPUSH, before the reply",
        expected="the chunk is sent twice and applied once",
        seconds=6,
        fault=reply_lost,
        proxied=frozenset({"broker"}),
    ),
    Row(
        number="19",
        title="The broker out of memory, then evicting",
        injected="CONFIG SET maxmemory 1 with noeviction, then allkeys-lru at what it uses",
        expected="",
        seconds=11,
        fault=out_of_memory,
    ),
)
