"""A small API of things, as an OpenAPI document and as a gateway's configuration with one app over it."""

from __future__ import annotations

from typing import Any

from .serving import LISTEN

KEY = "a-key-that-only-tests-use"
VISITOR_KEY = "a-key-of-one-who-may-only-look"
OTHER_KEY = "another-key-that-only-tests-use"

_DONE = {"200": {"description": "Done."}}

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Things", "version": "1.0"},
    "servers": [{"url": "http://things.example/v1"}],
    "paths": {
        "/things": {
            "get": {
                "operationId": "findThings",
                "summary": "Find things",
                "parameters": [
                    {"name": "name", "in": "query", "schema": {"type": "string"}},
                    {
                        "name": "limit",
                        "in": "query",
                        "schema": {"type": "integer", "minimum": 1, "maximum": 100},
                    },
                ],
                "responses": _DONE,
            },
            "post": {
                "operationId": "createThing",
                "summary": "Create a thing",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {
                                    "name": {"type": "string"},
                                    "colour": {"type": "string", "enum": ["red", "green", "blue"]},
                                },
                            }
                        }
                    },
                },
                "responses": _DONE,
            },
        },
        "/things/{id}": {
            "get": {
                "operationId": "getThing",
                "summary": "Show a thing",
                "parameters": [
                    {
                        "name": "id",
                        "in": "path",
                        "required": True,
                        "description": "Number of the thing",
                        "schema": {"type": "integer"},
                    }
                ],
                "responses": _DONE,
            },
            "delete": {
                "operationId": "deleteThing",
                "summary": "Delete a thing",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": _DONE,
            },
        },
        "/stock": {"get": {"operationId": "getStock", "summary": "Tell the stock", "responses": _DONE}},
    },
}

CONSUMERS: list[dict[str, Any]] = [
    {"username": "ada", "plugins": {"key-auth": {"key": KEY}}},
    {"username": "bob", "plugins": {"key-auth": {"key": OTHER_KEY}}},
]


def app(identifier: str, *operations: str, **fields: Any) -> dict[str, Any]:
    """An app with every text that a manifest needs."""
    return {
        "id": identifier,
        "name_for_human": identifier.title(),
        "name_for_model": identifier,
        "description_for_human": f"Look up {identifier}.",
        "description_for_model": f"Answers questions about {identifier}.",
        "contact_email": "support@example.com",
        "legal_info_url": "https://example.com/legal",
        "operations": list(operations),
        **fields,
    }


def configuration(
    node: str, operations: dict[str, Any] | None = None, *apps: dict[str, Any], **sections: Any
) -> dict[str, Any]:
    """The API at `node` with the settings `operations`, and by default one app with all of it."""
    api = {
        "id": "things",
        "spec": DOCUMENT,
        "upstream": {"nodes": {node: 1}},
        "operations": operations or {},
    }
    return {
        "gateway": LISTEN,
        "apis": [api],
        "apps": list(apps) or [app("things", "things:*")],
        "consumers": CONSUMERS,
        **sections,
    }
