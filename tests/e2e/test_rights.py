"""Who may call what, on the wire: restrictions by caller, address, client, page, path and body, also for tool
calls, and what is tried to get around them.
"""

from __future__ import annotations

import hmac
import json
import socket
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import pytest

from .rpc import Rpc, text_of
from .serving import LISTEN, serving, write
from .things import CONSUMERS, DOCUMENT, KEY, OTHER_KEY, app, configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Serve
    from .serving import Gateway
    from .upstream import Upstream

THIRD_KEY = "a-third-key-that-only-tests-use"
SECRET = "a secret of the test that is long enough"
ELSEWHERE = {"whitelist": ["10.0.0.0/8", "2001:db8::/32"]}
PLUGINS: dict[str, dict[str, Any]] = {
    "named": {"key-auth": {}, "consumer-restriction": {"whitelist": ["ada"]}},
    "nobody": {"consumer-restriction": {"blacklist": ["bob"]}},
    "labelled": {"key-auth": {}, "acl": {"allow_labels": {"team": ["sales"]}}},
    "grouped": {"key-auth": {}, "acl": {"deny_groups": ["partners"]}},
    "scoped": {"jwt-auth": {"store_in_ctx": True}, "acl": {"required_scopes": ["read", "write"]}},
    "here": {"ip-restriction": {"whitelist": ["127.0.0.0/8", "::1"]}},
    "elsewhere": {"ip-restriction": ELSEWHERE},
    "agents": {"ua-restriction": {"denylist": ["^python-httpx/"]}},
    "pages": {"referer-restriction": {"whitelist": ["*.example.com"]}},
    "blocked": {"uri-blocker": {"block_rules": ["^/blocked/admin"]}},
    "forms": {"csrf": {"key": "$env://CSRF_KEY"}},
    "notes": {"client-control": {"max_body_size": 10}},
    "keyed": {"key-auth": {}},
}
"""By route, which is at the uri of its name and below."""


def routes(node: str) -> list[dict[str, Any]]:
    return [
        {"id": name, "uris": [f"/{name}", f"/{name}/*"], "plugins": plugins, "upstream": {"nodes": {node: 1}}}
        for name, plugins in PLUGINS.items()
    ]


def consumers() -> list[dict[str, Any]]:
    ada, bob = CONSUMERS
    settings = {"key": "joan", "secret": SECRET}
    return [
        {**ada, "labels": {"team": "sales,field"}},
        {**bob, "group_id": "partners"},
        {"username": "carol", "plugins": {"key-auth": {"key": THIRD_KEY}, "ip-restriction": ELSEWHERE}},
        {"username": "joan", "plugins": {"jwt-auth": settings}},
    ]


@pytest.fixture(scope="module")
def gateway(recorder: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    path = tmp_path_factory.mktemp("rights") / "toolway.yaml"
    write(
        path,
        {
            "gateway": LISTEN,
            "routes": routes(recorder.node),
            "consumers": consumers(),
            "consumer_groups": [{"id": "partners", "plugins": {}}],
        },
    )
    with serving(path, environment={"CSRF_KEY": "a key for tests"}) as gateway:
        yield gateway


def token(**claims: Any) -> dict[str, str]:
    """The header with a token of joan."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"key": "joan", **claims})
    encoded = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    signature = hmac.digest(SECRET.encode(), b".".join(encoded), "sha256")
    text = b".".join([*encoded, urlsafe_b64encode(signature).rstrip(b"=")])
    return {"Authorization": f"Bearer {text.decode()}"}


def test_a_consumer_calls_what_its_name_and_its_labels_allow(gateway: Gateway, upstream: Upstream) -> None:
    for path in ("/named", "/labelled", "/grouped"):
        assert gateway.http.get(path, headers={"apikey": KEY}).status_code == 200, path
        assert upstream.only().header("X-Consumer-Username") == "ada"
    for path, message in (
        ("/named", "The consumer_name is forbidden."),
        ("/labelled", "The consumer is forbidden."),
        ("/grouped", "The consumer is forbidden."),
    ):
        answer = gateway.http.get(path, headers={"apikey": OTHER_KEY})
        assert (answer.status_code, answer.json()) == (403, {"message": message}), path
    assert upstream.arrived.empty()


@pytest.mark.parametrize("name", ["X-Consumer-Username", "x_consumer_username", "X-Consumer-Group-Id"])
def test_an_identity_cannot_be_claimed_by_a_header(gateway: Gateway, upstream: Upstream, name: str) -> None:
    answer = gateway.http.get("/named", headers={name: "ada", "Connection": name, "apikey": OTHER_KEY})
    assert (answer.status_code, answer.json()) == (403, {"message": "The consumer_name is forbidden."})
    answer = gateway.http.get("/nobody", headers={name: "ada"})
    message = "The request is rejected, please check the consumer_name for this request"
    assert (answer.status_code, answer.json()) == (401, {"message": message})
    assert upstream.arrived.empty()


def test_a_token_needs_every_scope(gateway: Gateway, upstream: Upstream) -> None:
    assert gateway.http.get("/scoped", headers=token(scope="write read")).status_code == 200
    upstream.only()
    answer = gateway.http.get("/scoped", headers=token(scope="read"))
    assert answer.status_code == 403
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="read write"'
    assert upstream.arrived.empty()


def test_an_address_is_that_of_the_connection_whatever_headers_say(
    gateway: Gateway, upstream: Upstream
) -> None:
    assert gateway.http.get("/here", headers={"X-Forwarded-For": "10.0.0.1"}).status_code == 200
    upstream.only()
    for name in ("X-Forwarded-For", "X-Real-IP", "X_Forwarded_For", "Forwarded", "X-Client-IP"):
        value = "for=10.0.0.1" if name == "Forwarded" else "10.0.0.1"
        answer = gateway.http.get("/elsewhere", headers={name: value})
        assert (answer.status_code, answer.json()) == (403, {"message": "Your IP address is not allowed"})
    assert upstream.arrived.empty()


def test_a_trusted_proxy_names_the_address(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(
        {
            "gateway": {**LISTEN, "trusted_addresses": ["127.0.0.1"]},
            "routes": [route for route in routes(upstream.node) if route["id"] == "elsewhere"],
        }
    )
    assert gateway.http.get("/elsewhere", headers={"X-Forwarded-For": "10.0.0.1"}).status_code == 200
    upstream.only()
    # What stands before the address that the proxy saw is only a claim.
    answer = gateway.http.get("/elsewhere", headers={"X-Forwarded-For": "10.0.0.1, 192.0.2.7"})
    assert answer.status_code == 403
    assert upstream.arrived.empty()


def test_a_consumer_may_be_held_to_addresses(gateway: Gateway, upstream: Upstream) -> None:
    assert gateway.http.get("/keyed", headers={"apikey": KEY}).status_code == 200
    upstream.only()
    answer = gateway.http.get("/keyed", headers={"apikey": THIRD_KEY})
    assert (answer.status_code, answer.json()) == (403, {"message": "Your IP address is not allowed"})
    assert upstream.arrived.empty()


def test_clients_and_pages_are_told_apart_by_their_headers(gateway: Gateway, upstream: Upstream) -> None:
    assert gateway.http.get("/agents").status_code == 403
    assert gateway.http.get("/pages").status_code == 403
    assert gateway.http.get("/pages", headers={"Referer": "https://example.com.evil.org"}).status_code == 403
    assert upstream.arrived.empty()
    assert gateway.http.get("/agents", headers={"User-Agent": "curl/8"}).status_code == 200
    assert gateway.http.get("/pages", headers={"Referer": "https://www.example.com/x"}).status_code == 200


def raw(gateway: Gateway, request: str) -> str:
    """The status line of the answer to bytes that no client would send."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=30) as connection:
        connection.sendall(request.encode())
        return connection.makefile("rb").readline().decode().strip()


@pytest.mark.parametrize(
    "path",
    [
        "/blocked/admin",
        "/blocked/%61dmin",
        "/blocked/%2561dmin",
        "/blocked%2Fadmin",
        "/blocked//admin",
        "//blocked/admin",
        "/blocked/./admin",
        "/blocked/x/../admin",
        "/blocked/x/%2e%2e/admin",
        "/blocked/;x/admin",
        "/blocked\\admin",
        "/blocked/admin/x?y",
    ],
)
def test_no_spelling_gets_around_a_blocked_path(gateway: Gateway, upstream: Upstream, path: str) -> None:
    line = raw(gateway, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    # Some of them lead to no route, or are refused as they are.
    assert line.split()[1] in {"400", "403", "404"}
    assert upstream.arrived.empty()


def test_a_path_that_is_not_blocked_goes_on(gateway: Gateway, upstream: Upstream) -> None:
    assert gateway.http.get("/blocked/x?next=/blocked/admin").status_code == 200
    assert upstream.only().target == "/blocked/x?next=/blocked/admin"


def test_a_form_needs_the_token_that_a_page_was_given(gateway: Gateway, upstream: Upstream) -> None:
    seen = gateway.http.get("/forms")
    cookie = seen.headers["Set-Cookie"].partition(";")[0]
    name, _, value = cookie.partition("=")
    upstream.only()
    for headers, message in (
        ({}, "no csrf token in headers"),
        ({"Cookie": cookie}, "no csrf token in headers"),
        ({name: value}, "no csrf cookie"),
        ({"Cookie": cookie, name: value[:-4] + "AAA="}, "csrf token mismatch"),
    ):
        gateway.http.cookies.clear()
        answer = gateway.http.post("/forms", headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"error_msg": message})
    assert upstream.arrived.empty()
    gateway.http.cookies.clear()
    assert gateway.http.post("/forms", headers={"Cookie": cookie, name: value}).status_code == 200
    upstream.only()


def test_a_body_that_is_too_large_is_refused_before_and_while_it_comes(
    gateway: Gateway, upstream: Upstream
) -> None:
    assert gateway.http.post("/notes", content=b"a" * 10).status_code == 200
    upstream.only()
    assert gateway.http.post("/notes", content=b"a" * 11).status_code == 413
    answer = gateway.http.post("/notes", content=iter([b"a" * 6, b"b" * 6]))
    assert answer.status_code == 413
    assert answer.json() == {"error_msg": "The request body is too large"}
    assert upstream.arrived.empty()


def test_restrictions_hold_for_tool_calls(serve: Serve, upstream: Upstream) -> None:
    operations = {
        "findThings": {"plugins": {"key-auth": {}, "consumer-restriction": {"whitelist": ["ada"]}}},
        "getStock": {"plugins": {"ip-restriction": ELSEWHERE}},
        "deleteThing": {"plugins": {"csrf": {"key": "k"}, "ua-restriction": {"denylist": ["evil"]}}},
        "createThing": {"plugins": {"client-control": {"max_body_size": 20}}},
    }
    gateway = serve(configuration(upstream.node, operations))
    rpc = Rpc(gateway.http)
    assert rpc.call("findThings", headers={"apikey": KEY})["isError"] is False
    assert rpc.call("deleteThing", {"id": 1})["isError"] is False
    assert rpc.call("createThing", {"name": "Mug"})["isError"] is False
    for _ in range(3):
        upstream.next()
    for tool, arguments, headers, message in (
        ("findThings", {}, {"apikey": OTHER_KEY}, "The consumer_name is forbidden."),
        ("getStock", {}, {"X-Forwarded-For": "10.0.0.1"}, "Your IP address is not allowed"),
        ("deleteThing", {"id": 1}, {"User-Agent": "evil"}, "Not allowed"),
        ("createThing", {"name": "A very large mug"}, {}, "too large"),
    ):
        result = rpc.call(tool, arguments, headers)
        assert (result["isError"], message in text_of(result)) == (True, True), text_of(result)
    assert upstream.arrived.empty()


def test_a_restriction_of_an_api_can_be_put_on_all_of_it(serve: Serve, upstream: Upstream) -> None:
    api = {"id": "things", "spec": DOCUMENT, "upstream": {"nodes": {upstream.node: 1}}}
    guarded = {**api, "plugins": {"key-auth": {}, "acl": {"allow_labels": {"team": ["sales"]}}}}
    gateway = serve(
        {
            "gateway": LISTEN,
            "apis": [guarded],
            "apps": [app("things", "things:*")],
            "consumers": consumers()[:1] + CONSUMERS[1:],
        }
    )
    assert gateway.http.get("/stock", headers={"apikey": KEY}).status_code == 200
    upstream.only()
    assert gateway.http.get("/stock", headers={"apikey": OTHER_KEY}).status_code == 403
    assert Rpc(gateway.http).call("getStock", headers={"apikey": OTHER_KEY})["isError"] is True
    assert upstream.arrived.empty()
