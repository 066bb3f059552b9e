"""`upstream-credential` as users have it: references in a file, secrets of a live gateway, tools, and tokens
of an authorization server that comes and goes.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from .identity_provider import ACCESS_TOKEN, Client, identity_provider
from .live import live
from .rpc import Rpc
from .serving import LISTEN, PATIENCE_SECONDS, run, write
from .things import configuration
from .upstream import Answer, Received
from .upstream import upstream as upstream_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Serve
    from .upstream import Upstream

SECRET = "sesame-of-the-gateway"
ENVIRONMENT = {"SHOP_KEY": SECRET}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "servers": [{"url": "http://127.0.0.1:1"}],
    "paths": {
        "/orders": {
            "get": {"operationId": "listOrders", "security": [{"key": []}], "responses": {"200": {}}},
        }
    },
    "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
}


@pytest.fixture
def tokens() -> Iterator[Upstream]:
    """An authorization server that gives `token-1`, `token-2` and so on, each for an hour."""
    with upstream_server() as server:
        given = iter(range(1, 10_000))
        server.answer = lambda _: granted(f"token-{next(given)}", 3600)
        yield server


def granted(token: str, expires_in: int) -> Answer:
    body = {"access_token": token, "token_type": "Bearer", "expires_in": expires_in}
    return Answer(body=json.dumps(body).encode())


def oauth2(server: Upstream, **more: Any) -> dict[str, Any]:
    return {
        "token_endpoint": f"http://{server.node}/token",
        "client_id": "gateway",
        "client_secret": SECRET,
        **more,
    }


def route(node: str, settings: dict[str, Any], **plugins: Any) -> dict[str, Any]:
    return {
        "id": "own",
        "uri": "/*",
        "upstream": {"nodes": {node: 1}},
        "plugins": {"upstream-credential": settings, **plugins},
    }


def test_a_key_from_the_environment_reaches_the_upstream_also_by_a_tool(
    serve: Serve, upstream: Upstream
) -> None:
    plugins = {"upstream-credential": {"header": {"X-Key": "$env://SHOP_KEY"}}}
    gateway = serve(configuration(upstream.node, {"*": {"plugins": plugins}}), environment=ENVIRONMENT)
    assert gateway.http.get("/stock", headers={"X-Key": "forged"}).status_code == 200
    assert upstream.only().header("X-Key") == SECRET
    assert Rpc(gateway.http).call("getStock")["isError"] is False
    assert upstream.only().header("X-Key") == SECRET
    assert SECRET not in "".join([*gateway.said.so_far(), *gateway.access_log.so_far()])


def test_only_what_the_list_names_goes_on_with_a_tool_call(serve: Serve, upstream: Upstream) -> None:
    plugins = {"upstream-credential": {"pass_through": ["X-Session"]}}
    gateway = serve(configuration(upstream.node, {"getStock": {"plugins": plugins}}))
    sent = {"X-Session": "of-the-client", "Authorization": "Bearer of-the-client"}
    assert Rpc(gateway.http).call("getStock", headers=sent)["isError"] is False
    received = upstream.only()
    assert (received.header("X-Session"), received.header("Authorization")) == ("of-the-client", None)


def test_compile_prints_no_secret_and_check_no_warning(tmp_path: Path, upstream: Upstream) -> None:
    path = tmp_path / "toolway.yaml"
    settings = {"bearer": SECRET, "query": {"key": "$env://SHOP_KEY"}}
    write(path, {"gateway": LISTEN, "routes": [route(upstream.node, settings)]})
    ran = run("compile", "-c", str(path), environment=ENVIRONMENT)
    assert ran.returncode == 0
    [compiled] = json.loads(ran.stdout)["routes"]
    shown = {"bearer": "[redacted]", "query": {"key": "[redacted]"}}
    assert compiled["plugins"]["upstream-credential"] == shown
    assert SECRET not in ran.stdout + ran.stderr
    assert run("check", "-c", str(path), environment=ENVIRONMENT).stdout == f"{path}: good\n"


def test_check_warns_where_an_operation_gets_nothing_of_what_it_wants(tmp_path: Path) -> None:
    path = tmp_path / "toolway.yaml"
    api = {"id": "shop", "spec": DOCUMENT, "plugins": {"key-auth": {}}}
    write(path, {"gateway": LISTEN, "apis": [api]})
    ran = run("check", "-c", str(path))
    assert ran.returncode == 0
    told = " ".join((ran.stdout + ran.stderr).split())
    assert "[upstream-without-credential]" in told
    assert "plugins: {upstream-credential: {header: {X-Key: $env://SHOP_KEY}}}" in told


def test_a_live_gateway_shows_no_secret_anywhere(
    tmp_path: Path, upstream: Upstream, tokens: Upstream
) -> None:
    folder = tmp_path / "data"
    with live(folder, settings={"access_log": "stdout"}) as gateway:
        settings = {"header": {"X-Key": SECRET}, "cookie": {"session": SECRET}, "oauth2": oauth2(tokens)}
        answer = gateway.curl("PUT", "/routes/own", route(upstream.node, settings))
        assert answer.status_code == 201
        gateway.http.get("/")
        received = upstream.only()
        assert received.header("X-Key") == SECRET
        assert received.header("Authorization") == "Bearer token-1"
        said = [answer.text]
        for path in ("/routes/own", "/routes", "/revisions", "/revisions/1", "/revisions/1/diff"):
            read = gateway.curl("GET", path)
            assert read.is_success, path
            said.append(read.text)
        shown = gateway.curl("GET", "/routes/own").json()["value"]["plugins"]["upstream-credential"]
        assert shown["header"] == {"X-Key": "***"}
        assert shown["oauth2"]["client_secret"] == "***"
        # What was read can be written, and the secret stays.
        changed = {**shown, "query": {"v": "2"}}
        assert gateway.curl("PATCH", "/routes/own", {"plugins": {"upstream-credential": changed}}).is_success
        gateway.http.get("/")
        received = upstream.only()
        assert (received.target, received.header("X-Key")) == ("/?v=2", SECRET)
        assert received.header("Authorization") == "Bearer token-1"
        wrong = {**settings, "bearer": f"{SECRET} {SECRET}"}
        refused = gateway.curl("PUT", "/routes/own", route(upstream.node, wrong))
        assert refused.status_code == 400
        tokens.answer = lambda received: Answer(401, body=received.body)
        other = {"oauth2": oauth2(tokens, token_endpoint_auth_method="client_secret_post")}
        assert gateway.curl("PUT", "/routes/own", route(upstream.node, other)).is_success
        failed = gateway.http.get("/")
        assert (failed.status_code, failed.headers["X-Toolway-Error"]) == (503, "outbound_failed")
        [line] = gateway.gateway.logged(1, lambda line: line["status"] == 503)
        assert "status 401" in json.dumps(line)
        said += [refused.text, failed.text]
        said += [*gateway.gateway.said.so_far(), *gateway.gateway.access_log.so_far()]
        assert SECRET not in "".join(said)
    stored = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert SECRET.encode() not in stored


def test_an_import_suggests_what_the_api_wants(tmp_path: Path) -> None:
    with live(tmp_path / "data") as gateway:
        made = gateway.admin.post("/apisix/admin/apis", json=DOCUMENT)
        assert made.status_code == 201
        [wanted] = made.json()["report"]["upstream_credentials"]
        assert wanted["wants"] == "an API key in the header X-Key"
        assert wanted["plugins"] == {"upstream-credential": {"header": {"X-Key": "$env://SHOP_KEY"}}}


def test_tokens_are_renewed_in_traffic_and_serve_on_while_their_server_is_away(
    serve: Serve, upstream: Upstream
) -> None:
    with upstream_server() as tokens:
        given = iter(range(1, 10_000))
        tokens.answer = lambda _: granted(f"token-{next(given)}", 2)
        gateway = serve({"gateway": LISTEN, "routes": [route(upstream.node, {"oauth2": oauth2(tokens)})]})
        seen: list[str | None] = []
        patience = monotonic() + PATIENCE_SECONDS
        while len(set(seen)) < 3:
            assert monotonic() < patience
            assert gateway.http.get("/").status_code == 200
            seen.append(upstream.next().header("Authorization"))
        # Each was fetched once, and none came back.
        assert list(dict.fromkeys(seen)) == [f"Bearer token-{number}" for number in (1, 2, 3)]
        assert seen == sorted(seen, key=str)
        tokens.answer = lambda _: Answer(503)
        before = gateway.http.get("/")
        while before.status_code == 200:
            assert upstream.next().header("Authorization") == "Bearer token-3"
            assert monotonic() < patience
            before = gateway.http.get("/")
        assert before.headers["X-Toolway-Error"] == "outbound_failed"
        tokens.answer = lambda _: granted("token-4", 3600)
        while gateway.http.get("/").status_code != 200:
            assert monotonic() < patience
        assert upstream.next().header("Authorization") == "Bearer token-4"


def test_requests_of_many_clients_wait_for_one_token_and_a_reload_keeps_it(
    serve: Serve, upstream: Upstream, tokens: Upstream
) -> None:
    settings = {
        "gateway": {**LISTEN, "workers": 2},
        "routes": [route(upstream.node, {"oauth2": oauth2(tokens)})],
    }
    gateway = serve(settings)
    with ThreadPoolExecutor(20) as clients:
        answers = list(clients.map(lambda _: gateway.http.get("/").status_code, range(100)))
    assert answers == [200] * 100
    gateway.rewrite({**settings, "global_rules": [{"id": "ids", "plugins": {"request-id": {}}}]})
    assert gateway.http.get("/").status_code == 200
    assert {upstream.next().header("Authorization") for _ in range(101)} == {"Bearer token-1"}
    asked = tokens.only()
    assert dict(parse_qsl(asked.body.decode())) == {"grant_type": "client_credentials"}


def test_an_answer_of_the_token_server_that_never_ends_fails_the_request(
    serve: Serve, upstream: Upstream, tokens: Upstream
) -> None:
    def endless(_: Received) -> Answer:
        return Answer(body=(b"x" * 65_536 for _ in range(1 << 20)))

    tokens.answer = endless
    gateway = serve({"gateway": LISTEN, "routes": [route(upstream.node, {"oauth2": oauth2(tokens)})]})
    answer = gateway.http.get("/")
    assert (answer.status_code, answer.headers["X-Toolway-Error"]) == (503, "outbound_failed")
    [line] = gateway.logged(1, lambda line: line["status"] == 503)
    assert "65536 bytes" in json.dumps(line)
    assert upstream.arrived.empty()


def test_a_caller_s_token_is_exchanged_at_the_identity_provider_that_made_it(
    serve: Serve, upstream: Upstream
) -> None:
    gateway_client = Client("gateway", "s&same of the gateway")
    with identity_provider(gateway_client) as provider:
        exchange = {
            "grant_type": "token_exchange",
            "token_endpoint": provider.url("/token"),
            "client_id": gateway_client.id,
            "client_secret": gateway_client.secret,
            "audience": ["orders"],
            "requested_token_type": ACCESS_TOKEN,
        }
        recognised = {"client_id": gateway_client.id, "discovery": provider.discovery, "bearer_only": True}
        plugins = {"openid-connect": recognised}
        gateway = serve(
            {"gateway": LISTEN, "routes": [route(upstream.node, {"oauth2": exchange}, **plugins)]}
        )
        carols, daves = provider.token(), provider.token(sub="dave")
        for token, subject in ((carols, "carol"), (carols, "carol"), (daves, "dave")):
            answer = gateway.http.get("/", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200
            shown = (upstream.only().header("Authorization") or "").removeprefix("Bearer ")
            claims = jwt.decode(shown, KeySet(provider.keys), algorithms=["ES256"]).claims
            assert (claims["sub"], claims["act"]["sub"], claims["aud"]) == (subject, "gateway", "orders")
        assert provider.asked.count("/token") == 2
        gone = provider.token(sub="erin")
        provider.revoked.add(gone)
        refused = gateway.http.get("/", headers={"Authorization": f"Bearer {gone}"})
        assert (refused.status_code, refused.headers.get("X-Toolway-Error")) == (403, None)
        assert gateway.http.get("/").status_code == 401
        assert upstream.arrived.empty()
        said = "".join([*gateway.said.so_far(), *gateway.access_log.so_far()])
        assert not [token for token in (carols, daves, gone, gateway_client.secret) if token in said]
