"""Documents and views for the tests of `toolway.apps`, and the comparison with golden files.

`UPDATE_GOLDEN=1` writes the golden files anew; look at the difference before it is committed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from toolway.apps.model import AppView, SelectedOperation, ToolSettings
from toolway.openapi.model import (
    Body,
    Content,
    Document,
    Location,
    Operation,
    Parameter,
    PropertyEncoding,
    Response,
    Schema,
    Style,
)

GOLDEN = Path(__file__).parent / "golden"

STYLES: dict[Location, Style] = {"path": "simple", "query": "form", "header": "simple", "cookie": "form"}


def parameter(
    name: str, location: Location = "query", schema: Schema | None = None, **more: Any
) -> Parameter:
    return Parameter(
        name=name,
        location=location,
        required=more.pop("required", location == "path"),
        schema={"type": "string"} if schema is None else schema,
        style=more.pop("style", STYLES[location]),
        explode=more.pop("explode", STYLES[location] == "form"),
        **more,
    )


def body(schema: Schema, media_type: str = "application/json", *, required: bool = True, **more: Any) -> Body:
    description = more.pop("description", "")
    return Body(required=required, contents=(Content(media_type, schema, **more),), description=description)


def json_response(schema: Schema, status: str = "200", description: str = "OK") -> Response:
    return Response(status, description, (Content("application/json", schema),))


def document(
    *operations: Operation, schemas: dict[str, Schema] | None = None, title: str = "Sample"
) -> Document:
    return Document(
        version="3.1.0",
        title=title,
        api_version="1",
        description="",
        servers=(),
        operations=operations,
        schemas=schemas or {},
        security_schemes={},
    )


def select(
    api_id: str,
    read: Document,
    *,
    prefix: str = "",
    tools: dict[str, ToolSettings] | None = None,
    credentials: dict[str, tuple[str, ...]] | None = None,
) -> tuple[SelectedOperation, ...]:
    return tuple(
        SelectedOperation(
            api_id=api_id,
            document=read,
            operation=operation,
            route_id=f"{api_id}:{operation.id}",
            path=prefix + operation.path,
            tool=(tools or {}).get(operation.id, ToolSettings()),
            credential_headers=(credentials or {}).get(operation.id, ()),
        )
        for operation in read.operations
    )


def view(*operations: SelectedOperation, **more: Any) -> AppView:
    fields: dict[str, Any] = {
        "id": "sample",
        "base_url": "https://api.example.com",
        "name_for_human": "Sample",
        "name_for_model": "sample",
        "description_for_human": "A sample.",
        "description_for_model": "Shows what a sample is.",
        "contact_email": "support@example.com",
        "legal_info_url": "https://www.example.com/legal",
        "auth": {"type": "none"},
        "version": "1",
        **more,
    }
    return AppView(operations=operations, **fields)


def view_of(*operations: Operation, schemas: dict[str, Schema] | None = None, **more: Any) -> AppView:
    """One api, `api`, with `operations` all selected."""
    return view(*select("api", document(*operations, schemas=schemas)), **more)


def conference() -> Document:
    speaker_id = parameter(
        "id", "path", {"type": "integer", "format": "int32"}, description="The speaker's number."
    )
    schemas: dict[str, Schema] = {
        "Session": {
            "type": "object",
            "properties": {
                "title": {"type": "string"},
                "speaker": {"$ref": "#/$defs/Speaker"},
                "room": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
            "required": ["title"],
        },
        "Speaker": {
            "type": "object",
            "properties": {
                "id": {"type": "integer", "readOnly": True},
                "name": {"type": "string", "title": "Name"},
                "sessions": {"type": "array", "items": {"$ref": "#/$defs/Session"}},
                "extra": {"title": "Extra"},
            },
            "required": ["id", "name"],
        },
        "Unused": {"type": "object"},
    }
    return document(
        Operation(
            id="GetSpeakerSessions",
            source_id="GetSpeakerSessions",
            method="GET",
            path="/speaker/{id}/sessions",
            summary="Sessions of a speaker",
            description="All sessions that a speaker gives, in the order of the programme.",
            tags=("speakers",),
            parameters=(speaker_id, parameter("limit", schema={"type": "integer", "default": 10})),
            responses=(json_response({"type": "array", "items": {"$ref": "#/$defs/Session"}}),),
        ),
        Operation(
            id="GetTopics", method="GET", path="/topics", responses=(json_response({"type": "array"}),)
        ),
        Operation(
            id="AddSpeaker",
            method="POST",
            path="/speakers",
            summary="Adds a speaker",
            tags=("speakers",),
            body=body({"$ref": "#/$defs/Speaker"}, description="The new speaker."),
            responses=(json_response({"$ref": "#/$defs/Speaker"}, "201", "Added"), Response("400", "Bad")),
        ),
        schemas=schemas,
        title="Conference",
    )


def shop() -> Document:
    return document(
        Operation(
            id="placeOrder",
            method="POST",
            path="/orders",
            summary="Places an order.",
            deprecated=True,
            parameters=(parameter("X-Request-Source", "header"), parameter("session", "cookie")),
            body=body(
                {
                    "type": "object",
                    "properties": {
                        "item": {"type": "string", "description": "What to order."},
                        "quantity": {"type": ["integer", "null"], "minimum": 1, "default": 1},
                        "speaker": {"$ref": "#/$defs/Speaker", "description": "Whom it is for."},
                    },
                    "required": ["item"],
                },
                example={"item": "mug", "quantity": 2},
            ),
            responses=(Response("204", ""),),
        ),
        Operation(id="GetTopics", method="GET", path="/topics", summary="What the shop sells"),
        schemas={"Speaker": {"type": "object", "properties": {"name": {"type": "string"}}}},
        title="Shop",
    )


def demo_view(**more: Any) -> AppView:
    """Two apis with a tool name, a schema name and an operation id in common, and one guarded operation."""
    return view(
        *select("conference", conference(), prefix="/conf"),
        *select(
            "shop",
            shop(),
            prefix="/shop",
            tools={
                "placeOrder": ToolSettings(name="order", description="Orders an item.", consequential=True)
            },
            credentials={"placeOrder": ("apikey",)},
        ),
        **{"path_prefix": "/apps/sample", **more},
    )


def files() -> PropertyEncoding:
    return PropertyEncoding(content_type="image/png", binary=True)


def assert_golden(name: str, value: Any) -> None:
    """Compares `value` with `golden/<name>.json`, order included."""
    path = GOLDEN / f"{name}.json"
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
