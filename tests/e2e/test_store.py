"""Gateways on a store that cannot be written, or that another gateway has: they serve what is stored."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from .live import KEY, SETTINGS, live
from .loading import Client, answered, failures, statuses, under_load
from .serving import PATIENCE_SECONDS, Gateway, serving, write

if TYPE_CHECKING:
    from pathlib import Path

    from .upstream import Upstream

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
ENVIRONMENT = {"TOOLWAY_ADMIN_KEY": KEY}
CLIENTS = 4
BETWEEN = 20


def route(upstream: Upstream, uri: str) -> dict[str, Any]:
    return {"uri": uri, "upstream": {"nodes": {upstream.node: 1}}}


def test_a_read_only_folder_is_served_and_writes_are_refused(tmp_path: Path, upstream: Upstream) -> None:
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a process cannot have mounts of its own here")
    folder, path = tmp_path / "data", tmp_path / "data.yaml"
    with live(folder) as gateway:
        assert gateway.curl("PUT", "/routes/1", route(upstream, "/kept")).status_code == 201
    within = [*NAMESPACE, "sh", "-c", READ_ONLY, str(folder)]
    with serving(path, "--data", str(folder), environment=ENVIRONMENT, within=within) as gateway_:
        assert gateway_.http.get("/kept").status_code == 200
        gateway_.said.wait_for("what is stored is served, and writes are refused")
        with httpx.Client(base_url=str(gateway_.admin_origin), headers={"X-API-KEY": KEY}) as admin:
            assert admin.get("/apisix/admin/routes").json()["total"] == 1
            refused = admin.put("/apisix/admin/routes/2", json=route(upstream, "/more"))
        assert refused.status_code == 503
        assert "store.db can only be read: Read-only file system" in refused.json()["error_msg"]
        assert gateway_.http.get("/more").status_code == 404
    with live(folder) as gateway:
        assert gateway.curl("PUT", "/routes/2", route(upstream, "/more")).status_code == 201


def test_a_gateway_takes_over_the_store_of_another_without_a_failed_request_or_a_lost_write(
    tmp_path: Path, upstream: Upstream
) -> None:
    folder = tmp_path / "data"

    async def take_over(stack: ExitStack, clients: list[Client], port: int) -> tuple[Gateway, str]:
        first = predecessor
        async with under_load(clients):
            second_path = tmp_path / "second.yaml"
            write(second_path, {"gateway": {**SETTINGS, "listen": [f"127.0.0.1:{port}"]}})
            second = await asyncio.to_thread(
                stack.enter_context,
                serving(second_path, "--data", str(folder), "--take-over", environment=ENVIRONMENT),
            )
            second.said.wait_for("until the other ends")
            await answered(clients, BETWEEN)
            # The old one still writes, and the new one hears of it.
            written = first.curl("PUT", "/routes/late", route(upstream, "/late")).json()["modifiedIndex"]
            await asyncio.to_thread(second.said.wait_for, f"revision {written} is live")
            await asyncio.to_thread(old.close)
            line = await asyncio.to_thread(second.said.wait_for, "the Admin API listens on ")
            await asyncio.to_thread(second.said.wait_for, "is written by this process from now on")
            await answered(clients, BETWEEN)
        return second, line.rpartition(" ")[2]

    with ExitStack() as stack, ExitStack() as old:
        predecessor = old.enter_context(live(folder))
        assert predecessor.curl("PUT", "/routes/1", route(upstream, "/")).status_code == 201
        port = predecessor.gateway.port
        clients = [Client(port, fresh_after=number % 2) for number in range(CLIENTS)]
        second, address = asyncio.run(take_over(stack, clients, port))
        with httpx.Client(
            base_url=f"http://{address}", headers={"X-API-KEY": KEY}, timeout=PATIENCE_SECONDS
        ) as admin:
            answer = admin.put("/apisix/admin/routes/new", json=route(upstream, "/new"))
            assert answer.status_code == 201
            assert admin.get("/apisix/admin/routes").json()["total"] == 3
        assert [second.http.get(path).status_code for path in ("/", "/late", "/new")] == [200, 200, 200]
    assert failures(clients) == []
    assert set(statuses(clients)) == {200}
