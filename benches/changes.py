"""What a change of the configuration costs the engine: `python -m benches.changes`, with a release build.

Told are the milliseconds that preparing and committing a delta take, those of applying a whole snapshot, and
the memory that consumers and routes take. Nothing listens: this is the engine's share of a change to live.
"""

from __future__ import annotations

import gc
import hashlib
import json
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolway import _engine

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS = 21


def route(number: int, upstream: str = "shared", **fields: Any) -> dict[str, Any]:
    """A route as a configuration of many APIs has them."""
    return {
        "id": f"route-{number}",
        "name": f"Route number {number}",
        "uris": [f"/routes/{number}/items/:id"],
        "methods": ["GET"],
        "service": f"service-{number % 100}",
        "plugins": {
            "key-auth": {"header": "apikey"},
            "limit-count": {"count": 100, "time_window": 60, "key": "consumer_name"},
            "prometheus": {},
        },
        "target": {"upstream": {"id": upstream}},
        **fields,
    }


def upstream(name: str = "shared", port: int = 8000) -> dict[str, Any]:
    """An upstream with one node."""
    return {
        "id": name,
        "scheme": "http",
        "pass_host": "pass",
        "retries": 1,
        "tls_verify": True,
        "nodes": [{"host": "127.0.0.1", "port": port, "weight": 1}],
        "timeout": {"connect_ms": 5000, "send_ms": 5000, "read_ms": 5000},
        "keepalive": {"size": 8, "idle_timeout_ms": 60000, "requests": 1000},
    }


def consumer(number: int) -> dict[str, Any]:
    """A consumer with a key and a group."""
    digest = hashlib.sha256(f"key-{number}".encode()).hexdigest()
    credential = {"id": f"credential-{number}", "plugin": "key-auth", "config": {"key_sha256": digest}}
    return {
        "username": f"consumer-{number}",
        "group": f"group-{number % 10}",
        "labels": {"custom_id": f"customer-{number}"},
        "plugins": {},
        "credentials": [credential],
    }


def snapshot(routes: list[dict[str, Any]], consumers: list[dict[str, Any]], *others: dict[str, Any]) -> str:
    """A whole document."""
    gateway = {"listen": [], "workers": 1}
    upstreams = [upstream(), *others]
    whole = {
        "version": 1,
        "gateway": gateway,
        "upstreams": upstreams,
        "routes": routes,
        "consumers": consumers,
    }
    return json.dumps(whole)


def resident() -> float:
    """Megabytes that this process has in memory."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def milliseconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def tell(what: str, value: float, unit: str) -> None:
    """One line of the table."""
    print(f"{what:<58} {value:>10.2f} {unit}")


def change(what: str, engine: _engine.Engine, put: Callable[[int], dict[str, Any]]) -> None:
    """Measures a delta that `put` makes anew for each turn."""
    prepared: list[float] = []
    committed: list[float] = []
    for turn in range(TURNS):
        text = json.dumps({"version": 1, "put": put(turn)})
        began = time.perf_counter()
        ready = engine.prepare(text)
        between = time.perf_counter()
        engine.commit(ready)
        prepared.append((between - began) * 1000)
        committed.append((time.perf_counter() - between) * 1000)
    tell(f"{what}: prepare", statistics.median(prepared), "ms")
    tell(f"{what}: prepare, slowest", max(prepared), "ms")
    tell(f"{what}: commit", statistics.median(committed), "ms")


def of_routes(count: int) -> None:
    """A route, and the upstream of all routes, among `count` of them."""
    text = snapshot([route(number) for number in range(count)], [])
    gc.collect()
    before = resident()
    engine = _engine.Engine(text)
    tell(f"{count} routes: memory", resident() - before, "MB")
    change(
        f"{count} routes: one with another plugin setting",
        engine,
        lambda turn: {"routes": [changed(count, turn)]},
    )
    change(f"{count} routes: one with another path", engine, lambda turn: {"routes": [moved(count, turn)]})
    change(
        f"{count} routes: the upstream of all", engine, lambda turn: {"upstreams": [upstream(port=turn + 1)]}
    )
    whole = [milliseconds(lambda: engine.apply(text)) for _ in range(3)]
    tell(f"{count} routes: apply the whole", statistics.median(whole), "ms")


def changed(count: int, turn: int) -> dict[str, Any]:
    """The route in the middle with another limit."""
    return route(count // 2, plugins={"limit-count": {"count": turn + 1, "time_window": 60}})


def moved(count: int, turn: int) -> dict[str, Any]:
    """The route in the middle at another path."""
    return route(count // 2, uris=[f"/moved/{turn}/:id"])


def of_consumers(count: int) -> None:
    """A consumer among `count` of them."""
    text = snapshot([route(0)], [consumer(number) for number in range(count)])
    engine = _engine.Engine(snapshot([route(0)], []))
    gc.collect()
    before = resident()
    tell(f"{count} consumers: apply the whole", milliseconds(lambda: engine.apply(text)), "ms")
    tell(f"{count} consumers: memory just after", resident() - before, "MB")
    change(
        f"{count} consumers: one with another key", engine, lambda turn: {"consumers": [rekeyed(count, turn)]}
    )
    tell(f"{count} consumers: memory later", resident() - before, "MB")


def rekeyed(count: int, turn: int) -> dict[str, Any]:
    """The consumer in the middle with a key that nobody has."""
    middle = consumer(count // 2)
    return {**middle, "credentials": consumer(count + turn)["credentials"]}


if __name__ == "__main__":
    of_consumers(100_000)
    for size in (10_000, 100_000):
        of_routes(size)
