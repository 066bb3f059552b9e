"""Small OpenAPI documents for the tests of `toolway.openapi`, and what each must hold to once read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jsonschema_rs import Draft202012Validator, RegexOptions

from toolway.openapi import Document, Operation, Schema, read

if TYPE_CHECKING:
    from collections.abc import Iterator


def document(paths: dict[str, Any], version: str = "3.0.3", **members: Any) -> dict[str, Any]:
    """A document of OpenAPI 3 with these paths and further members of its root."""
    return {"openapi": version, "info": {"title": "Things", "version": "1"}, "paths": paths, **members}


def swagger(paths: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A document of Swagger 2.0 with these paths and further members of its root."""
    return {"swagger": "2.0", "info": {"title": "Things", "version": "1"}, "paths": paths, **members}


def operation_of(value: dict[str, Any], path: str = "/things", **members: Any) -> Operation:
    """The only operation of a document whose `GET path` is `value`."""
    [operation] = read(document({path: {"get": value}}, **members)).operations
    return operation


def schema_of(schema: Any, version: str = "3.0.3", **schemas: Any) -> Schema:
    """`schema` as it is read for a query parameter, beside the shared `schemas`."""
    value = {"parameters": [{"name": "value", "in": "query", "schema": schema}]}
    source = document({"/things": {"get": value}}, version, components={"schemas": schemas})
    result = read(source)
    assert not result.set_aside
    assert_schemas_compile(result)
    return result.operations[0].parameters[0].schema


def notices_of(source: dict[str, Any]) -> list[str]:
    """The notices of a document as `pointer: message`."""
    return [f"{notice.at}: {notice.message}" for notice in read(source).notices]


def schemas_of(operation: Operation) -> Iterator[Schema]:
    """Every schema of an operation that is not shared."""
    for parameter in operation.parameters:
        yield parameter.schema
    contents = [*(operation.body.contents if operation.body else ())]
    for response in operation.responses:
        contents += response.contents
    for content in contents:
        yield content.schema


def assert_schemas_compile(result: Document) -> None:
    """Every schema, shared or not, is one that the engine's kind of validator takes."""
    own = [schema for operation in result.operations for schema in schemas_of(operation)]
    shared = [{"$ref": f"#/$defs/{name}"} for name in result.schemas]
    everything = {"$defs": result.schemas, "allOf": [*own, *shared, {}]}
    Draft202012Validator(json.loads(json.dumps(everything)), pattern_options=RegexOptions())
