"""Reading files: values by YAML 1.2, places, the environment, and what is refused before it is parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from toolway.config import Place, Source, load
from toolway.config.source import MAXIMUM_BYTES
from toolway.problem import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path, text: str | bytes, **environment: str) -> Source:
    path = folder / "toolway.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path, environment=environment)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("off", "off"),
        ("True", True),
        ("false", False),
        ("~", None),
        ("", None),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-3", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("2024-01-02", "2024-01-02"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("!!float 1", 1),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(tmp_path: Path, written: str, value: object) -> None:
    data = read(tmp_path, f"a: {written}\n").data
    assert data == {"a": value}
    assert type(data["a"]) is type(value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${PORT}", 8080),
        ("'${PORT}'", "8080"),
        ("port ${PORT}", "port 8080"),
        ("${PORT}0", "80800"),
        ("${NONE:-true}", True),
        ("${NONE:-}", None),
        ("${EMPTY}", None),
        ("${EMPTY:-7}", 7),
        ("$${PORT}", "${PORT}"),
        ("$PORT", "$PORT"),
        ("^a${2}", "^a${2}"),
    ],
)
def test_an_environment_value_stands_for_itself(tmp_path: Path, written: str, value: object) -> None:
    assert read(tmp_path, f"a: {written}\n", PORT="8080", EMPTY="").data == {"a": value}


def test_an_environment_value_is_not_read_as_yaml(tmp_path: Path) -> None:
    assert read(tmp_path, "a: ${X}\n", X="{b: [1]}").data == {"a": "{b: [1]}"}


def test_an_environment_value_in_a_key_names_the_key(tmp_path: Path) -> None:
    source = read(tmp_path, 'nodes: {"${HOST}/x": 1}\n', HOST="a")
    assert source.data == {"nodes": {"a/x": 1}}
    assert source.places["/nodes/a~1x"] == Place(1, 22, 1, 9)


def test_json_is_read_with_places(tmp_path: Path) -> None:
    source = read(tmp_path, '{"routes": [\n  {"uri": "/a"}\n]}')
    assert source.data == {"routes": [{"uri": "/a"}]}
    assert source.places["/routes/0/uri"] == Place(2, 11, 2, 4)


def test_a_place_that_is_not_there_is_the_nearest_around_it(tmp_path: Path) -> None:
    source = read(tmp_path, "routes:\n  - uri: /a\n")
    assert source.place("/routes/0/plugins/cors") == source.places["/routes/0"]


def test_what_a_mapping_sets_itself_stands_over_what_it_merges(tmp_path: Path) -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc:\n  z: 3\n  <<: [*a, *b]\n"
    source = read(tmp_path, text)
    assert source.data["c"] == {"x": 1, "y": 1, "z": 3}
    assert source.places["/c/z"].line == 4
    assert source.places["/c/y"].line == 1


def test_the_end_mark_of_apisix_and_a_byte_order_mark_are_read_over(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfroutes: []\n#END\n").data == {"routes": []}


def test_a_file_with_comments_only_configures_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "# nothing\n").data == {}


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"a: 1\nb: \xff\n", "file-unreadable", 2),
        (b"a: \x00", "yaml-syntax", None),
        (b"a: 1\n b: 2", "yaml-syntax", 2),
        (b'a: "\\uD800"', "yaml-syntax", 1),
        (b"- " * 100_000, "yaml-too-deep", 1),
        (b"[" * 100_000, "yaml-too-deep", 1),
        (b"{a: " * 100_000, "yaml-too-deep", 1),
        (b"#" * (MAXIMUM_BYTES + 1), "file-too-large", None),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, content: bytes, code: str, line: int | None
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, content)
    problem = caught.value.problems[0]
    assert (problem.code, problem.line) == (code, line)
    assert problem.file == str(tmp_path / "toolway.yaml")


@pytest.mark.parametrize("name", ["missing.yaml", ".", "nul\0.yaml"])
def test_a_name_that_leads_to_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / name)
    assert [problem.code for problem in caught.value.problems] == ["file-unreadable"]


def test_the_environment_is_not_shown_with_the_source(tmp_path: Path) -> None:
    assert "sesame" not in repr(read(tmp_path, "a: ${KEY}", KEY="sesame"))
