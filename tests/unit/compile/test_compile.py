"""Compiling: what the golden files cannot show, such as the way back from the snapshot and what is left out
of it.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from golden.documents import CONFERENCE, SERVERLESS
from toolway.compile import Compiled
from toolway.compile import compile as compile_configuration
from toolway.config import Source, load, parse
from toolway.openapi.model import Document, Operation
from toolway.problem import ConfigurationError

GOLDEN = Path(__file__).parents[2] / "golden"
SCHEMAS = json.loads((GOLDEN / "plugin_schemas.json").read_text())
SHARED = Path(os.environ.get("TOOLWAY_SHARED", Path(__file__).parents[4] / "shared"))
APP = {"id": "main", "operations": ["conference:get*"], "contact_email": "a@example.com"}


def compiled(data: Any, documents: dict[str, Document] | None = None, **options: Any) -> Compiled:
    source = Source.of_data(data, folder=Path("/etc/toolway"), environment={"TOKEN": "sesame"})
    return compile_configuration(parse(source, plugin_schemas=SCHEMAS), documents or {}, **options)


def routes(result: Compiled) -> dict[str, Any]:
    return {route["id"]: route for route in result.snapshot["routes"]}


def test_the_configuration_of_the_article_is_compiled_unchanged() -> None:
    path = SHARED / "seed" / "apisix.yml"
    if not path.exists():
        path = GOLDEN / "apisix_article.yaml"
    result = compile_configuration(parse(load(path), plugin_schemas=SCHEMAS), {})
    assert result.warnings == ()
    (route,) = result.snapshot["routes"]
    (upstream,) = result.snapshot["upstreams"]
    assert (route["uris"], route["methods"]) == (["/speaker/*"], ["GET"])
    assert route["target"]["upstream"]["id"] == upstream["id"] == "1"
    assert (upstream["scheme"], upstream["pass_host"]) == ("https", "node")


def test_connections_are_sent_elsewhere_as_asked() -> None:
    data = {"upstreams": [{"id": 1, "scheme": "https", "nodes": {"a.example.com": 1, "b.example.com:80": 1}}]}
    result = compiled(data, connect_to={"a.example.com:443": "127.0.0.1:5000"})
    nodes = result.snapshot["upstreams"][0]["nodes"]
    assert [node["connect_to"] for node in nodes] == ["127.0.0.1:5000", None]
    assert [node["host"] for node in nodes] == ["a.example.com", "b.example.com"]


def test_secrets_reach_the_snapshot_and_nothing_that_is_shown() -> None:
    data = {
        "routes": [
            {
                "id": "r",
                "uri": "/a",
                "upstream": {"nodes": {"a:1": 1}},
                "plugins": {"proxy-rewrite": {"headers": {"set": {"Authorization": "$env://TOKEN"}}}},
            }
        ]
    }
    result = compiled(data)
    assert "sesame" in result.text()
    assert "sesame" not in json.dumps(result.printable)
    assert "[redacted]" in json.dumps(result.printable)
    assert "sesame" not in repr(result)


def test_a_key_is_only_in_the_snapshot_as_its_digest() -> None:
    result = compiled({"consumers": [{"username": "jack", "plugins": {"key-auth": {"key": "sesame"}}}]})
    assert "sesame" not in result.text()
    assert hashlib.sha256(b"sesame").hexdigest() in result.text()


def test_what_the_engine_refuses_is_told_where_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "toolway.yaml"
    path.write_text(
        "services:\n"
        "  - id: s\n"
        "    upstream: {nodes: {'a:1': 1}}\n"
        "    plugins:\n"
        "      proxy-rewrite:\n"
        "        regex_uri: ['(', x]\n"
        "routes:\n"
        "  - id: r\n"
        "    uris: [/a, /b]\n"
        "    service_id: s\n"
    )
    result = compile_configuration(parse(load(path), plugin_schemas=SCHEMAS), {})
    refused = [
        ("/routes/0/plugins/proxy-rewrite/regex_uri/0", "not a regular expression"),
        ("/routes/0/uris/1", "not a pattern"),
        ("/routes/0/target/upstream", "unknown"),
        ("/upstreams/0/nodes/0", "no address"),
        ("/gateway/listen/0", "no address"),
        ("", "too large"),
    ]
    problems = result.problems_of(refused)
    assert [(problem.line, problem.column) for problem in problems] == [
        (6, 21),
        (9, 16),
        (8, 5),
        (3, 23),
        (1, 1),
        (1, 1),
    ]
    assert {problem.code for problem in problems} == {"engine-refused"}


def test_the_same_configuration_gives_the_same_snapshot() -> None:
    data = {"apis": [{"id": "conference", "spec": "x", "plugins": {"cors": {}}}], "apps": [APP]}
    documents = {"conference": CONFERENCE}
    assert compiled(data, documents).text() == compiled(data, documents).text()


def test_every_pointer_of_a_place_is_in_the_snapshot() -> None:
    data = {
        "apis": [{"id": "conference", "spec": "x", "plugins": {"cors": {}}}],
        "apps": [APP],
        "global_rules": [{"id": "g", "plugins": {"prometheus": {}}}],
    }
    result = compiled(data, {"conference": CONFERENCE})
    for pointer in result.places:
        found: Any = result.snapshot
        for part in pointer.split("/")[1:]:
            found = found[int(part)] if isinstance(found, list) else found[part]


def test_a_document_that_was_not_read_leaves_its_api_out() -> None:
    assert compiled({"apis": [{"id": "conference", "spec": "x"}]}).snapshot["routes"] == []


def test_an_operation_with_cors_answers_the_preflight_of_browsers() -> None:
    api = {"id": "conference", "spec": "x", "operations": {"GET /speakers": {"plugins": {"cors": {}}}}}
    found = routes(compiled({"apis": [api]}, {"conference": CONFERENCE}))
    assert found["conference:findSpeakers"]["methods"] == ["GET", "OPTIONS"]
    assert found["conference:getSessions"]["methods"] == ["GET"]


def test_a_tool_knows_in_which_header_its_route_wants_a_key() -> None:
    api = {
        "id": "conference",
        "spec": "x",
        "operations": {"get*": {"plugins": {"key-auth": {"header": "X-Key"}}}},
    }
    result = compiled({"apis": [api], "apps": [APP]}, {"conference": CONFERENCE})
    (selected,) = result.apps[0].operations
    assert selected.credential_headers == ("X-Key",)


def test_later_patterns_win_field_by_field_for_tools() -> None:
    operations = {
        "*": {"tool": {"description": "Anything.", "consequential": True}},
        "getSessions": {"tool": {"consequential": False, "name": "sessions"}},
    }
    api = {"id": "conference", "spec": "x", "operations": operations}
    result = compiled({"apis": [api], "apps": [APP]}, {"conference": CONFERENCE})
    (selected,) = result.apps[0].operations
    tool = selected.tool
    assert (tool.name, tool.description, tool.consequential) == ("sessions", "Anything.", False)


def test_an_app_is_at_its_own_path_whatever_its_host() -> None:
    data = {
        "apis": [{"id": "conference", "spec": "x"}],
        "apps": [{**APP, "host": "one.example.com"}, {**APP, "id": "two", "host": "two.example.com"}],
    }
    result = compiled(data, {"conference": CONFERENCE})
    published = {
        (route["uris"][0], tuple(route["hosts"]))
        for route in result.snapshot["routes"]
        if route["target"].get("mcp")
    }
    assert published == {
        ("/mcp", ()),
        ("/mcp", ("one.example.com",)),
        ("/apps/main/mcp", ()),
        ("/mcp", ("two.example.com",)),
        ("/apps/two/mcp", ()),
    }


def test_each_copy_of_the_manifest_leads_to_the_files_beside_it() -> None:
    data = {
        "apis": [{"id": "conference", "spec": "x"}],
        "apps": [{**APP, "base_url": "https://api.example.com"}],
    }
    found = routes(compiled(data, {"conference": CONFERENCE}))
    for name, prefix in (("app:main:ai-plugin.json", ""), ("app:main:ai-plugin.json:path", "/apps/main")):
        manifest = json.loads(found[name]["target"]["static"]["body"])
        assert manifest["api"]["url"] == f"https://api.example.com{prefix}/openapi.yaml"
        assert f"{prefix}/openapi.yaml" in {uri for route in found.values() for uri in route["uris"]}


def test_the_published_files_answer_the_pages_of_chatgpt_and_nobody_else() -> None:
    data = {"apis": [{"id": "conference", "spec": "x"}], "apps": [APP]}
    found = routes(compiled(data, {"conference": CONFERENCE}))
    cors = found["app:main:ai-plugin.json"]["plugins"]["cors"]
    assert cors["allow_origins"] == "https://chat.openai.com,https://chatgpt.com"
    assert cors["allow_private_network"] is True
    assert cors["allow_credential"] is False
    assert found["app:main:mcp"]["plugins"] == {}


def test_an_operation_with_a_relative_server_is_told_where_no_upstream_is_configured() -> None:
    with pytest.raises(ConfigurationError) as caught:
        compiled({"apis": [{"id": "orders", "spec": "x"}]}, {"orders": SERVERLESS})
    assert [problem.code for problem in caught.value.problems] == ["api-without-server"]


def test_relative_paths_of_the_access_log_are_those_of_the_file() -> None:
    assert (
        compiled({"gateway": {"access_log": "a.log"}}).snapshot["gateway"]["access_log"]
        == "/etc/toolway/a.log"
    )
    assert compiled({"gateway": {"access_log": None}}).snapshot["gateway"]["access_log"] is None
    assert compiled({}).snapshot["gateway"]["access_log"] == "stdout"


def test_workers_are_as_many_as_cores_unless_configured() -> None:
    assert compiled({}, cores=3).snapshot["gateway"]["workers"] == 3
    assert compiled({"gateway": {"workers": 1}}, cores=3).snapshot["gateway"]["workers"] == 1


def test_text_of_a_path_that_would_be_a_pattern_is_encoded() -> None:
    paths = {
        "/a*b/{id}": "/p/a%2Ab/{id}",
        "/:batch/{id}:cancel": "/p/%3Abatch/{id}:cancel",
        "/100%/%41": "/p/100%25/%41",
    }
    operations = tuple(Operation(f"op{at}", "GET", path) for at, path in enumerate(paths))
    document = replace(CONFERENCE, operations=operations)
    data = {"apis": [{"id": "x", "spec": "x", "prefix": "/p"}], "apps": [{**APP, "operations": ["x:*"]}]}
    result = compiled(data, {"x": document})
    tools = result.snapshot["apps"][0]["tools"]
    assert [route["uris"][0] for route in result.snapshot["routes"] if route["api"]] == list(paths.values())
    assert [tool["request"]["path"] for tool in tools] == list(paths.values())
