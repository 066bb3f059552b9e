"""Raw JSON-RPC to an MCP endpoint, as each era of the protocol writes it.

For what no well-behaved client sends; the official client has tests of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx

LEGACY = "2025-11-25"
MODERN = "2026-07-28"
BOTH_TYPES = "application/json, text/event-stream"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Rpc:
    """An endpoint."""

    def __init__(self, http: httpx.Client, path: str = "/mcp") -> None:
        self._http = http
        self._path = path

    def post(self, message: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        """Posts one message with the headers that any client sends, and `headers`."""
        return self._http.post(self._path, json=message, headers={"Accept": BOTH_TYPES, **(headers or {})})

    def legacy(
        self, method: str, params: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """A request of the era that begins with `initialize`."""
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        return self.post(message, {"MCP-Protocol-Version": LEGACY, **(headers or {})})

    def modern(
        self, method: str, params: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """A request of the era without a beginning: each says what it is, in its headers too."""
        named = (params or {}).get("name") or (params or {}).get("uri")
        own = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
        if isinstance(named, str):
            own["Mcp-Name"] = named
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": META, **(params or {})}}
        return self.post(message, own | (headers or {}))

    def call(
        self, tool: str, arguments: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """The result of a tool's call."""
        answer = self.legacy("tools/call", {"name": tool, "arguments": arguments or {}}, headers)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()["result"]
        return result


def error_of(answer: httpx.Response) -> tuple[int, int]:
    """HTTP status and JSON-RPC code of a refusal."""
    message = answer.json()
    assert message["jsonrpc"] == "2.0"
    assert "result" not in message
    return answer.status_code, message["error"]["code"]


def text_of(result: dict[str, Any]) -> str:
    """The text of a call's result."""
    return "\n".join(block["text"] for block in result["content"] if block["type"] == "text")
