"""Who is let in: keys and roles, hosts, bodies; and what nobody is told."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trustme

from toolway.admin.answers import Answer
from toolway.admin.application import application
from toolway.admin.attempts import WAITING_MOST
from toolway.admin.connections import Connection
from toolway.admin.entrance import Entrance
from toolway.admin.hosts import Hosts
from toolway.admin.keys import Key, Keys, Role, WeakKeyError
from toolway.admin.operation import Context
from toolway.admin.server import AdminServer
from toolway.config.models.gateway import Admin, AdminTls
from toolway.config.secret import Secret
from toolway.store import StoreUnavailable

from .gateway import KEY, UPSTREAM, VIEWER, AdminUnderTest

if TYPE_CHECKING:
    from pathlib import Path

ROUTE = {"uri": "/hello", "upstream": UPSTREAM}
CONTEXT = Context(None, {}, lambda _kind, _value: [], lambda _app: None, lambda _changes: None)  # type: ignore[arg-type]


def test_without_a_key_nothing_is_told(admin: AdminUnderTest) -> None:
    for path in ("/routes", "/openapi.json", "/plugins/list", "/nonsense"):
        answer = admin.http.get(f"/apisix/admin{path}")
        assert (answer.status_code, answer.json()) == (
            401,
            {"error_msg": "failed to check token", "description": "missing apikey"},
        )


def test_a_wrong_key_and_two_keys_are_none(admin: AdminUnderTest) -> None:
    wrong = admin.http.get("/apisix/admin/routes", headers={"X-API-KEY": KEY + "x"})
    twice = admin.http.get("/apisix/admin/routes", headers=[("X-API-KEY", KEY), ("X-API-KEY", KEY)])
    assert (wrong.status_code, twice.status_code) == (401, 401)
    assert KEY not in wrong.text


def test_a_viewer_may_look_and_not_change(admin: AdminUnderTest) -> None:
    admin.put("/routes/1", ROUTE)
    for method, path, body in (
        ("PUT", "/routes/1", ROUTE),
        ("DELETE", "/routes/1", None),
        ("PATCH", "/routes/1", {}),
        ("POST", "/bulk", {"changes": []}),
        ("POST", "/revisions/1/rollback", None),
    ):
        answer = admin.call(method, path, body, X_API_KEY=VIEWER)
        assert answer.status_code == 401
        assert answer.json()["description"] == "invalid method for role viewer"
    assert admin.call("GET", "/routes/1", X_API_KEY=VIEWER).status_code == 200
    assert admin.call("POST", "/plan", {"resources": {}}, X_API_KEY=VIEWER).status_code == 200


@pytest.mark.parametrize("host", ["attacker.example", "attacker.example:9180", "127.0.0.1.attacker.example"])
def test_a_name_that_is_not_its_own_is_refused(admin: AdminUnderTest, host: str) -> None:
    assert admin.call("GET", "/routes", host=host).status_code == 403


def test_no_browser_is_given_permission(admin: AdminUnderTest) -> None:
    preflight = admin.call(
        "OPTIONS", "/routes", origin="https://attacker.example", access_control_request_method="PUT"
    )
    looked = admin.call("GET", "/routes", origin="https://attacker.example")
    assert preflight.status_code == 405
    for answer in (preflight, looked):
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "raw", [b"{", b"\xff\xfe", b"[" * 100_000, b'{"uri": "/a", "uri": "/b"}', b'{"uri": "\\ud800"}']
)
def test_bodies_that_are_no_json_are_refused(admin: AdminUnderTest, raw: bytes) -> None:
    answer = admin.call("PUT", "/routes/1", raw=raw)
    assert answer.status_code == 400
    assert answer.json()["error_msg"].startswith("invalid request body: ")


def test_any_content_type_is_json(admin: AdminUnderTest) -> None:
    answer = admin.call("PUT", "/routes/1", ROUTE, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 201


def served(application: Any, settings: Admin, keys: Keys) -> AdminServer:
    """A server of `application` alone."""
    server = AdminServer(CONTEXT, settings, keys, version="test")
    server._application = application
    server._server.config.app = application
    return server


def test_what_goes_wrong_inside_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(_scope: Any, _receive: Any, _send: Any) -> None:
        raise RuntimeError("the inner secret")

    keys = Keys([Key.of("root", Role.admin, KEY)])
    entrance = Entrance(failing, keys, Hosts(), body_bytes=1024)
    server = served(entrance, Admin(listen="127.0.0.1:0"), keys)
    server.start()
    try:
        answer = httpx.get(f"http://{server.address}/", headers={"X-API-KEY": KEY}, trust_env=False)
    finally:
        server.stop()
    assert answer.status_code == 500
    assert "the inner secret" not in answer.text
    assert "Traceback" not in answer.text
    assert "the inner secret" in caplog.text


def test_a_body_is_bounded_with_a_length_and_without() -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await Answer(200, len(scope["state"]["body"])).response()(scope, receive, send)

    keys = Keys([Key.of("root", Role.admin, KEY)])
    server = served(Entrance(inner, keys, Hosts(), body_bytes=1024), Admin(listen="127.0.0.1:0"), keys)
    server.start()
    try:
        with httpx.Client(
            base_url=f"http://{server.address}", headers={"X-API-KEY": KEY}, trust_env=False
        ) as client:
            assert client.post("/", content=b"x" * 1024).json() == 1024
            assert client.post("/", content=b"x" * 1025).status_code == 413
            assert client.post("/", content=iter([b"x" * 1000, b"x" * 1000])).status_code == 413
    finally:
        server.stop()


def test_wrong_keys_are_slowed_and_many_at_once_turned_away() -> None:
    """The waits are held until all requests are in, so that nothing depends on time."""
    waits: list[float] = []
    release = threading.Event()

    async def held(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.get_running_loop().run_in_executor(None, release.wait, 30)

    async def inner(_scope: Any, _receive: Any, _send: Any) -> None:
        """Nobody comes this far."""

    keys = Keys([Key.of("root", Role.admin, KEY)])
    server = served(
        Entrance(inner, keys, Hosts(), body_bytes=1024, wait=held), Admin(listen="127.0.0.1:0"), keys
    )
    server.start()
    try:
        host, _, port = server.address.rpartition(":")
        opened = []
        for _ in range(WAITING_MOST):
            connection = socket.create_connection((host, int(port)))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: wrong\r\n\r\n")
            opened.append(connection)
        statuses = {0}
        while 429 not in statuses:
            statuses.add(httpx.get(f"http://{server.address}/", trust_env=False).status_code)
        release.set()
        for connection in opened:
            assert connection.recv(12) == b"HTTP/1.1 401"
            connection.close()
        assert statuses <= {0, 401, 429}
        assert sorted(waits) == waits
        assert waits[-1] > waits[0]
    finally:
        release.set()
        server.stop()


def test_a_store_that_is_away_is_told(admin: AdminUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_arguments: Any, **_named: Any) -> Any:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(type(admin.store), "get", away)
    for method, body in (("GET", None), ("PUT", ROUTE), ("DELETE", None)):
        answer = admin.call(method, "/routes/1", body)
        assert (answer.status_code, answer.json()) == (503, {"error_msg": "the disk is full"})


def test_who_sends_no_head_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "head_seconds", 0.05)
    keys = Keys([Key.of("root", Role.admin, KEY)])
    server = AdminServer(CONTEXT, Admin(listen="127.0.0.1:0"), keys, version="test")
    server.start()
    try:
        host, _, port = server.address.rpartition(":")
        for begun in (b"", b"GET / HTTP/1.1\r\nHost: loc"):
            with socket.create_connection((host, int(port)), timeout=30) as connection:
                connection.sendall(begun)
                assert connection.recv(1) == b""
    finally:
        server.stop()


def test_a_weak_key_is_refused_where_others_could_reach_it() -> None:
    keys = Keys([Key.of("root", Role.admin, "edd1c9f034335f136f87ad84b625c8f1")])
    for listen in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0"):
        with pytest.raises(WeakKeyError, match="everyone knows"):
            AdminServer(CONTEXT, Admin(listen=listen), keys, version="test")
    AdminServer(CONTEXT, Admin(listen="127.0.0.1:0"), keys, version="test")


def test_by_tls_clients_show_a_certificate_where_that_is_asked_for(tmp_path: Path) -> None:
    authority, clients = trustme.CA(), trustme.CA()
    own = authority.issue_cert("localhost", "127.0.0.1")
    tls = AdminTls(
        cert=Secret(own.cert_chain_pems[0].bytes().decode()),
        key=Secret(own.private_key_pem.bytes().decode()),
        client_ca=Secret(clients.cert_pem.bytes().decode()),
    )
    keys = Keys([Key.of("root", Role.admin, KEY)])
    server = AdminServer(CONTEXT, Admin(listen="127.0.0.1:0", tls=tls), keys, version="test")
    server.start()
    try:
        believing = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
        url = f"https://{server.address}/apisix/admin/plugins/list"
        with pytest.raises(httpx.TransportError), httpx.Client(verify=believing, trust_env=False) as client:
            client.get(url, headers={"X-API-KEY": KEY})
        shown = clients.issue_cert("client")
        (tmp_path / "client.pem").write_bytes(shown.private_key_and_cert_chain_pem.bytes())
        believing.load_cert_chain(tmp_path / "client.pem")
        with httpx.Client(verify=believing, trust_env=False) as client:
            assert client.get(url, headers={"X-API-KEY": KEY}).json() == []
    finally:
        server.stop()


def test_a_certificate_that_is_none_is_told() -> None:
    tls = AdminTls(cert=Secret("-----BEGIN CERTIFICATE-----"), key=Secret("-----BEGIN PRIVATE KEY-----"))
    with pytest.raises(ValueError, match="certificate of the Admin API"):
        AdminServer(CONTEXT, Admin(listen="127.0.0.1:0", tls=tls), Keys([]), version="test")


def test_the_application_has_a_route_for_every_operation() -> None:
    assert len(application(CONTEXT, version="test").routes) > 30
