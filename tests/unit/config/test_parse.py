"""Parsing: everything at once, and never anything but problems for what a user may write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from golden.documents import CONFERENCE
from toolway.compile import compile as compile_configuration
from toolway.config import CODES, Configuration, Secret, Source, load, parse
from toolway.config.models.credentials import KeyAuthCredential
from toolway.problem import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SCHEMAS = json.loads((Path(__file__).parents[2] / "golden" / "plugin_schemas.json").read_text())
VALID: dict[str, Any] = {
    "gateway": {"listen": ["127.0.0.1:9080"], "workers": 1},
    "upstreams": [{"id": 1, "nodes": {"127.0.0.1:80": 1}}, {"id": 2, "nodes": [{"host": "a", "weight": 1}]}],
    "services": [{"id": "s", "upstream_id": 1, "plugins": {"cors": {}}}],
    "plugin_configs": [{"id": "p", "plugins": {"limit-count": {"count": 1, "time_window": 60}}}],
    "routes": [
        {"id": "r", "uri": "/a", "service_id": "s", "plugin_config_id": "p", "methods": ["GET"]},
        {"uris": ["/b"], "hosts": ["a.example.com"], "upstream": {"nodes": {"[::1]:80": 1}}, "timeout": {}},
    ],
    "consumers": [
        {"username": "jack", "plugins": {"key-auth": {"key": "one"}}},
        {"username": "jill", "credentials": [{"id": "c", "plugins": {"key-auth": {"key": "two"}}}]},
    ],
    "global_rules": [{"id": "g", "plugins": {"prometheus": {"_meta": {"disable": False}}}}],
    "apis": [{"id": "api", "spec": "a.yaml", "operations": {"get*": {"tool": {"consequential": True}}}}],
    "apps": [{"id": "app", "operations": ["api:*"], "auth": {"type": "user_http"}}],
}


def parsed(data: Any, folder: Path = Path()) -> Configuration:
    return parse(Source.of_data(data, folder=folder, environment={}), plugin_schemas=SCHEMAS)


def problems_in(work: Callable[[], object]) -> Sequence[Problem]:
    try:
        work()
    except ConfigurationError as error:
        return error.problems
    return ()


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(found for key, value in items for found in places(value, (*path, key)))]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from(["$env://NONE", "$file://", "a:b", "[::1", "1:99999", "/", "*", "__class__", "{said}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_change_of_a_valid_configuration_raises_anything_but_problems(data: st.DataObject) -> None:
    changed = json.loads(json.dumps(VALID))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(changed)))
        target = changed
        for key in path[:-1]:
            target = target[key]
        if not path:
            changed = data.draw(VALUES)
            break
        change = data.draw(st.sampled_from(["replace", "remove", "add", "rename"]))
        if change == "replace":
            target[path[-1]] = data.draw(VALUES)
        elif change == "remove":
            del target[path[-1]]
        elif isinstance(target, list):
            target.append(data.draw(VALUES))
        elif change == "rename":
            target[data.draw(st.text(max_size=4))] = target.pop(path[-1])
        else:
            target[data.draw(st.text(max_size=4))] = data.draw(VALUES)
        if not isinstance(changed, (dict, list)):
            break
    problems = problems_in(
        lambda: compile_configuration(
            configuration := parsed(changed), {api.id: CONFERENCE for api in configuration.apis}
        )
    )
    assert {problem.code for problem in problems} <= set(CODES)
    told = "\n".join(map(str, problems))
    assert not any(word in told for word in ("pydantic", "ValidationError", "extra_forbidden"))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_to_the_text_of_a_file_raises_anything_but_problems(
    tmp_path: Path, data: st.DataObject
) -> None:
    text = yaml.safe_dump(VALID)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 10)))
    inserted = data.draw(st.text(alphabet="&*!<>{}[]|:-\"'%@`\n\t $#?,a0\0\ud7ff", max_size=4))
    path = tmp_path / "toolway.yaml"
    path.write_text(text[:start] + inserted + text[end:])
    problems = problems_in(lambda: parse(load(path, environment={}), plugin_schemas=SCHEMAS))
    assert {problem.file for problem in problems} <= {str(path)}


def test_the_valid_configuration_is_valid() -> None:
    configuration = parsed(VALID)
    assert next(route.id for route in configuration.routes) == "r"
    assert configuration.upstreams["1"].nodes == {"127.0.0.1:80": 1}


def test_an_id_made_for_a_route_outlives_a_change_of_order_and_plugins() -> None:
    one = {"uri": "/a", "upstream": {"nodes": {"a:1": 1}}}
    other = {"uri": "/b", "upstream": {"nodes": {"a:1": 1}}}
    before = [route.id for route in parsed({"routes": [one, other]}).routes]
    after = [route.id for route in parsed({"routes": [other, {**one, "plugins": {"cors": {}}}]}).routes]
    assert before == after[::-1]


def test_a_wrong_resource_is_not_reported_again_where_it_is_named() -> None:
    data = {"upstreams": [{"id": "u", "nodes": 5}], "routes": [{"id": "r", "uri": "/a", "upstream_id": "u"}]}
    with pytest.raises(ConfigurationError) as caught:
        parsed(data)
    assert [problem.pointer for problem in caught.value.problems] == ["/upstreams/0/nodes"]


def test_the_files_of_secrets_are_named_so_that_they_can_be_watched(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sesame\n")
    data = {"consumers": [{"username": "jack", "plugins": {"key-auth": {"key": "$file://key"}}}]}
    configuration = parsed(data, tmp_path)
    assert configuration.files == {tmp_path / "key"}
    credential = configuration.consumers[0].proofs[0].config
    assert isinstance(credential, KeyAuthCredential)
    assert credential.key == Secret("sesame")
    assert "sesame" not in repr(configuration)


def test_references_to_secrets_stay_texts_outside_of_plugins(tmp_path: Path) -> None:
    data = {"apps": [{"id": "a", "operations": [], "desc": "$env://NONE", "logo": "$file://x"}]}
    assert parsed(data, tmp_path).apps[0].desc == "$env://NONE"


def test_a_problem_without_a_file_names_the_pointer() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parsed({"routes": [{"id": "r", "uri": "a", "upstream": {"nodes": {"a:1": 1}}}]})
    said = "/routes/0/uri: expected a path that begins with /, found 'a' [wrong-value]"
    assert str(caught.value.problems[0]) == said
