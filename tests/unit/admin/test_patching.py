"""Patches: merging as RFC 7396 has it, and replacing at a sub-path."""

from __future__ import annotations

from typing import Any

import pytest

from toolway.admin.answers import Refusal
from toolway.admin.patching import merged, replaced


@pytest.mark.parametrize(
    ("value", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_patch_is_merged(value: Any, patch: Any, result: Any) -> None:
    before = repr(value)
    assert merged(value, patch) == result
    assert repr(value) == before


@pytest.mark.parametrize(
    ("path", "change", "result"),
    [
        ("plugins", {}, {"plugins": {}, "uris": ["/a", "/b"]}),
        ("plugins/cors", {}, {"plugins": {"key-auth": {}, "cors": {}}, "uris": ["/a", "/b"]}),
        ("plugins/key-auth", None, {"plugins": {}, "uris": ["/a", "/b"]}),
        ("uris/1", "/c", {"plugins": {"key-auth": {}}, "uris": ["/a", "/c"]}),
        ("uris/0", None, {"plugins": {"key-auth": {}}, "uris": ["/b"]}),
        (
            "upstream/nodes",
            [],
            {"plugins": {"key-auth": {}}, "uris": ["/a", "/b"], "upstream": {"nodes": []}},
        ),
        ("absent", None, {"plugins": {"key-auth": {}}, "uris": ["/a", "/b"]}),
    ],
)
def test_a_sub_path_is_replaced(path: str, change: Any, result: Any) -> None:
    value = {"plugins": {"key-auth": {}}, "uris": ["/a", "/b"]}
    assert replaced(value, path.split("/"), change) == result
    assert value == {"plugins": {"key-auth": {}}, "uris": ["/a", "/b"]}


@pytest.mark.parametrize("path", ["uris/2", "uris/x", "uris/0/deeper", "uris/-1"])
def test_a_sub_path_that_leads_nowhere_is_refused(path: str) -> None:
    with pytest.raises(Refusal, match="invalid sub-path: /uris"):
        replaced({"uris": ["/a", "/b"]}, path.split("/"), 1)
