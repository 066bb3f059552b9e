"""Configurations exchanged under traffic: each is served, no request fails, and a bad one changes nothing."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

from .loading import PATIENCE_SECONDS, Client, failures, get, statuses, under_load
from .serving import LISTEN, REFUSED

if TYPE_CHECKING:
    from .conftest import Serve
    from .loading import Told
    from .serving import Gateway
    from .upstream import Upstream

CLIENTS = 8
RELOADS = 10 * int(os.environ.get("TOOLWAY_RELOAD_SECONDS", "2"))
"""600 for a long run. Each begins once the last is served, which takes about a tenth of a second."""


def version(node: str, number: int) -> dict[str, Any]:
    """A configuration whose answers name it."""
    return {
        "gateway": LISTEN,
        "routes": [
            {
                "uri": "/versioned/*",
                "plugins": {
                    "proxy-rewrite": {"headers": {"set": {"X-Version": str(number)}}},
                    "request-id": {"header_name": f"X-Version-{number}"},
                },
                "upstream": {"nodes": {node: 1}},
            }
        ],
    }


async def reload_under_load(gateway: Gateway, node: str) -> set[str]:
    """Reloads again and again, each time once the last version was served. Gives the versions served."""
    loop = asyncio.get_running_loop()
    seen = {str(number): asyncio.Event() for number in range(RELOADS + 1)}
    served: set[str] = set()

    def note(_: bytes, told: Told) -> None:
        named = next((name.rpartition("-")[2] for name in told.headers if name.startswith("x-version-")), "")
        served.add(named)
        if named in seen:
            seen[named].set()

    clients = [Client(gateway.port, lambda: get("/versioned/thing"), told=note) for _ in range(CLIENTS)]
    async with under_load(clients):
        begun = loop.time()
        for number in range(1, RELOADS + 1):
            await asyncio.to_thread(gateway.rewrite, version(node, number))
            async with asyncio.timeout(PATIENCE_SECONDS):
                await seen[str(number)].wait()
    print(f"{RELOADS} reloads in {loop.time() - begun:.1f} s, {statuses(clients).total()} requests")
    assert failures(clients) == []
    assert set(statuses(clients)) == {200}
    return served


def test_no_request_fails_while_the_configuration_is_reloaded_every_tenth_of_a_second(
    serve: Serve, upstream: Upstream
) -> None:
    gateway = serve(version(upstream.node, 0))
    served = asyncio.run(reload_under_load(gateway, upstream.node))
    assert served == {str(number) for number in range(RELOADS + 1)}


def test_an_upstream_is_exchanged_without_a_failed_request(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(version(upstream.node, 0))
    assert gateway.http.get("/versioned/a").status_code == 200
    gateway.rewrite(version("127.0.0.1:1", 1))
    assert gateway.http.get("/versioned/a").status_code == 502
    gateway.rewrite(version(upstream.node, 2))
    answer = gateway.http.get("/versioned/a")
    assert answer.status_code == 200
    assert "X-Version-2" in answer.headers


def test_a_bad_file_leaves_the_old_configuration_and_says_where_it_is_wrong(
    serve: Serve, upstream: Upstream
) -> None:
    gateway = serve(version(upstream.node, 0))
    bad = json.dumps(LISTEN)
    gateway.rewrite(
        f"gateway: {bad}\n"
        "routes:\n"
        "  - uri: /versioned/*\n"
        "    methds: [GET]\n"
        "    upstream_id: nowhere\n"
        "    plugins: {key-auht: {}}\n",
        REFUSED,
    )
    places = [gateway.said.wait_for(f"{gateway.path}:{line}:") for line in (4, 5, 6)]
    assert f"{gateway.path}:4:5: " in places[0]
    assert "methods" in places[0]
    assert f"{gateway.path}:5:18: " in places[1]
    assert "key-auth" in places[2]
    assert "X-Version-0" in gateway.http.get("/versioned/a").headers
    gateway.rewrite(version(upstream.node, 2))
    assert "X-Version-2" in gateway.http.get("/versioned/a").headers


def test_a_file_that_is_gone_or_cut_in_two_leaves_the_old_configuration(
    serve: Serve, upstream: Upstream
) -> None:
    gateway = serve(version(upstream.node, 0))
    before = gateway.said.count()
    gateway.path.unlink()
    gateway.said.wait_for(REFUSED, after=before)
    assert gateway.http.get("/versioned/a").status_code == 200
    gateway.rewrite('routes: [{"uri": "/versio', REFUSED)
    assert gateway.http.get("/versioned/a").status_code == 200
    gateway.rewrite(version(upstream.node, 1))
    assert "X-Version-1" in gateway.http.get("/versioned/a").headers


def test_a_document_that_changes_is_read_again(serve: Serve, upstream: Upstream) -> None:
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "paths": {"/one": {"get": {"operationId": "one", "responses": {"200": {"description": "Done."}}}}},
    }
    api = {"id": "things", "spec": "things.json", "upstream": {"nodes": {upstream.node: 1}}}
    gateway = serve({"gateway": LISTEN, "routes": []})
    spec = gateway.path.with_name("things.json")
    spec.write_text(json.dumps(document))
    gateway.rewrite({"gateway": LISTEN, "apis": [api]})
    assert gateway.http.get("/one").status_code == 200
    assert gateway.http.get("/two").status_code == 404
    document["paths"]["/two"] = document["paths"].pop("/one")
    before = gateway.said.count()
    spec.write_text(json.dumps(document))
    gateway.said.wait_for("configuration reloaded", after=before)
    assert gateway.http.get("/two").status_code == 200
    assert gateway.http.get("/one").status_code == 404
