"""Requests made from a published OpenAPI document, as GPT Actions makes them from an operationId.

The player knows the names of operations and nothing else; paths, places of parameters and the credential's
header come from the document that the gateway serves. Only what that document uses is understood: simple path
parameters, query and header parameters of one value, JSON bodies, and an API key in a header.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit


class DocumentError(Exception):
    """The document does not have what a client needs of it; the message says what."""


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """A request to send: `target` is the path, without the query."""

    method: str
    target: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None


class PublishedDocument:
    """The document at an app's `/openapi.yaml`."""

    def __init__(self, document: Any) -> None:
        if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
            raise DocumentError("it is not an OpenAPI document")
        self._document = document
        self._operations = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if isinstance(operation, dict) and "operationId" in operation
        }

    @property
    def version(self) -> str:
        """The document's `openapi` field."""
        return str(self._document.get("openapi"))

    @property
    def servers(self) -> list[str]:
        """The URLs of its servers."""
        return [str(server.get("url")) for server in self._document.get("servers", [])]

    def operations(self) -> dict[str, str]:
        """`METHOD /path` by operationId, in the document's order."""
        return {name: f"{method} {path}" for name, (method, path, _) in self._operations.items()}

    def credential_header(self, operation_id: str) -> str | None:
        """The header in which the operation wants an API key; none where it is open."""
        _, _, operation = self._operation(operation_id)
        security: Any = operation.get("security", self._document.get("security", []))
        schemes = self._document.get("components", {}).get("securitySchemes", {})
        for alternative in security:
            for name in alternative:
                scheme = schemes.get(name, {})
                if scheme.get("type") == "apiKey" and scheme.get("in") == "header":
                    return str(scheme["name"])
        return None

    def plan(self, operation_id: str, arguments: dict[str, Any]) -> PlannedRequest:
        """The request of a call. What no parameter takes goes into the JSON body. Raises DocumentError."""
        method, path, operation = self._operation(operation_id)
        rest = dict(arguments)
        query: dict[str, str] = {}
        headers: dict[str, str] = {}
        for parameter in operation.get("parameters", []):
            name = parameter["name"]
            if name not in rest:
                if parameter.get("required"):
                    raise DocumentError(f"{operation_id} requires {name}, which the player does not know")
                continue
            value = str(rest.pop(name))
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", quote(value, safe=""))
            elif parameter["in"] == "query":
                query[name] = value
            elif parameter["in"] == "header":
                headers[name] = value
        if rest and "application/json" not in operation.get("requestBody", {}).get("content", {}):
            raise DocumentError(f"{operation_id} has no place for {', '.join(rest)}")
        base = urlsplit(self.servers[0]).path.rstrip("/") if self.servers else ""
        return PlannedRequest(method, base + path, query, headers, rest or None)

    def _operation(self, operation_id: str) -> tuple[str, str, dict[str, Any]]:
        if operation_id not in self._operations:
            raise DocumentError(f"it has no operation {operation_id}; it has {', '.join(self._operations)}")
        return self._operations[operation_id]
