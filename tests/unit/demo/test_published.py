"""Requests are made from the published document alone."""

from __future__ import annotations

from typing import Any

import pytest

from toolway.demo.published import DocumentError, PublishedDocument

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://gateway.example/base"}],
    "paths": {
        "/things/{id}": {
            "get": {
                "operationId": "GetThing",
                "parameters": [
                    {"name": "id", "in": "path", "required": True},
                    {"name": "page", "in": "query"},
                    {"name": "X-Mode", "in": "header"},
                ],
            },
        },
        "/things": {
            "post": {
                "operationId": "AddThing",
                "security": [{"key": []}],
                "requestBody": {"content": {"application/json": {}}},
            },
        },
    },
    "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-key"}}},
}


def test_arguments_go_where_the_document_says() -> None:
    plan = PublishedDocument(DOCUMENT).plan("GetThing", {"id": "a/b", "page": 2, "X-Mode": "fast"})
    assert (plan.method, plan.target, plan.query, plan.headers, plan.body) == (
        "GET",
        "/base/things/a%2Fb",
        {"page": "2"},
        {"X-Mode": "fast"},
        None,
    )


def test_what_no_parameter_takes_is_the_body() -> None:
    assert PublishedDocument(DOCUMENT).plan("AddThing", {"name": "n"}).body == {"name": "n"}


def test_the_credential_header_is_the_documents() -> None:
    document = PublishedDocument(DOCUMENT)
    assert document.credential_header("AddThing") == "x-key"
    assert document.credential_header("GetThing") is None


@pytest.mark.parametrize(
    ("operation", "arguments", "message"),
    [
        ("GetThing", {}, "requires id"),
        ("GetThing", {"id": 1, "colour": "red"}, "no place for colour"),
        ("DropThing", {}, "no operation DropThing"),
    ],
)
def test_a_document_that_lacks_what_is_needed_is_told(
    operation: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(DocumentError, match=message):
        PublishedDocument(DOCUMENT).plan(operation, arguments)


def test_what_is_no_document_is_refused() -> None:
    with pytest.raises(DocumentError):
        PublishedDocument(["no"])
