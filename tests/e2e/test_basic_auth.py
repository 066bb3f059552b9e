"""`basic-auth` on the wire: a password lets its consumer in, and the upstream does not see it."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from .serving import LISTEN, serving, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Serve
    from .serving import Gateway
    from .upstream import Upstream


def basic(username: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{username}:{password}".encode()).decode()}


def configuration(node: str, password: str) -> dict[str, object]:
    return {
        "gateway": LISTEN,
        "routes": [{"id": "r", "uri": "/*", "plugins": {"basic-auth": {}}, "upstream": {"nodes": {node: 1}}}],
        "consumers": [
            {
                "username": "jack",
                "plugins": {"basic-auth": {"username": "jack@example.com", "password": password}},
            }
        ],
    }


@pytest.fixture(scope="module")
def gateway(recorder: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    path = tmp_path_factory.mktemp("basic-auth") / "toolway.yaml"
    write(path, configuration(recorder.node, "open sesame"))
    with serving(path) as gateway:
        yield gateway


def test_who_has_the_password_goes_on_and_the_upstream_does_not_see_it(
    gateway: Gateway, upstream: Upstream
) -> None:
    for _ in range(2):
        answer = gateway.http.get("/x", headers=basic("jack@example.com", "open sesame"))
        assert answer.status_code == 200
        received = upstream.next()
        assert received.header("X-Consumer-Username") == "jack"
        assert received.header("X-Credential-Identifier") == "jack:basic-auth"
        assert received.header("Authorization") is None


def test_others_are_refused_with_a_challenge(gateway: Gateway, upstream: Upstream) -> None:
    for headers, message in (
        ({}, "Missing authorization in request"),
        ({"Authorization": "Basic !"}, "Invalid authorization in request"),
        (basic("jack@example.com", "open"), "Invalid user authorization"),
        (basic("jack", "open sesame"), "Invalid user authorization"),
    ):
        answer = gateway.http.get("/x", headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"message": message})
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="basic"'
    assert upstream.arrived.empty()


def test_a_changed_password_holds_from_the_next_request_on(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(configuration(upstream.node, "first"))
    first, second = (basic("jack@example.com", password) for password in ("first", "second"))
    assert gateway.http.get("/x", headers=first).status_code == 200
    gateway.rewrite(configuration(upstream.node, "second"))
    assert gateway.http.get("/x", headers=first).status_code == 401
    assert gateway.http.get("/x", headers=second).status_code == 200
