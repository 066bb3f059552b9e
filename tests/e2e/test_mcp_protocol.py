"""The MCP endpoint by raw JSON-RPC, in both eras: what is answered, and what is refused with which status and
code.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .rpc import BOTH_TYPES, LEGACY, META, MODERN, Rpc, error_of, text_of
from .serving import serving, write
from .things import KEY, app, configuration
from .upstream import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .serving import Gateway
    from .upstream import Upstream

GUARDED: dict[str, Any] = {"createThing": {"plugins": {"key-auth": {}}}}
NAMES = ["findThings", "createThing", "getThing", "deleteThing", "getStock"]


@pytest.fixture(scope="module")
def gateway(recorder: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    path = tmp_path_factory.mktemp("mcp") / "toolway.yaml"
    apps = [app("things", "things:*", max_result_characters=1000)]
    write(path, configuration(recorder.node, GUARDED, *apps))
    with serving(path) as gateway:
        yield gateway


@pytest.fixture
def rpc(gateway: Gateway) -> Rpc:
    return Rpc(gateway.http)


def result_of(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    message = answer.json()
    assert (message["jsonrpc"], message["id"]) == ("2.0", 1)
    result: dict[str, Any] = message["result"]
    return result


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_initialize_agrees_on_any_version_of_its_era(rpc: Rpc, version: str) -> None:
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    answer = rpc.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    result = result_of(answer)
    assert result["protocolVersion"] == version
    assert result["capabilities"] == {"tools": {"listChanged": False}}
    assert result["serverInfo"]["name"] == "things"
    assert result["instructions"] == "Answers questions about things."
    assert "Mcp-Session-Id" not in answer.headers


def test_initialize_offers_the_latest_version_of_its_era_for_one_that_it_does_not_know(rpc: Rpc) -> None:
    params = {"protocolVersion": "1999-01-01", "capabilities": {}, "clientInfo": {"name": "t"}}
    answer = rpc.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    assert result_of(answer)["protocolVersion"] == LEGACY


def test_ping_is_answered_with_nothing(rpc: Rpc) -> None:
    assert result_of(rpc.legacy("ping")) == {}


def test_a_notification_is_accepted_with_202_and_no_body(rpc: Rpc) -> None:
    for version in (LEGACY, MODERN):
        message = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        headers = {"MCP-Protocol-Version": version, "Mcp-Method": "notifications/initialized"}
        answer = rpc.post(message, headers)
        assert (answer.status_code, answer.content) == (202, b"")
    assert error_of(rpc.post(message, {"MCP-Protocol-Version": MODERN})) == (400, -32020)


def test_a_version_that_is_no_date_is_told_which_there_are(rpc: Rpc) -> None:
    answer = rpc.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, {"MCP-Protocol-Version": "foo"})
    assert error_of(answer) == (400, -32022)
    assert answer.json()["error"]["data"]["requested"] == "foo"


def test_unknown_arguments_by_the_thousand_get_a_short_answer(rpc: Rpc) -> None:
    answer = rpc.legacy("tools/call", {"name": "getThing", "arguments": {f"x{n}": n for n in range(20_000)}})
    assert result_of(answer)["isError"] is True
    assert len(answer.content) < 2000


def test_discover_says_versions_and_how_long_it_holds(rpc: Rpc) -> None:
    result = result_of(rpc.modern("server/discover"))
    assert result["resultType"] == "complete"
    assert {MODERN, LEGACY} <= set(result["supportedVersions"])
    assert result["capabilities"] == {"tools": {"listChanged": False}}
    assert result["ttlMs"] > 0
    assert result["cacheScope"] == "public"
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "things"


def test_tools_are_listed_in_both_eras_alike(rpc: Rpc) -> None:
    legacy, modern = result_of(rpc.legacy("tools/list")), result_of(rpc.modern("tools/list"))
    assert legacy["tools"] == modern["tools"]
    assert [tool["name"] for tool in legacy["tools"]] == NAMES
    assert set(legacy) == {"tools"}
    assert modern["resultType"] == "complete"
    assert modern["ttlMs"] > 0
    assert modern["cacheScope"] in ("public", "private")
    assert rpc.legacy("tools/list").content == rpc.legacy("tools/list").content


def test_every_tool_has_a_title_hints_and_a_closed_schema(rpc: Rpc) -> None:
    tools = {tool["name"]: tool for tool in result_of(rpc.legacy("tools/list"))["tools"]}
    for tool in tools.values():
        assert tool["title"]
        assert tool["inputSchema"]["type"] == "object"
        assert tool["inputSchema"]["additionalProperties"] is False
        hints = {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
        assert hints <= set(tool["annotations"])
    assert tools["getThing"]["annotations"]["readOnlyHint"] is True
    assert tools["deleteThing"]["annotations"]["destructiveHint"] is True
    assert tools["deleteThing"]["annotations"]["idempotentHint"] is True
    assert tools["getStock"]["inputSchema"] == {"type": "object", "additionalProperties": False}
    assert tools["getThing"]["inputSchema"]["required"] == ["id"]


def test_a_cursor_that_was_never_given_is_refused(rpc: Rpc) -> None:
    assert error_of(rpc.legacy("tools/list", {"cursor": "made up"})) == (200, -32602)
    assert error_of(rpc.modern("tools/list", {"cursor": "made up"})) == (400, -32602)


def test_a_call_in_either_era_is_one_request_of_the_operation(rpc: Rpc, upstream: Upstream) -> None:
    upstream.answer = lambda received: Answer(body=b'{ "id": 7,\n "name": "Mug" }')
    params = {"name": "getThing", "arguments": {"id": 7}}
    for ask, kind in ((rpc.legacy, None), (rpc.modern, "complete")):
        result = result_of(ask("tools/call", params))
        assert result["content"] == [{"type": "text", "text": '{"id":7,"name":"Mug"}'}]
        assert result["isError"] is False
        assert result.get("resultType") == kind
        received = upstream.only()
        assert (received.method, received.target) == ("GET", "/v1/things/7")
        assert received.header("Mcp-Method") is None
        assert received.header("Origin") is None


def test_a_call_sends_its_body_as_json(rpc: Rpc, upstream: Upstream) -> None:
    rpc.call("createThing", {"name": "Tëa", "colour": "red"}, {"apikey": KEY})
    received = upstream.only()
    assert (received.method, received.target) == ("POST", "/v1/things")
    assert received.header("Content-Type") == "application/json"
    assert received.json == {"name": "Tëa", "colour": "red"}


def test_methods_other_than_post_are_405(gateway: Gateway) -> None:
    for method in ("GET", "DELETE", "PUT"):
        answer = gateway.http.request(method, "/mcp", headers={"Accept": BOTH_TYPES})
        assert answer.status_code == 405, method
        assert "POST" in answer.headers["Allow"]


def test_pages_of_other_origins_are_refused_and_known_clients_are_not(rpc: Rpc) -> None:
    for origin in ("https://evil.example", "null", "http://localhost:1"):
        answer = rpc.legacy("ping", headers={"Origin": origin})
        assert answer.status_code == 403, origin
    for origin in ("https://chatgpt.com", "https://claude.ai"):
        assert rpc.legacy("ping", headers={"Origin": origin}).status_code == 200, origin


def test_a_version_that_is_not_spoken_is_refused_in_the_words_of_its_era(rpc: Rpc) -> None:
    answer = rpc.legacy("ping", headers={"MCP-Protocol-Version": "2025-01-01"})
    assert answer.status_code == 400
    later = {"_meta": {**META, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}}
    answer = rpc.modern("server/discover", later, {"MCP-Protocol-Version": "2099-01-01"})
    assert error_of(answer) == (400, -32022)
    data = answer.json()["error"]["data"]
    assert data["requested"] == "2099-01-01"
    assert MODERN in data["supported"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Mcp-Method": "tools/list"},
        {"Mcp-Method": ""},
        {"Mcp-Name": "getStock"},
        {"MCP-Protocol-Version": LEGACY},
    ],
)
def test_headers_that_disagree_with_the_body_are_refused(
    rpc: Rpc, upstream: Upstream, headers: dict[str, str]
) -> None:
    params = {"name": "getThing", "arguments": {"id": 7}}
    assert error_of(rpc.modern("tools/call", params, headers)) == (400, -32020)
    assert upstream.arrived.empty()


@pytest.mark.parametrize("missing", ["Mcp-Method", "Mcp-Name", "MCP-Protocol-Version"])
def test_headers_that_are_missing_are_refused(gateway: Gateway, missing: str) -> None:
    headers = {
        "Accept": BOTH_TYPES,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "getStock",
        "MCP-Protocol-Version": MODERN,
    }
    del headers[missing]
    params = {"_meta": META, "name": "getStock", "arguments": {}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    assert error_of(gateway.http.post("/mcp", json=message, headers=headers)) == (400, -32020)


@pytest.mark.parametrize("name", list(META))
def test_a_modern_request_without_its_meta_is_refused(rpc: Rpc, name: str) -> None:
    meta = {key: value for key, value in META.items() if key != name}
    assert error_of(rpc.modern("server/discover", {"_meta": meta})) == (400, -32602)


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "resources/subscribe", "x/y"])
def test_a_method_that_the_modern_era_has_not_is_404(rpc: Rpc, method: str) -> None:
    assert error_of(rpc.modern(method)) == (404, -32601)


def test_a_method_that_nobody_has_is_told_to_a_legacy_client(rpc: Rpc) -> None:
    assert error_of(rpc.legacy("resources/list")) == (200, -32601)


def test_an_unknown_tool_is_refused_with_a_near_name(rpc: Rpc, upstream: Upstream) -> None:
    params = {"name": "getThings", "arguments": {}}
    for answer, status in ((rpc.legacy("tools/call", params), 200), (rpc.modern("tools/call", params), 400)):
        assert error_of(answer) == (status, -32602)
        message = answer.json()["error"]["message"]
        assert "getThings" in message
        assert "getThing?" in message or "findThings?" in message
    assert upstream.arrived.empty()


@pytest.mark.parametrize("arguments", [[], "id=7", 7])
def test_arguments_that_are_no_object_are_a_malformed_call(rpc: Rpc, arguments: Any) -> None:
    assert error_of(rpc.legacy("tools/call", {"name": "getThing", "arguments": arguments})) == (200, -32602)


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("getThing", {}, ["`id`", "Number of the thing"]),
        ("getThing", {"id": "seven"}, ["`id`", "integer"]),
        ("getThing", {"Id": 7}, ["`Id`", "did you mean `id`"]),
        ("findThings", {"limit": 1000}, ["`limit`", "100"]),
        ("findThings", {"names": "Mug"}, ["`names`", "did you mean `name`"]),
        ("findThings", {"pattern": "Mug"}, ["`pattern`", "`name`, `limit`"]),
        ("createThing", {"name": "Mug", "colour": "gren"}, ["`colour`", 'did you mean "green"']),
        ("getStock", {"id": 1}, ["`id`", "takes none"]),
    ],
)
def test_wrong_arguments_never_reach_the_upstream_and_the_model_is_told_which(
    rpc: Rpc, upstream: Upstream, tool: str, arguments: dict[str, Any], told: list[str]
) -> None:
    result = rpc.call(tool, arguments, {"apikey": KEY})
    assert result["isError"] is True
    assert [part for part in told if part not in text_of(result)] == [], text_of(result)
    assert upstream.arrived.empty()


@pytest.mark.parametrize("status", [404, 409, 422, 500, 503])
def test_an_upstream_that_refuses_becomes_a_result_that_says_so(
    rpc: Rpc, upstream: Upstream, status: int
) -> None:
    upstream.answer = lambda received: Answer(status, body=b'{"why": "out of mugs"}')
    result = rpc.call("getStock")
    assert result["isError"] is True
    assert str(status) in text_of(result)
    assert '{"why":"out of mugs"}' in text_of(result)


def test_a_refusal_by_a_plugin_becomes_a_result_that_names_the_header(rpc: Rpc, upstream: Upstream) -> None:
    result = rpc.call("createThing", {"name": "Mug"})
    assert result["isError"] is True
    assert "Missing API key in request" in text_of(result)
    assert "`apikey`" in text_of(result)
    assert upstream.arrived.empty()


def test_a_long_result_is_cut_where_it_can_still_be_read(rpc: Rpc, upstream: Upstream) -> None:
    rows = [{"id": number, "name": "Mug"} for number in range(500)]
    upstream.answer = lambda received: Answer(body=json.dumps({"things": rows, "total": 500}).encode())
    text = text_of(rpc.call("findThings"))
    assert len(text) <= 1000
    head, note = text.split("\n\n")
    kept = json.loads(head)
    assert kept["total"] == 500
    assert kept["things"] == rows[: len(kept["things"])]
    assert f"{len(kept['things'])} of 500" in note


def test_a_picture_is_given_as_one(rpc: Rpc, upstream: Upstream) -> None:
    upstream.answer = lambda received: Answer(200, {"Content-Type": "image/png"}, b"\x89PNG")
    assert rpc.call("getStock")["content"] == [{"type": "image", "data": "iVBORw==", "mimeType": "image/png"}]


def test_an_empty_answer_is_told_as_done(rpc: Rpc, upstream: Upstream) -> None:
    upstream.answer = lambda received: Answer(204, {}, b"")
    result = rpc.call("deleteThing", {"id": 7})
    assert result["isError"] is False
    assert "204" in text_of(result)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"\xff", -32700),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
        (b'{"id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b"7", -32600),
    ],
)
def test_what_is_no_message_is_refused(gateway: Gateway, body: bytes, code: int) -> None:
    headers = {"Accept": BOTH_TYPES, "Content-Type": "application/json"}
    assert error_of(gateway.http.post("/mcp", content=body, headers=headers)) == (400, code)


def test_media_types_that_are_not_json_are_refused(gateway: Gateway) -> None:
    message = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    plain = {"Accept": BOTH_TYPES, "Content-Type": "text/plain"}
    assert gateway.http.post("/mcp", content=message, headers=plain).status_code == 415
    unread = {"Accept": "text/html", "Content-Type": "application/json"}
    assert gateway.http.post("/mcp", content=message, headers=unread).status_code == 406


def test_a_message_that_is_too_large_is_refused_without_being_kept(gateway: Gateway) -> None:
    headers = {"Accept": BOTH_TYPES, "Content-Type": "application/json"}
    answer = gateway.http.post("/mcp", content=b" " * (64 << 20), headers=headers)
    assert answer.status_code == 413
    assert gateway.memory_peak() < 150 << 20


def test_calls_stand_in_log_and_metrics_under_the_tool_s_name(
    gateway: Gateway, rpc: Rpc, upstream: Upstream
) -> None:
    rpc.call("getThing", {"id": 4711})
    inner = gateway.logged(1, lambda line: line["path"] == "/things/4711")[0]
    assert (inner["tool"], inner["operation"], inner["status"]) == ("getThing", "getThing", 200)
    labels = 'toolway_tool_calls_total{tool="getThing",route="things:getThing",code="200"}'
    assert labels in gateway.metrics()
