"""JSON and YAML text: YAML 1.2 scalars, places of mistakes, bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from toolway.openapi.limits import Limits
from toolway.openapi.text import locate, parse
from toolway.problem import ConfigurationError, Problem


def _parse(text: str, **limits: int) -> Any:
    return parse(text.encode(), "file.yaml", Limits(**limits))


def _problem(text: str, **limits: int) -> Problem:
    with pytest.raises(ConfigurationError) as caught:
        _parse(text, **limits)
    return caught.value.problems[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("2026-11-21", "2026-11-21"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("12", 12),
        ("-3", -3),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("9" * 50, 1e50),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("!!int '12'", 12),
        ("=", "="),
        ("|\n  text\n", "text\n"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    result = _parse(f"value: {text}")["value"]
    assert result == value
    assert type(result) is type(value)


def test_keys_are_texts_as_they_are_written() -> None:
    text = "{200: a, 1.10: b, true: c, null: d, 2026-01-01: e}"
    assert list(_parse(f"# a comment\n{text}")) == ["200", "1.10", "true", "null", "2026-01-01"]


def test_anchors_aliases_and_merges_are_followed() -> None:
    text = "base: &base {a: 1, b: 2}\nown: {b: 3, <<: *base}\nboth: {<<: [*base, {c: 4}]}\nsame: *base\n"
    data = _parse(text)
    assert data["own"] == {"b": 3, "a": 1}
    assert data["both"] == {"a": 1, "b": 2, "c": 4}
    assert data["same"] == {"a": 1, "b": 2}


def test_json_in_a_yaml_file_and_flow_yaml_are_both_read() -> None:
    assert _parse('{"a": [1, 2.5, "\\u00e9", null]}') == {"a": [1, 2.5, "é", None]}
    assert _parse("{a: [1, 2]}") == {"a": [1, 2]}
    assert _parse('\ufeff{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: [1, 2", "openapi-syntax", 2, 1),
        ("a: 1\n b: 2\n", "openapi-syntax", 2, 3),
        ("a: 1\nb: 2\na: 3\n", "openapi-duplicate-key", 3, 1),
        ('{"a": {"b": 1,\n "b": 2}}', "openapi-duplicate-key", 2, 2),
        ('{"a": ]}', "openapi-syntax", 1, 7),
        ('{"a": 1}}', "openapi-syntax", 1, 9),
        ('{"a": NaN}', "openapi-syntax", None, None),
        ('{"a": 1e999}', "openapi-syntax", None, None),
        ('{"a": "\\ud800"}', "openapi-syntax", None, None),
        ("a: *b", "openapi-syntax", 1, 4),
        ("a: &a [*a]", "openapi-syntax", 1, 8),
        ("? [a]\n: b", "openapi-syntax", 1, 3),
        ("a: 1\n---\nb: 2", "openapi-syntax", 2, 1),
        ("a: !thing b", "openapi-syntax", 1, 4),
        ("a: {<<: 1, b: {<<: [1]}}", "openapi-syntax", 1, 23),
        ("a: \x01", "openapi-syntax", None, None),
    ],
)
def test_mistakes_are_told_with_their_place(
    text: str, code: str, line: int | None, column: int | None
) -> None:
    problem = _problem(text)
    assert problem.code == code
    assert problem.file == "file.yaml"
    if line is not None:
        assert (problem.line, problem.column) == (line, column)


def test_tags_make_no_objects() -> None:
    assert _parse("a: !!python/object/apply:os.getcwd []\n") == {"a": []}


def test_all_keys_given_twice_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        _parse("a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(2, 1), (3, 11)]


def test_text_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="UTF-8"):
        parse(b"a: \xff", None, Limits())


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, '{"a":' * 200 + "1" + "}" * 200, "- " * 5000])
def test_deep_nesting_is_refused(text: str) -> None:
    assert _problem(text).code == "openapi-too-deep"


def test_the_deepest_value_allowed_is_read() -> None:
    assert _parse("[[[1]]]", depth=3) == [[[1]]]
    assert _problem("[[[[1]]]]", depth=3).code == "openapi-too-deep"
    assert _problem("# yaml\n[[[[1]]]]", depth=3).code == "openapi-too-deep"


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert _problem("\n".join(lines)).code == "openapi-too-large"


def test_a_long_text_repeated_by_aliases_is_refused() -> None:
    text = f"a: &a {'x' * 1000}\nb: [{', '.join(['*a'] * 1000)}]"
    assert _problem(text, bytes=100_000).code == "openapi-too-large"


def test_merges_that_multiply_are_refused() -> None:
    text = f"a: &a {{{', '.join(f'k{n}: 1' for n in range(100))}}}\nb: {{<<: [{', '.join(['*a'] * 100)}]}}"
    assert _problem(text, nodes=5000).code == "openapi-too-large"


def test_locates_a_value_by_its_pointer() -> None:
    text = b"a:\n  b:\n    - x\n    - c: 1\n"
    assert locate(text, ["a", "b", "1", "c"]) == (4, 7)
    assert locate(text, ["a", "b"]) == (2, 3)
    assert locate(text, ["a", "missing"]) == (1, 1)
    assert locate(json.dumps({"a": [1, 2]}).encode(), ["a", "1"]) == (1, 11)
    assert locate(b"[", []) is None
