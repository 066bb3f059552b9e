"""`key-auth` on the wire: where a key may stand, what is answered without one, and who learns of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .rpc import Rpc, text_of
from .serving import LISTEN, serving, write
from .things import CONSUMERS, DOCUMENT, KEY, OTHER_KEY, app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Serve
    from .serving import Gateway
    from .upstream import Upstream

MISSING = {"message": "Missing API key in request"}
INVALID = {"message": "Invalid API key in request"}


def routes(node: str) -> list[dict[str, Any]]:
    settings: dict[str, dict[str, Any]] = {
        "plain": {},
        "open-handed": {"hide_credentials": False},
        "bearer": {"header": "Authorization"},
        "named": {"header": "X-Token", "query": "token", "realm": "things"},
        "anonymous": {"anonymous_consumer": "bob"},
    }
    return [
        {
            "id": name,
            "uri": f"/{name}",
            "plugins": {"key-auth": config},
            "upstream": {"nodes": {node: 1}},
        }
        for name, config in settings.items()
    ]


@pytest.fixture(scope="module")
def gateway(recorder: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    path = tmp_path_factory.mktemp("key-auth") / "toolway.yaml"
    write(path, {"gateway": LISTEN, "routes": routes(recorder.node), "consumers": CONSUMERS})
    with serving(path) as gateway:
        yield gateway


def test_without_a_key_the_upstream_is_not_asked(gateway: Gateway, upstream: Upstream) -> None:
    answer = gateway.http.get("/plain")
    assert (answer.status_code, answer.json()) == (401, MISSING)
    assert answer.headers["WWW-Authenticate"] == 'apikey realm="key"'
    assert upstream.arrived.empty()


def test_a_wrong_key_is_told_apart_from_a_missing_one(gateway: Gateway, upstream: Upstream) -> None:
    answers = (
        gateway.http.get("/plain", headers={"apikey": "made-up"}),
        gateway.http.get("/plain", params={"apikey": "made-up"}),
    )
    for answer in answers:
        assert (answer.status_code, answer.json()) == (401, INVALID)
        assert answer.headers["WWW-Authenticate"] == 'apikey realm="key"'
    assert upstream.arrived.empty()


def test_a_key_in_the_header_opens_and_is_kept_from_the_upstream(
    gateway: Gateway, upstream: Upstream
) -> None:
    assert gateway.http.get("/plain", headers={"apikey": KEY}).status_code == 200
    received = upstream.only()
    assert received.header("apikey") is None
    assert received.header("X-Consumer-Username") == "ada"
    assert KEY not in repr(received)


def test_a_key_in_the_query_opens_and_is_kept_from_the_upstream(gateway: Gateway, upstream: Upstream) -> None:
    assert gateway.http.get(f"/plain?a=1&apikey={OTHER_KEY}&b=%20").status_code == 200
    received = upstream.only()
    assert received.target == "/plain?a=1&b=%20"
    assert received.header("X-Consumer-Username") == "bob"


def test_the_header_comes_before_the_query(gateway: Gateway, upstream: Upstream) -> None:
    answer = gateway.http.get(f"/plain?apikey={OTHER_KEY}", headers={"apikey": KEY})
    assert answer.status_code == 200
    received = upstream.only()
    assert received.header("X-Consumer-Username") == "ada"
    assert received.target == "/plain"


def test_a_key_that_is_not_hidden_reaches_the_upstream(gateway: Gateway, upstream: Upstream) -> None:
    assert gateway.http.get("/open-handed", headers={"apikey": KEY}).status_code == 200
    assert upstream.only().header("apikey") == KEY
    assert gateway.http.get(f"/open-handed?apikey={KEY}").status_code == 200
    assert upstream.only().target == f"/open-handed?apikey={KEY}"


@pytest.mark.parametrize("value", [KEY, f"Bearer {KEY}", f"bearer {KEY}"])
def test_a_key_in_authorization_may_be_a_bearer_token(
    gateway: Gateway, upstream: Upstream, value: str
) -> None:
    assert gateway.http.get("/bearer", headers={"Authorization": value}).status_code == 200
    assert upstream.only().header("Authorization") is None


def test_header_query_and_realm_are_as_configured(gateway: Gateway, upstream: Upstream) -> None:
    assert gateway.http.get("/named", headers={"X-Token": KEY}).status_code == 200
    assert gateway.http.get(f"/named?token={KEY}").status_code == 200
    refused = gateway.http.get("/named", headers={"apikey": KEY})
    assert (refused.status_code, refused.json()) == (401, MISSING)
    assert refused.headers["WWW-Authenticate"] == 'apikey realm="things"'


def test_without_a_key_the_anonymous_consumer_calls(gateway: Gateway, upstream: Upstream) -> None:
    assert gateway.http.get("/anonymous").status_code == 200
    assert upstream.only().header("X-Consumer-Username") == "bob"
    assert gateway.http.get("/anonymous", headers={"apikey": KEY}).status_code == 200
    assert upstream.only().header("X-Consumer-Username") == "ada"


def test_nobody_can_claim_to_be_a_consumer(gateway: Gateway, upstream: Upstream) -> None:
    claimed = {"X-Consumer-Username": "root", "X-Credential-Identifier": "1", "apikey": KEY}
    assert gateway.http.get("/plain", headers=claimed).status_code == 200
    assert upstream.only().header("X-Consumer-Username") == "ada"


def test_keys_never_stand_in_the_log(gateway: Gateway, upstream: Upstream) -> None:
    before = gateway.access_log.count()
    gateway.http.get("/plain?log=1", headers={"apikey": KEY})
    gateway.http.get(f"/plain?log=1&apikey={KEY}")
    gateway.http.get(f"/plain?log=1&apikey={OTHER_KEY}x")
    gateway.http.get("/bearer", headers={"Authorization": f"Bearer {KEY}"})
    lines = gateway.access_log.wait_for_all(lambda line: True, 4, after=before)
    for line in [*lines, *gateway.said.so_far()]:
        assert KEY not in line
        assert OTHER_KEY not in line


@pytest.fixture
def guarded(serve: Serve, upstream: Upstream) -> Gateway:
    """Every request needs a key, that of a route that asks for it again too."""
    api = {
        "id": "things",
        "spec": DOCUMENT,
        "upstream": {"nodes": {upstream.node: 1}},
        "operations": {"getStock": {"plugins": {"key-auth": {}}}},
    }
    return serve(
        {
            "gateway": LISTEN,
            "apis": [api],
            "apps": [app("things", "things:*")],
            "consumers": CONSUMERS,
            "global_rules": [{"id": "keys", "plugins": {"key-auth": {"hide_credentials": True}}}],
        }
    )


def test_a_global_rule_guards_everything_that_is_published(guarded: Gateway, upstream: Upstream) -> None:
    for method, path in (
        ("GET", "/stock"),
        ("GET", "/openapi.yaml"),
        ("POST", "/mcp"),
        ("POST", "/apps/things/mcp"),
        ("GET", "/nothing"),
    ):
        answer = guarded.http.request(method, path)
        assert (answer.status_code, answer.json()) == (401, MISSING), path
    assert upstream.arrived.empty()


def test_a_key_for_a_global_rule_serves_the_endpoint_its_calls_and_their_routes(
    guarded: Gateway, upstream: Upstream
) -> None:
    rpc = Rpc(guarded.http)
    for tool in ("getStock", "findThings"):
        result = rpc.call(tool, headers={"apikey": KEY})
        assert (result["isError"], text_of(result)) == (False, '{"ok":true}')
        received = upstream.only()
        assert received.header("X-Consumer-Username") == "ada"
        assert received.header("apikey") is None
        assert KEY not in repr(received)


def test_a_key_for_a_global_rule_serves_a_route_that_asks_for_it_again(
    guarded: Gateway, upstream: Upstream
) -> None:
    assert guarded.http.get("/stock", headers={"apikey": KEY}).status_code == 200
    received = upstream.only()
    assert received.header("X-Consumer-Username") == "ada"
    assert received.header("apikey") is None


def test_a_key_in_the_query_of_the_endpoint_serves_its_calls(guarded: Gateway, upstream: Upstream) -> None:
    rpc = Rpc(guarded.http, f"/mcp?apikey={KEY}")
    result = rpc.call("findThings", {"name": "Mug"})
    assert (result["isError"], text_of(result)) == (False, '{"ok":true}'), text_of(result)
    assert KEY not in repr(upstream.only())
