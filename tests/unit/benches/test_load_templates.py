"""The peers' configurations, filled."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from benches.load.rows import rows
from benches.load.servers import PEERS, values
from benches.load.templates import PEERS as FOLDER
from benches.load.templates import changing, filled, templates, write, write_file

ALL = sorted(path for path in FOLDER.glob("*/*") if path.is_file())


def test_values_are_filled_in() -> None:
    assert filled("listen @LISTEN@; to @UPSTREAM@; a@b.example", {"LISTEN": 1, "UPSTREAM": 2}) == (
        "listen 1; to 2; a@b.example"
    )


def test_a_name_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        filled("@UNKNOWN@", {})


def test_lines_are_repeated_with_their_number() -> None:
    text = "first\n  @repeat 3@\n  key-@NUMBER@ name-@NUMBER@;\n  @end@\nlast @LISTEN@\n"
    assert filled(text, {"LISTEN": 9}) == (
        "first\n  key-0 name-0;\n  key-1 name-1;\n  key-2 name-2;\nlast 9\n"
    )


@pytest.mark.parametrize("path", ALL, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_file_fills_without_rest(path: Path) -> None:
    # Three of each are as good as 100,000.
    few = re.sub(r"@repeat \d+@", "@repeat 3@", path.read_text())
    text = filled(few, values(8001, 8002, Path("/tmp/x")))
    assert not re.search(r"@[A-Za-z_]+( \d+)?@", text)
    if path.suffix == ".json":
        json.loads(text)
    elif path.suffix == ".yaml":
        yaml.load(text, yaml.CSafeLoader)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_every_row_has_a_configuration_of_toolway_and_of_another(row: object) -> None:
    configuration = getattr(row, "configuration")  # noqa: B009
    able = {peer.name for peer in PEERS.values() if peer.can(configuration)}
    assert "toolway" in able
    assert able - {"toolway"}


def test_every_configuration_has_the_file_that_its_server_is_started_with() -> None:
    for peer in PEERS.values():
        for path in (FOLDER / peer.name).iterdir():
            configuration = path.name.split(".", 1)[0]
            assert peer.main_file(FOLDER / peer.name, configuration).is_file()


def test_only_the_file_with_the_change_is_written_again(tmp_path: Path) -> None:
    folder = tmp_path / "haproxy"
    folder.mkdir()
    write("haproxy", "apply", folder, values(1, 2, folder, 0))
    assert [path.name for path in templates("haproxy", "apply")] == ["apply.cfg", "apply.map"]
    (template,) = changing("haproxy", "apply")
    put_in_place = write_file(template, folder, values(1, 2, folder, 1))
    assert (folder / "apply.map").read_text().startswith("/changed/0 ")
    put_in_place()
    assert (folder / "apply.map").read_text().startswith("/changed/1 ")
