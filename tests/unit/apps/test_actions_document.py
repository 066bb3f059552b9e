"""The OpenAPI document for GPT Actions."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from toolway.apps.actions import actions_document, actions_problems, dump_json, dump_yaml
from toolway.apps.model import AppView, ToolSettings
from toolway.openapi.model import Operation, Response, Schema

from .views import assert_golden, body, demo_view, document, json_response, parameter, select, view, view_of


def written(shown: AppView) -> dict[str, Any]:
    made = actions_document(shown)
    OpenAPIV31SpecValidator(made).validate()
    return made


def only_operation(operation: Operation, **more: Any) -> dict[str, Any]:
    made = written(view_of(operation, **more))
    (item,) = made["paths"].values()
    (entry,) = item.values()
    found: dict[str, Any] = entry
    return found


def as_published(schema: Schema, schemas: dict[str, Schema] | None = None) -> Any:
    operation = Operation(id="op", method="POST", path="/", body=body(schema))
    entry = only_operation(operation, schemas=schemas)
    return entry["requestBody"]["content"]["application/json"]["schema"]


def test_the_document_of_two_apis_is_valid_and_whole() -> None:
    assert_golden("actions", written(demo_view()))


def test_it_is_written_as_json_and_as_yaml_without_anchors() -> None:
    made = actions_document(demo_view())
    assert json.loads(dump_json(made)) == made
    text = dump_yaml(made)
    assert yaml.safe_load(text) == made
    assert "&id" not in text


def test_yaml_quotes_what_either_version_of_yaml_would_not_read_as_text() -> None:
    words = ["1e3", "0o17", "012", "yes", "null", "1.0", "2024-01-01", "~", "plain"]
    text = dump_yaml({"words": words})
    assert yaml.safe_load(text) == {"words": words}
    assert "'1e3'" in text
    assert "'0o17'" in text
    assert "- plain" in text


def test_a_circle_is_broken_with_the_bare_type() -> None:
    schemas: dict[str, Schema] = {
        "A": {"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}}},
        "B": {"type": "array", "items": {"$ref": "#/$defs/A"}},
    }
    operation = Operation(id="op", method="POST", path="/", body=body({"$ref": "#/$defs/A"}))
    made = written(view_of(operation, schemas=schemas))["components"]["schemas"]
    assert made["A"]["properties"]["b"] == {"$ref": "#/components/schemas/B"}
    assert made["B"]["items"] == {
        "type": "object",
        "properties": {},
        "description": "A, in the same form again.",
    }


def test_a_schema_name_of_two_apis_is_told_apart() -> None:
    def api(kind: str) -> Any:
        operation = Operation(
            id=f"op_{kind}", method="POST", path=f"/{kind}", body=body({"$ref": "#/$defs/Item"})
        )
        return document(operation, schemas={"Item": {"type": kind}})

    made = written(view(*select("a", api("string")), *select("b", api("integer"))))
    assert made["components"]["schemas"] == {"Item": {"type": "string"}, "b_Item": {"type": "integer"}}
    content = made["paths"]["/integer"]["post"]["requestBody"]["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/b_Item"}


@pytest.mark.parametrize(
    ("schema", "published"),
    [
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"properties": {}}, {"properties": {}, "type": "object"}),
        ({"type": "array", "items": {}}, {"type": "array", "items": {"type": "string"}}),
        ({"type": "array"}, {"type": "array", "items": {"type": "string"}}),
        ({"title": "Any"}, {"title": "Any", "type": "string"}),
        ({"minimum": 1}, {"minimum": 1, "type": "number"}),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}], "title": "N"}, {"type": "integer", "title": "N"}),
        ({"type": ["integer", "null"], "default": None}, {"type": "integer"}),
        ({"type": ["string", "null"], "enum": ["a", None]}, {"type": "string", "enum": ["a"]}),
        (
            {"type": ["string", "integer"], "minimum": 2},
            {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 2}]},
        ),
        ({"const": "x"}, {"enum": ["x"], "type": "string"}),
        ({"enum": [1, 2]}, {"enum": [1, 2], "type": "integer"}),
        ({"type": "string", "x-secret": 1, "$comment": "c"}, {"type": "string"}),
        (
            {"type": "object", "properties": {"no": False, "any": True}},
            {"type": "object", "properties": {"any": {"type": "string"}}},
        ),
        (
            {
                "type": "object",
                "properties": {"openaiFileIdRefs": {"type": "array", "items": {"type": "object"}}},
            },
            {
                "type": "object",
                "properties": {"openaiFileIdRefs": {"type": "array", "items": {"type": "string"}}},
            },
        ),
        (
            {"allOf": [{"description": "lifted"}, {"required": ["a"]}], "title": "T"},
            {
                "title": "T",
                "description": "lifted",
                "allOf": [{"required": ["a"], "type": "object", "properties": {}}],
            },
        ),
        ({"allOf": [{"description": "alone"}]}, {"description": "alone", "type": "string"}),
    ],
)
def test_schemas_are_what_the_importer_takes(schema: Schema, published: Schema) -> None:
    assert as_published(schema) == published


def test_nothing_stands_beside_a_reference() -> None:
    schemas: dict[str, Schema] = {"Item": {"type": "string"}}
    reference = {"$ref": "#/components/schemas/Item"}
    assert as_published({"$ref": "#/$defs/Item"}, schemas) == reference
    assert as_published({"$ref": "#/$defs/Item", "description": "d"}, schemas) == {
        "allOf": [reference],
        "description": "d",
    }
    assert as_published({"$ref": "#/$defs/Item", "minLength": 2}, schemas) == {
        "allOf": [reference, {"minLength": 2, "type": "string"}]
    }
    assert as_published({"anyOf": [{"$ref": "#/$defs/Item"}, {"type": "null"}]}, schemas) == reference


def test_texts_are_cut_to_what_chatgpt_takes() -> None:
    operation = Operation(
        id="op",
        method="GET",
        path="/",
        summary="word " * 100,
        description="text " * 100,
        parameters=(parameter("q", description="long " * 300),),
    )
    entry = only_operation(operation)
    assert len(entry["summary"]) <= 299
    assert 250 < len(entry["description"]) <= 299
    assert 650 < len(entry["parameters"][0]["description"]) <= 700


@pytest.mark.parametrize(
    ("method", "said", "configured", "consequential"),
    [
        ("GET", None, None, False),
        ("HEAD", None, None, False),
        ("POST", None, None, True),
        ("POST", False, None, False),
        ("POST", False, True, True),
        ("GET", True, False, False),
    ],
)
def test_consequences_are_explicit(
    method: str, said: bool | None, configured: bool | None, consequential: bool
) -> None:
    read = document(Operation(id="op", method=method, path="/", consequential=said))
    made = written(view(*select("api", read, tools={"op": ToolSettings(consequential=configured)})))
    assert made["paths"]["/"][method.lower()]["x-openai-isConsequential"] is consequential


def test_parameters_keep_their_style_and_tabs_are_explained() -> None:
    array: Schema = {"type": "array", "items": {"type": "string"}}
    operation = Operation(
        id="op",
        method="GET",
        path="/{a}",
        parameters=(
            parameter("a", "path", array, style="label", explode=True),
            parameter("b", schema=array, explode=False),
            parameter("c", schema=array, style="tabDelimited", explode=False, description="Names."),
            parameter("d", schema={"type": "object"}, media_type="application/json"),
            parameter("e", schema={"type": "object"}, style="deepObject"),
        ),
    )
    a, b, c, d, e = only_operation(operation)["parameters"]
    assert (a["style"], a["explode"], a["required"]) == ("label", True, True)
    assert (b["explode"], "style" in b) == (False, False)
    assert c["schema"] == {"type": "string"}
    assert c["description"] == "Names. Several values are separated by tabs."
    assert d["content"] == {"application/json": {"schema": {"type": "object", "properties": {}}}}
    assert e["style"] == "deepObject"


def test_headers_and_cookies_are_left_out_and_the_required_ones_told() -> None:
    operation = Operation(
        id="op",
        method="GET",
        path="/",
        parameters=(
            parameter("X-Must", "header", required=True),
            parameter("X-May", "header"),
            parameter("session", "cookie", required=True),
            parameter("Authorization", "header", required=True),
        ),
    )
    assert "parameters" not in only_operation(operation)
    found = actions_problems(view_of(operation))
    assert [problem.code for problem in found] == ["actions-required-header", "actions-required-cookie"]
    assert all(problem.kind == "warning" for problem in found)
    assert "api:op" in found[0].message
    assert "X-Must" in found[0].message


def test_a_fixed_query_is_a_parameter_and_a_second_one_stays_in_the_path() -> None:
    made = written(
        view_of(
            Operation(id="a", method="GET", path="/api", fixed_query="action=list"),
            Operation(id="b", method="GET", path="/api", fixed_query="action=show"),
        )
    )
    assert list(made["paths"]) == ["/api", "/api?action=show"]
    assert made["paths"]["/api"]["get"]["parameters"] == [
        {"name": "action", "in": "query", "required": True, "schema": {"type": "string", "enum": ["list"]}}
    ]


GUARDED = Operation(id="a", method="GET", path="/a", security=({"login": []},))
OPEN = Operation(id="b", method="GET", path="/b")


@pytest.mark.parametrize(
    ("auth", "scheme"),
    [
        ({"type": "user_http", "authorization_type": "bearer"}, {"type": "http", "scheme": "bearer"}),
        ({"type": "service_http", "authorization_type": "basic"}, {"type": "http", "scheme": "basic"}),
        (
            {
                "type": "oauth",
                "client_url": "https://id.example.com/authorize",
                "authorization_url": "https://id.example.com/token",
                "scope": "read",
            },
            {
                "type": "oauth2",
                "flows": {
                    "authorizationCode": {
                        "authorizationUrl": "https://id.example.com/authorize",
                        "tokenUrl": "https://id.example.com/token",
                        "scopes": {"read": "read"},
                    }
                },
            },
        ),
    ],
)
def test_the_apps_auth_is_the_one_scheme(auth: dict[str, Any], scheme: dict[str, Any]) -> None:
    made = written(view_of(GUARDED, OPEN, auth=auth))
    assert list(made["components"]["securitySchemes"].values()) == [scheme]
    assert len(made["security"]) == 1
    assert "security" not in made["paths"]["/a"]["get"]
    assert made["paths"]["/b"]["get"]["security"] == []
    whole = written(view_of(OPEN, auth=auth))
    assert "security" not in whole["paths"]["/b"]["get"]


def test_a_key_is_a_header_scheme_and_open_operations_say_so() -> None:
    made = written(view(*select("api", document(GUARDED, OPEN), credentials={"a": ("X-Key",)})))
    assert made["components"]["securitySchemes"] == {
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-Key"}
    }
    assert made["security"] == [{"apiKey": []}]
    assert made["paths"]["/b"]["get"]["security"] == []


def test_a_document_of_open_operations_has_no_scheme() -> None:
    made = written(view_of(GUARDED, OPEN))
    assert made["components"] == {"schemas": {}}
    assert "security" not in made
    assert made["paths"]["/a"]["get"]["security"] == []


def test_credentials_that_chatgpt_cannot_send_together_are_told() -> None:
    read = document(GUARDED, OPEN)
    several = view(*select("api", read, credentials={"a": ("X-Key",), "b": ("apikey",)}))
    assert [problem.code for problem in actions_problems(several)] == ["actions-several-credentials"]
    mismatch = view(
        *select("api", read, credentials={"a": ("X-Key",)}),
        auth={"type": "user_http", "authorization_type": "bearer"},
    )
    assert [problem.code for problem in actions_problems(mismatch)] == ["actions-credential-mismatch"]


def test_more_than_thirty_operations_are_all_published_and_a_split_is_offered() -> None:
    operations = [
        Operation(id=f"op{index}", method="GET", path=f"/{index}", tags=("even",) if index % 2 == 0 else ())
        for index in range(31)
    ]
    shown = view_of(*operations)
    assert len(written(shown)["paths"]) == 31
    (problem,) = actions_problems(shown)
    assert (problem.code, problem.kind) == ("actions-too-many-operations", "warning")
    assert problem.hint is not None
    assert "even (16), without a tag (15)" in problem.hint
    assert actions_problems(view_of(*operations[:30])) == []


def test_what_else_chatgpt_cannot_use_is_told() -> None:
    settings = {"a": ToolSettings(name="1st", description="x" * 300)}
    shown = view(*select("api", document(GUARDED), tools=settings), base_url="http://localhost:9080")
    codes = [problem.code for problem in actions_problems(shown)]
    assert codes == ["actions-server-not-https", "actions-description-too-long", "tool-name-changed"]
    twice = view(*select("a", document(OPEN)), *select("b", document(OPEN)))
    assert [problem.code for problem in actions_problems(twice)] == ["actions-same-place"]


def test_a_body_without_a_schema_is_an_object_and_such_a_response_has_no_content() -> None:
    operation = Operation(id="op", method="POST", path="/", body=body({}), responses=(json_response({}),))
    entry = only_operation(operation)
    content = entry["requestBody"]["content"]["application/json"]
    assert content == {"schema": {"type": "object", "properties": {}}}
    assert entry["responses"] == {"200": {"description": "OK"}}


def test_only_successes_show_their_content() -> None:
    item: Schema = {"type": "object", "properties": {}}
    operation = Operation(
        id="op",
        method="GET",
        path="/",
        responses=(json_response(item), json_response(item, "4XX", ""), Response("default", "Else")),
    )
    assert only_operation(operation)["responses"] == {
        "200": {"description": "OK", "content": {"application/json": {"schema": item}}},
        "4XX": {"description": "Failure."},
        "default": {"description": "Else"},
    }
