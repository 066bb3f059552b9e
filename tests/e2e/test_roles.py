"""Roles from the file to the wire: who may call, what each caller is shown, and what the upstream is told."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from .serving import LISTEN, serving, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .serving import Gateway
    from .upstream import Upstream

SECRET = "a secret of the issuer with 32 bytes"
DONE = {"200": {"description": "Done."}}
SPEC: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "paths": {
        "/products": {"get": {"operationId": "look", "responses": DONE}},
        "/orders": {
            "get": {"operationId": "list", "responses": DONE},
            "post": {"operationId": "order", "responses": DONE},
        },
        "/prices": {"post": {"operationId": "price", "responses": DONE}},
    },
}
KEY_OR_TOKEN = {
    "multi-auth": {
        "auth_plugins": [
            {"key-auth": {}},
            {"jwt-auth": {"roles_from_token": True, "upstream_headers": {"X-User-Roles": "realm.roles"}}},
        ]
    }
}


def configuration(node: str) -> dict[str, Any]:
    def consumer(name: str, **more: Any) -> dict[str, Any]:
        return {"username": name, "plugins": {"key-auth": {"key": f"{name}-key"}}, **more}

    return {
        "gateway": {**LISTEN, "roles_claim": "realm.roles"},
        "apis": [
            {
                "id": "shop",
                "spec": SPEC,
                "upstream": {"nodes": {node: 1}},
                "operations": {
                    "list": {"plugins": KEY_OR_TOKEN, "roles": ["reader", "buyer"]},
                    "POST /*": {"plugins": KEY_OR_TOKEN, "roles": ["buyer"]},
                    "price": {"roles": []},
                },
            }
        ],
        "apps": [
            {"id": "all", "operations": ["shop:*"], "contact_email": "a@example.com"},
            {
                "id": "counter",
                "operations": ["shop:*"],
                "contact_email": "a@example.com",
                "roles": {"shop:order": ["clerk"]},
            },
        ],
        "consumer_groups": [{"id": "staff", "plugins": {}, "roles": ["clerk", "buyer"]}],
        "consumers": [
            consumer("ann", group_id="staff"),
            consumer("bob", roles=["buyer"]),
            consumer("eve", roles=["reader"]),
            consumer("guest"),
            {"username": "issuer", "plugins": {"jwt-auth": {"key": "issuer", "secret": SECRET}}},
        ],
    }


@pytest.fixture(scope="module")
def gateway(recorder: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    path = tmp_path_factory.mktemp("roles") / "toolway.yaml"
    write(path, configuration(recorder.node))
    with serving(path) as gateway:
        yield gateway


def key(name: str) -> dict[str, str]:
    return {"apikey": f"{name}-key"} if name else {}


def token(roles: Any) -> dict[str, str]:
    claims = {"key": "issuer", "exp": 4_000_000_000, "realm": {"roles": roles}}
    text = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims))
    signature = hmac.digest(SECRET.encode(), text.encode(), hashlib.sha256)
    return {"authorization": f"Bearer {text}.{encoded(signature)}"}


def encoded(part: bytes) -> str:
    return urlsafe_b64encode(part).rstrip(b"=").decode()


def tools(gateway: Gateway, app: str, headers: dict[str, str]) -> list[str]:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    answer = gateway.http.post(f"/apps/{app}/mcp", json=asked, headers=headers)
    return [tool["name"] for tool in answer.json()["result"]["tools"]]


def test_an_operation_is_for_callers_with_one_of_its_roles(gateway: Gateway, upstream: Upstream) -> None:
    for headers, statuses in (
        (key(""), (200, 401, 401, 401)),
        (key("guest"), (200, 403, 403, 403)),
        (key("eve"), (200, 200, 403, 403)),
        (key("bob"), (200, 200, 200, 403)),
        (key("ann"), (200, 200, 200, 403)),
        (token(["reader"]), (200, 200, 403, 403)),
        (token("reader buyer"), (200, 200, 200, 403)),
        (token([]), (200, 403, 403, 403)),
    ):
        calls = (("GET", "/products"), ("GET", "/orders"), ("POST", "/orders"), ("POST", "/prices"))
        found = tuple(gateway.http.request(*call, headers=headers).status_code for call in calls)
        assert found == statuses, headers


def test_lists_and_documents_show_each_caller_what_it_may_call(gateway: Gateway) -> None:
    for headers, everywhere, counter in (
        (key(""), ["look"], ["look"]),
        (key("wrong"), ["look"], ["look"]),
        (key("guest"), ["look"], ["look"]),
        (key("eve"), ["look", "list"], ["look", "list"]),
        (key("bob"), ["look", "list", "order"], ["look", "list"]),
        (key("ann"), ["look", "list", "order"], ["look", "list", "order"]),
        (token(["buyer", "clerk"]), ["look", "list", "order"], ["look", "list", "order"]),
    ):
        for app, shown in (("all", everywhere), ("counter", counter)):
            assert tools(gateway, app, headers) == shown, (app, headers)
            answer = gateway.http.get(f"/apps/{app}/openapi.yaml", headers=headers)
            document = yaml.safe_load(answer.text)
            assert document == gateway.http.get(f"/apps/{app}/openapi.json", headers=headers).json()
            entries = [entry for item in document["paths"].values() for entry in item.values()]
            assert [entry["operationId"] for entry in entries] == shown, (app, headers)
            assert answer.headers["cache-control"] == "private"
            assert "apikey, authorization" in answer.headers["vary"]


def test_what_an_app_asks_holds_for_its_tools_alone(gateway: Gateway) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "order"}}
    refused = gateway.http.post("/apps/counter/mcp", json=asked, headers=key("bob")).json()["result"]
    assert refused["isError"] is True
    assert "it needs the role clerk" in refused["content"][0]["text"]
    for path, name in (("/apps/all/mcp", "bob"), ("/apps/counter/mcp", "ann")):
        answer = gateway.http.post(path, json=asked, headers=key(name)).json()
        assert answer["result"]["isError"] is False


def test_the_upstream_is_told_chosen_claims_by_the_gateway_alone(
    gateway: Gateway, upstream: Upstream
) -> None:
    forged = {"X-User-Roles": "admin", "X_User_Roles": "admin"}
    gateway.http.get("/orders", headers={**token(["reader", "buyer"]), **forged})
    received = upstream.next()
    told = {name.lower(): value for name, value in received.headers}
    assert told["x-user-roles"] == "reader buyer"
    assert "x_user_roles" not in told
    assert told["x-consumer-username"] == "issuer"
    gateway.http.get("/orders", headers={**key("bob"), **forged})
    received = upstream.next()
    assert not {"x-user-roles", "x_user_roles"} & {name.lower() for name, _ in received.headers}
