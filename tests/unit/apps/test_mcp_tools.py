"""MCP tools: names, arguments, hints and the request that a call becomes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest

from toolway.apps.model import ToolSettings
from toolway.apps.tools import mcp_tools
from toolway.openapi.model import Body, Content, Operation, Response, Schema

from .views import assert_golden, body, demo_view, document, files, parameter, select, view, view_of

PERSON: Schema = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
    "required": ["name"],
}


def tool(operation: Operation, schemas: dict[str, Schema] | None = None, **more: Any) -> dict[str, Any]:
    return mcp_tools(view_of(operation, schemas=schemas, **more))[0]


def put(**more: Any) -> Operation:
    return Operation(id="op", method="PUT", path="/things/{id}", **more)


def arguments_of(made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = made["definition"]["inputSchema"].get("properties", {})
    return found


def test_the_tools_of_two_apis_are_what_the_snapshot_wants() -> None:
    made = mcp_tools(demo_view())
    assert_golden("mcp_tools", made)
    fields = {"name", "aliases", "route", "definition", "request"}
    assert all(entry.keys() == fields for entry in made)


def test_a_tool_without_arguments_takes_a_closed_empty_object() -> None:
    made = tool(Operation(id="list", method="GET", path="/things"))
    assert made["definition"]["inputSchema"] == {"type": "object", "additionalProperties": False}


def test_parameters_of_one_name_in_two_places_get_their_place_in_front() -> None:
    made = tool(put(parameters=(parameter("id", "path"), parameter("ID"), parameter("sort"))))
    assert list(arguments_of(made)) == ["path_id", "query_ID", "sort"]
    assert made["definition"]["inputSchema"]["required"] == ["path_id"]
    assert [(entry["argument"], entry["in"], entry["name"]) for entry in made["request"]["parameters"]] == [
        ("path_id", "path", "id"),
        ("query_ID", "query", "ID"),
        ("sort", "query", "sort"),
    ]


def test_names_that_are_not_legal_are_made_so_without_clashing() -> None:
    names = ("filter[name]", "filter(name)", "$top", "x" * 70, "ключ", "a.b-c_d")
    made = tool(Operation(id="op", method="GET", path="/", parameters=tuple(map(parameter, names))))
    arguments = list(arguments_of(made))
    assert arguments[:3] == ["query_filter_name", "query_filter_name_2", "top"]
    assert arguments[3].startswith("x" * 55 + "_")
    assert len(arguments[3]) == 64
    assert arguments[4:] == ["argument", "a.b-c_d"]
    assert [entry["name"] for entry in made["request"]["parameters"]] == list(names)


def test_a_plain_body_is_flat_and_a_clash_puts_it_into_body() -> None:
    flat = tool(put(parameters=(parameter("key", "path"),), body=body(PERSON)))
    assert list(arguments_of(flat)) == ["key", "id", "name"]
    assert flat["definition"]["inputSchema"]["required"] == ["key", "name"]
    assert flat["request"]["body"]["arguments"] == {
        "properties": [{"argument": "id", "name": "id"}, {"argument": "name", "name": "name"}]
    }
    clash = tool(put(parameters=(parameter("Id", "path"),), body=body(PERSON)))
    assert list(arguments_of(clash)) == ["Id", "body"]
    assert clash["definition"]["inputSchema"]["required"] == ["Id", "body"]
    assert clash["request"]["body"]["arguments"] == {"whole": "body"}


def test_a_parameter_named_body_makes_room_for_the_body() -> None:
    made = tool(put(parameters=(parameter("body"),), body=body({"type": "array", "items": {}})))
    assert list(arguments_of(made)) == ["query_body", "body"]


def test_an_optional_bodys_required_properties_are_not_required() -> None:
    made = tool(put(body=body(PERSON, required=False)))
    assert "required" not in made["definition"]["inputSchema"]


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
        {"oneOf": [PERSON, {"type": "object", "properties": {"company": {"type": "string"}}}]},
        {**PERSON, "anyOf": [{"required": ["id"]}, {"required": ["name"]}]},
        {**PERSON, "minProperties": 1},
        {"type": "object", "properties": {"a b": {}, "a_b": {}}},
        {"allOf": [PERSON, {"oneOf": [{"type": "object"}, {"type": "object"}]}]},
    ],
)
def test_a_body_that_is_not_a_plain_object_is_one_argument(schema: Schema) -> None:
    made = tool(put(body=body(schema)))
    assert list(arguments_of(made)) == ["body"]
    assert made["request"]["body"]["arguments"] == {"whole": "body"}


def test_all_of_plain_objects_is_flattened_through_references() -> None:
    schemas: dict[str, Schema] = {
        "Named": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        "Employee": {
            "allOf": [
                {"$ref": "#/$defs/Named"},
                {"properties": {"boss": {"$ref": "#/$defs/Employee"}, "name": {"maxLength": 5}}},
                {"required": ["badge"]},
            ]
        },
    }
    made = tool(put(body=body({"$ref": "#/$defs/Employee"})), schemas)
    schema = made["definition"]["inputSchema"]
    assert list(schema["properties"]) == ["name", "boss", "badge"]
    assert schema["required"] == ["name", "badge"]
    assert schema["properties"]["name"] == {"allOf": [{"type": "string"}, {"maxLength": 5}]}
    check = jsonschema_rs.Draft202012Validator(schema)
    assert check.is_valid({"name": "Ann", "badge": 1, "boss": {"name": "Bob", "badge": 2}})
    assert not check.is_valid({"name": "Ann", "badge": 1, "boss": {"name": "Robert", "badge": 2}})


def test_a_nullable_body_is_flattened_like_any_other() -> None:
    made = tool(put(body=body({"anyOf": [PERSON, {"type": "null"}]})))
    assert list(arguments_of(made)) == ["id", "name"]


def test_read_only_properties_are_no_inputs_at_any_depth() -> None:
    schemas: dict[str, Schema] = {
        "Id": {"type": "integer", "readOnly": True},
        "Part": {
            "type": "object",
            "properties": {"id": {"$ref": "#/$defs/Id"}, "size": {"type": "integer"}},
            "required": ["id", "size"],
        },
        "Whole": {
            "type": "object",
            "properties": {"id": {"$ref": "#/$defs/Id"}, "part": {"$ref": "#/$defs/Part"}},
            "required": ["id", "part"],
        },
    }
    schema = tool(put(body=body({"$ref": "#/$defs/Whole"})), schemas)["definition"]["inputSchema"]
    assert schema["required"] == ["part"]
    assert schema["properties"] == {
        "part": {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}
    }


def test_an_inherited_read_only_property_is_not_required_from_outside() -> None:
    base: Schema = {"type": "object", "properties": {"id": {"type": "integer", "readOnly": True}}}
    nested: Schema = {"allOf": [{"$ref": "#/$defs/Base"}], "required": ["id", "name"]}
    schema = tool(put(body=body({"type": "array", "items": nested})), {"Base": base})["definition"][
        "inputSchema"
    ]
    assert schema["properties"]["body"]["items"]["required"] == ["name"]


def test_descriptions_defaults_and_examples_are_kept() -> None:
    parameters = (
        parameter("page", schema={"type": "integer", "default": 1}, description="Which page.", example=2),
        parameter("old", deprecated=True, schema={"type": "string", "description": "Own words."}),
    )
    made = tool(put(parameters=parameters, body=body(PERSON, description="Who.", example={"name": "Ann"})))
    assert made["definition"]["inputSchema"]["description"] == "Who."
    assert arguments_of(made) == {
        "page": {"type": "integer", "default": 1, "description": "Which page.", "examples": [2]},
        "old": {"type": "string", "description": "Own words.", "deprecated": True},
        "id": {"type": "integer"},
        "name": {"type": "string", "examples": ["Ann"]},
    }


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["application/xml", "application/json"], "application/json"),
        (["application/x-www-form-urlencoded", "application/vnd.api+json"], "application/vnd.api+json"),
        (["multipart/form-data", "application/x-www-form-urlencoded"], "application/x-www-form-urlencoded"),
        (["application/octet-stream", "text/plain"], "text/plain"),
        (["image/png", "application/pdf"], "image/png"),
        (["application/json; charset=utf-8", "text/plain"], "application/json; charset=utf-8"),
    ],
)
def test_the_body_is_in_the_media_type_that_clients_fill_in_best(offered: list[str], chosen: str) -> None:
    contents = tuple(
        Content(media_type, {"type": "object", "properties": {"a": {}}}) for media_type in offered
    )
    assert tool(put(body=Body(True, contents)))["request"]["body"]["media_type"] == chosen


def test_text_and_bytes_are_one_argument_each() -> None:
    text = tool(put(body=body({"type": "object", "properties": {"a": {}}}, "application/xml")))
    assert arguments_of(text)["body"]["type"] == "string"
    assert text["request"]["body"]["binary"] is False
    binary = tool(put(body=body({"type": "string"}, "image/png", description="A picture.")))
    assert arguments_of(binary)["body"] == {
        "type": "string",
        "contentEncoding": "base64",
        "description": "A picture.",
    }
    assert binary["request"]["body"]["binary"] is True


def test_a_media_range_is_sent_as_a_type_that_it_allows() -> None:
    assert tool(put(body=body(PERSON, "*/*")))["request"]["body"]["media_type"] == "application/json"
    made = tool(put(body=body({"type": "string"}, "*/*")))["request"]["body"]
    assert (made["media_type"], made["binary"]) == ("application/octet-stream", True)


def test_files_of_a_form_are_base64_and_its_encoding_is_told() -> None:
    form: Schema = {"type": "object", "properties": {"photo": {"type": "string"}, "note": {"type": "string"}}}
    made = tool(put(body=body(form, "multipart/form-data", encoding={"photo": files()})))
    assert arguments_of(made)["photo"]["contentEncoding"] == "base64"
    assert "contentEncoding" not in arguments_of(made)["note"]
    assert made["request"]["body"]["encoding"]["photo"] == {
        "style": None,
        "explode": None,
        "content_type": "image/png",
        "binary": True,
        "headers": {},
    }


def test_credentials_and_framing_headers_are_no_arguments_and_others_are() -> None:
    names = ("Authorization", "Host", "ApiKey", "X-Version")
    read = document(put(parameters=tuple(parameter(name, "header") for name in names)))
    made = mcp_tools(view(*select("api", read, credentials={"op": ("apikey",)})))[0]
    assert list(arguments_of(made)) == ["X-Version"]
    assert made["request"]["parameters"][0]["in"] == "header"


def test_a_parameter_that_is_the_upstreams_api_key_is_no_argument() -> None:
    schemes = {"key": {"type": "apiKey", "in": "query", "name": "api_key"}, "login": {"type": "http"}}
    operation = Operation(
        id="op", method="GET", path="/", parameters=(parameter("api_key"), parameter("api_key", "header"))
    )
    read = replace(document(operation), security_schemes=schemes)
    made = mcp_tools(view(*select("api", read)))[0]
    assert [entry["in"] for entry in made["request"]["parameters"]] == ["header"]


def test_names_are_legal_and_unique_whatever_their_case() -> None:
    first = document(
        Operation(id="Get", method="GET", path="/a"), Operation(id="other", method="GET", path="/b")
    )
    second = document(
        Operation(id="get", method="GET", path="/c"), Operation(id="x", method="GET", path="/d")
    )
    renamed = {"x": ToolSettings(name="2 fast!")}
    made = mcp_tools(view(*select("a b", first), *select("c", second, tools=renamed)))
    assert [entry["name"] for entry in made] == ["a_b_Get", "other", "c_get", "call_2_fast"]
    assert [entry["aliases"] for entry in made] == [[], [], [], ["x"]]


def test_a_configured_name_is_kept_against_an_operation_that_has_it_by_itself() -> None:
    read = document(Operation(id="find", method="GET", path="/a"), Operation(id="b", method="GET", path="/b"))
    made = mcp_tools(view(*select("api", read, tools={"b": ToolSettings(name="find")})))
    assert [entry["name"] for entry in made] == ["api_find", "find"]


def test_a_former_name_that_is_anothers_is_no_alias() -> None:
    read = document(Operation(id="a", method="GET", path="/a"), Operation(id="b", method="GET", path="/b"))
    settings = {"a": ToolSettings(name="b2"), "b": ToolSettings(name="a")}
    made = mcp_tools(view(*select("api", read, tools=settings)))
    assert [(entry["name"], entry["aliases"]) for entry in made] == [("b2", []), ("a", ["b"])]


@pytest.mark.parametrize(
    ("method", "consequential", "hints"),
    [
        ("GET", None, (True, False, True)),
        ("HEAD", None, (True, False, True)),
        ("GET", True, (False, True, True)),
        ("PUT", None, (False, True, True)),
        ("DELETE", None, (False, True, True)),
        ("POST", None, (False, True, False)),
        ("PATCH", None, (False, True, False)),
        ("POST", False, (False, False, False)),
    ],
)
def test_every_hint_is_explicit(method: str, consequential: bool | None, hints: tuple[bool, ...]) -> None:
    made = tool(Operation(id="op", method=method, path="/", consequential=consequential))
    annotations = made["definition"]["annotations"]
    names = ("readOnlyHint", "destructiveHint", "idempotentHint")
    assert tuple(annotations[name] for name in names) == hints
    assert annotations["openWorldHint"] is True
    assert annotations["title"] == made["definition"]["title"] == "Op"


def test_descriptions_come_from_settings_or_document_and_are_never_empty() -> None:
    def described(operation: Operation, settings: ToolSettings | None = None) -> str:
        read = document(operation)
        made = mcp_tools(view(*select("api", read, tools={"op": settings or ToolSettings()})))
        text: str = made[0]["definition"]["description"]
        return text

    plain = Operation(id="op", method="GET", path="/a", summary="Gets a", description="Gets a, all of it.")
    assert described(plain) == "Gets a, all of it."
    assert (
        described(Operation(id="op", method="GET", path="/a", summary="Gets", description="It."))
        == "Gets.\nIt."
    )
    assert described(plain, ToolSettings(description="Mine.")) == "Mine."
    assert described(Operation(id="op", method="GET", path="/a")) == "Op (GET /a)."
    assert (
        described(Operation(id="op", method="GET", path="/a", deprecated=True)) == "Deprecated. Op (GET /a)."
    )
    assert len(described(Operation(id="op", method="GET", path="/a", description="word " * 900))) <= 1024


def test_security_is_told_per_tool_where_clients_have_a_word_for_it() -> None:
    oauth = {"type": "oauth", "scope": "read write"}
    guarded = Operation(id="a", method="GET", path="/a", security=({"login": []},))
    either = Operation(id="b", method="GET", path="/b", security=({"login": []}, {}))
    first, second = (made["definition"] for made in mcp_tools(view_of(guarded, either, auth=oauth)))
    assert first["securitySchemes"] == [{"type": "oauth2", "scopes": ["read", "write"]}]
    assert second["securitySchemes"] == [{"type": "noauth"}]
    assert first["_meta"] == {"securitySchemes": first["securitySchemes"]}
    keyed = mcp_tools(view(*select("api", document(guarded), credentials={"a": ("apikey",)})))
    assert "securitySchemes" not in keyed[0]["definition"]
    assert "_meta" not in keyed[0]["definition"]


def test_the_request_goes_to_the_route_with_its_fixed_query() -> None:
    read = document(Operation(id="op", method="GET", path="/api", fixed_query="action=list"))
    chosen = select("api", read, prefix="/v1")
    request = mcp_tools(view(*chosen, base_url="http://user@localhost:9080/base"))[0]["request"]
    assert (request["host"], request["path"]) == ("localhost:9080", "/v1/api?action=list")


def test_the_accept_header_prefers_json_among_successes() -> None:
    def accepted(*responses: Response) -> Any:
        return tool(Operation(id="op", method="GET", path="/", responses=responses))["request"]["accept"]

    csv, json = Content("text/csv", {}), Content("application/hal+json", {})
    assert accepted(Response("200", "", (csv, json))) == "application/hal+json"
    assert accepted(Response("200", "", (csv,)), Response("400", "", (json,))) == "text/csv"
    assert accepted(Response("default", "", (json,))) == "application/hal+json"
    assert accepted(Response("204", "")) == "*/*"


def test_patterns_that_the_engine_cannot_run_are_left_out() -> None:
    parameters = (
        parameter("a", schema={"type": "string", "pattern": "^(?=x)"}),
        parameter("b", schema={"type": "string", "pattern": "^x$"}),
    )
    made = tool(Operation(id="op", method="GET", path="/", parameters=parameters))
    assert arguments_of(made) == {"a": {"type": "string"}, "b": {"type": "string", "pattern": "^x$"}}
