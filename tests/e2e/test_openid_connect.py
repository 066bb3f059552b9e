"""`openid-connect` on the wire, with an identity provider whose keys rotate, whose tokens are revoked, and
which is down, slow and beyond all bounds when it should be.
"""

from __future__ import annotations

import hmac
import json
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from .identity_provider import DISCOVERY, EXCHANGE, Client, identity_provider
from .serving import LISTEN, PATIENCE_SECONDS, serving, write
from .upstream import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .conftest import Serve
    from .identity_provider import IdentityProvider
    from .serving import Gateway
    from .upstream import Upstream

GATEWAY = Client("gateway", "the gateway's secret/&=", scope="")
AGENT = Client("agent", "the agent's secret", scope="orders:read orders:write")
DOWN = Answer(status=500, body=b"out of order")
HUGE = Answer(body=b'{"keys":[],"x":"' + b"y" * 2_000_000 + b'"}')


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    with identity_provider(GATEWAY, AGENT) as made:
        yield made


def settings(provider: IdentityProvider, **more: Any) -> dict[str, Any]:
    return {
        "client_id": GATEWAY.id,
        "discovery": provider.discovery,
        "bearer_only": True,
        "timeout": 5,
        **more,
    }


def configuration(provider: IdentityProvider, upstream: Upstream, **routes: dict[str, Any]) -> dict[str, Any]:
    """A route of each name, with these settings of the plugin."""
    return {
        "gateway": LISTEN,
        "routes": [
            {
                "id": name,
                "uri": f"/{name}",
                "plugins": {"openid-connect": settings(provider, **more)},
                "upstream": {"nodes": {upstream.node: 1}},
            }
            for name, more in routes.items()
        ],
    }


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def granted(provider: IdentityProvider, **form: str) -> str:
    """A token of the provider's own token endpoint."""
    answer = httpx.post(
        provider.url("/token"),
        data={"grant_type": "client_credentials", **form},
        auth=(AGENT.id, AGENT.secret),
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def until(gateway: Gateway, path: str, token: str, status: int) -> None:
    """Asks until the answer has the status."""
    end = time.monotonic() + PATIENCE_SECONDS
    while (found := gateway.http.get(path, headers=bearer(token)).status_code) != status:
        assert time.monotonic() < end, f"{found} instead of {status}"


def test_an_agent_gets_a_token_and_is_let_in_and_the_upstream_learns_who_it_is(
    serve: Serve, provider: IdentityProvider, upstream: Upstream
) -> None:
    orders = {"required_scopes": ["orders:read"], "upstream_headers": {"X-Agent": "sub"}}
    admin = {"required_scopes": ["orders:read", "admin"]}
    gateway = serve(configuration(provider, upstream, orders=orders, admin=admin))
    token = granted(provider)
    headers = {**bearer(token), "X-Agent": "root", "X-Userinfo": "e30="}
    assert gateway.http.get("/orders", headers=headers).status_code == 200
    received = upstream.only()
    assert received.header("X-Agent") == "agent"
    assert json.loads(b64decode(received.header("X-Userinfo") or ""))["client_id"] == "agent"
    assert received.header("Authorization") is None
    assert token not in str(received.headers)
    refused = gateway.http.get("/admin", headers=bearer(token))
    assert refused.status_code == 403
    assert refused.json() == {"error": "required scopes orders:read, admin not present"}
    challenge = 'Bearer realm="apisix", error="insufficient_scope", scope="orders:read admin"'
    assert refused.headers["WWW-Authenticate"] == challenge


def test_a_token_that_was_exchanged_is_still_of_its_subject(
    serve: Serve, provider: IdentityProvider, upstream: Upstream
) -> None:
    gateway = serve(configuration(provider, upstream, orders={"upstream_headers": {"X-User": "sub"}}))
    exchanged = granted(provider, grant_type=EXCHANGE, subject_token=provider.token("agent", sub="dave"))
    assert gateway.http.get("/orders", headers=bearer(exchanged)).status_code == 200
    assert upstream.only().header("X-User") == "dave"


def test_keys_rotate_under_way(serve: Serve, provider: IdentityProvider, upstream: Upstream) -> None:
    gateway = serve(configuration(provider, upstream, orders={}))
    tokens = []
    for kind in ("EC", "RSA", "EC"):
        provider.rotate(kind)
        tokens.append(provider.token())
        until(gateway, "/orders", tokens[-1], 200)
    # The key before the last is published still; the first is not.
    assert [gateway.http.get("/orders", headers=bearer(token)).status_code for token in tokens] == [
        401,
        200,
        200,
    ]


def test_many_who_wait_have_the_keys_fetched_once(
    serve: Serve, provider: IdentityProvider, upstream: Upstream
) -> None:
    gateway = serve({**configuration(provider, upstream, orders={}), "gateway": {**LISTEN, "workers": 2}})
    provider.holds["/keys"] = threading.Event()
    token = provider.token()
    with ThreadPoolExecutor(16) as threads:
        asked = [
            threads.submit(httpx.get, f"{gateway.origin}/orders", headers=bearer(token)) for _ in range(16)
        ]
        end = time.monotonic() + PATIENCE_SECONDS
        while "/keys" not in provider.asked:
            assert time.monotonic() < end
        provider.holds["/keys"].set()
        assert {answer.result().status_code for answer in asked} == {200}
    assert provider.asked == [DISCOVERY, "/keys"]


def test_forged_tokens_are_refused(serve: Serve, provider: IdentityProvider, upstream: Upstream) -> None:
    gateway = serve(configuration(provider, upstream, orders={}))
    key = provider.keys[-1]
    assert isinstance(key, ECKey)
    claims = {"iss": provider.issuer, "aud": "gateway", "sub": "root", "exp": int(time.time()) + 60}
    evil = ECKey.generate_key("P-256", {"kid": str(key.kid)})
    trap = provider.url("/evil")

    def forged(**header: Any) -> str:
        return jwt.encode({"alg": "ES256", "kid": key.kid, **header}, claims, evil)

    def part(value: Any) -> str:
        return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    pem = key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    # The library refuses to do that, as it should.
    text = f"{part({'alg': 'HS256', 'kid': key.kid})}.{part(claims)}"
    mac = urlsafe_b64encode(hmac.digest(pem, text.encode(), "sha256")).rstrip(b"=").decode()
    confused = f"{text}.{mac}"
    now = int(time.time())
    tokens = {
        "alg none": f"{part({'alg': 'none'})}.{part(claims)}.",
        "HS256 with the public key": confused,
        "another key of the same name": forged(),
        "embedded key": forged(jwk=evil.as_dict(private=False)),
        "jku": forged(jku=trap),
        "x5u": forged(x5u=trap),
        "kid is a path": forged(kid="../../../../dev/null"),
        "kid is an injection": forged(kid="' or '1'='1"),
        "expired": provider.token(exp=now - 60),
        "not yet": provider.token(nbf=now + 600),
        "another audience": provider.token("somebody else"),
        "no audience": provider.token(None),
        "another issuer": provider.token(iss="https://id.example"),
        "no expiry": provider.token(exp=None),
    }
    assert gateway.http.get("/orders", headers=bearer(provider.token())).status_code == 200
    for what, token in tokens.items():
        refused = gateway.http.get("/orders", headers=bearer(token))
        assert refused.status_code == 401, what
        assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"], what
    assert "/evil" not in provider.asked
    upstream.only()


@pytest.mark.parametrize("fault", [DOWN, HUGE, Answer(body=b'{"keys": []}'), Answer(status=302, body=b"")])
def test_without_keys_nobody_is_let_in_and_with_them_everybody_again(
    serve: Serve, provider: IdentityProvider, upstream: Upstream, fault: Answer
) -> None:
    gateway = serve(configuration(provider, upstream, orders={}))
    provider.faults["/keys"] = fault
    token = provider.token()
    refused = gateway.http.get("/orders", headers=bearer(token))
    assert refused.status_code == 503
    assert refused.headers["X-Toolway-Error"] == "outbound_failed"
    line = json.loads(gateway.access_log.wait_for("outbound_failed"))
    assert line["error_detail"].startswith(f"{provider.issuer}/keys: ")
    assert token not in json.dumps(line)
    del provider.faults["/keys"]
    until(gateway, "/orders", token, 200)


def test_a_provider_that_is_slow_holds_up_nobody_else(
    serve: Serve, provider: IdentityProvider, upstream: Upstream
) -> None:
    whole = configuration(provider, upstream, orders={"timeout": 1})
    whole["routes"].append({"id": "open", "uri": "/open", "upstream": {"nodes": {upstream.node: 1}}})
    gateway = serve(whole)
    held = provider.holds["/keys"] = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(gateway.http.get, "/orders", headers=bearer(provider.token()))
        assert httpx.get(f"{gateway.origin}/open").status_code == 200
        assert waiting.result().status_code == 503
    held.set()


def test_the_last_good_keys_serve_while_the_provider_is_down_and_no_unknown_ones(
    serve: Serve, provider: IdentityProvider, upstream: Upstream
) -> None:
    gateway = serve(configuration(provider, upstream, orders={}))
    known = provider.token()
    assert gateway.http.get("/orders", headers=bearer(known)).status_code == 200
    provider.faults |= {"/keys": DOWN, DISCOVERY: DOWN}
    provider.rotate()
    for _ in range(3):
        assert gateway.http.get("/orders", headers=bearer(provider.token())).status_code == 401
        assert gateway.http.get("/orders", headers=bearer(known)).status_code == 200


def introspected(provider: IdentityProvider, **more: Any) -> dict[str, Any]:
    return {"client_secret": GATEWAY.secret, "introspection_endpoint": provider.url("/introspect"), **more}


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_revoked_token_is_refused_as_soon_as_the_provider_is_asked_again(
    serve: Serve, provider: IdentityProvider, upstream: Upstream, method: str
) -> None:
    both = introspected(provider, introspection_endpoint_auth_method=method)
    anew = {**both, "introspection_cache_ignore": True}
    bounded = {**both, "introspection_interval": 1}
    gateway = serve(configuration(provider, upstream, anew=anew, bounded=bounded))
    token = granted(provider)
    for path in ("/anew", "/bounded"):
        assert gateway.http.get(path, headers=bearer(token)).status_code == 200
    revoked = httpx.post(provider.url("/revoke"), data={"token": token}, auth=(AGENT.id, AGENT.secret))
    assert revoked.status_code == 200
    assert gateway.http.get("/anew", headers=bearer(token)).status_code == 401
    until(gateway, "/bounded", token, 401)


@pytest.mark.parametrize("fault", [DOWN, HUGE, Answer(body=b"true"), Answer(status=401, body=b"{}")])
def test_nobody_is_let_in_while_introspection_is_down(
    serve: Serve, provider: IdentityProvider, upstream: Upstream, fault: Answer
) -> None:
    gateway = serve(configuration(provider, upstream, orders=introspected(provider)))
    token = granted(provider)
    provider.faults["/introspect"] = fault
    refused = gateway.http.get("/orders", headers=bearer(token))
    assert refused.status_code == 503
    del provider.faults["/introspect"]
    until(gateway, "/orders", token, 200)
    said = "\n".join([*gateway.said.so_far(), *gateway.access_log.so_far()])
    assert token not in said
    assert GATEWAY.secret not in said


def test_what_was_fetched_outlives_a_change_of_the_configuration(
    tmp_path: Path, provider: IdentityProvider, upstream: Upstream
) -> None:
    path = tmp_path / "toolway.yaml"
    whole = configuration(provider, upstream, orders={})
    write(path, whole)
    with serving(path) as gateway:
        token = provider.token()
        assert gateway.http.get("/orders", headers=bearer(token)).status_code == 200
        provider.faults |= {"/keys": DOWN, DISCOVERY: DOWN}
        whole["routes"][0]["plugins"]["openid-connect"]["required_scopes"] = ["admin"]
        gateway.rewrite(whole)
        assert gateway.http.get("/orders", headers=bearer(token)).status_code == 403
        assert gateway.http.get("/orders", headers=bearer(provider.token(scope="admin"))).status_code == 200
    assert provider.asked == [DISCOVERY, "/keys"]


def test_an_mcp_client_is_led_to_the_provider_and_calls_with_its_token(
    serve: Serve, provider: IdentityProvider, upstream: Upstream
) -> None:
    document = {
        "openapi": "3.0.3",
        "info": {"title": "Orders", "version": "1"},
        "paths": {
            "/orders": {"get": {"operationId": "listOrders", "responses": {"200": {"description": "all"}}}}
        },
    }
    base = "https://api.example.com"
    audience = {"audience": {"valid_audiences": [f"{base}/mcp"]}}
    guard = settings(provider, required_scopes=["orders:read"], claim_validator=audience)
    gateway = serve(
        {
            "gateway": LISTEN,
            "apis": [
                {
                    "id": "orders",
                    "spec": document,
                    "upstream": {"nodes": {upstream.node: 1}},
                    "plugins": {"openid-connect": {**guard, "upstream_headers": {"X-Agent": "sub"}}},
                }
            ],
            "apps": [
                {
                    "id": "agents",
                    "base_url": base,
                    "operations": ["orders:*"],
                    "contact_email": "support@example.com",
                    "plugins": {"openid-connect": guard},
                }
            ],
        }
    )

    def call(method: str, token: str | None = None, **params: Any) -> httpx.Response:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return gateway.http.post("/mcp", json=message, headers=bearer(token) if token else {})

    refused = call("tools/list")
    assert refused.status_code == 401
    place = f"{base}/.well-known/oauth-protected-resource/mcp"
    challenge = f'Bearer realm="apisix", resource_metadata="{place}", scope="orders:read"'
    assert refused.headers["WWW-Authenticate"] == challenge
    for path in (place.removeprefix(base), "/.well-known/oauth-protected-resource"):
        assert gateway.http.get(path).json() == {
            "resource": f"{base}/mcp",
            "authorization_servers": [provider.issuer],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["orders:read"],
        }
    assert call("tools/list", granted(provider)).status_code == 401, "it is for somebody else"
    narrow = granted(provider, resource=f"{base}/mcp", scope="orders:write")
    missing = call("tools/list", narrow)
    assert missing.status_code == 403
    assert missing.headers["WWW-Authenticate"] == challenge.replace(
        ", scope", ', error="insufficient_scope", scope'
    )
    token = granted(provider, resource=f"{base}/mcp")
    assert [tool["name"] for tool in call("tools/list", token).json()["result"]["tools"]] == ["listOrders"]
    result = call("tools/call", token, name="listOrders", arguments={}).json()["result"]
    assert not result.get("isError"), result
    received = upstream.only()
    assert (received.header("X-Agent"), received.header("Authorization")) == ("agent", None)


def test_a_consumer_s_tokens_are_verified_by_a_key_set_that_rotates(
    serve: Serve, provider: IdentityProvider, upstream: Upstream
) -> None:
    gateway = serve(
        {
            "gateway": LISTEN,
            "routes": [
                {
                    "id": "orders",
                    "uri": "/orders",
                    "plugins": {"jwt-auth": {"key_claim_name": "client_id"}},
                    "upstream": {"nodes": {upstream.node: 1}},
                }
            ],
            "consumers": [
                {
                    "username": "agent",
                    "plugins": {
                        "jwt-auth": {"key": "agent", "algorithm": "ES256", "jwks_uri": provider.url("/keys")}
                    },
                }
            ],
        }
    )
    token = granted(provider)
    assert gateway.http.get("/orders", headers=bearer(token)).status_code == 200
    assert upstream.only().header("X-Consumer-Username") == "agent"
    provider.rotate(keep=0)
    until(gateway, "/orders", granted(provider), 200)
    assert gateway.http.get("/orders", headers=bearer(token)).status_code == 401
