"""Keys: found by their digests, judged by how well they can be guessed, made once and kept as a digest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from toolway.admin.keys import FILE, Key, Keys, Role, kept_key, weakness_of
from toolway.admin.opening import open_keys
from toolway.config.models.gateway import Admin, AdminKey
from toolway.config.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "kR7w-2jQ9_zL4mX8vB1n"


def test_a_key_is_found_with_its_role() -> None:
    keys = Keys([Key.of("one", Role.admin, GOOD), Key.of("two", Role.viewer, GOOD[::-1])])
    found = keys.find(GOOD[::-1])
    assert found is not None
    assert (found.name, found.role) == ("two", Role.viewer)
    assert keys.find(GOOD[:-1]) is None
    assert keys.find("") is None


def test_a_key_is_never_shown() -> None:
    key = Key.of("one", Role.admin, GOOD)
    assert GOOD not in repr(key)
    assert key.digest.hex() not in repr(key)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("short", "fewer than 20 characters"),
        ("a" * 40, "fewer than 8 different characters"),
        ("edd1c9f034335f136f87ad84b625c8f1", "which everyone knows"),
        ("4054f7cf07e344346cd3f287985e76a2", "which everyone knows"),
    ],
)
def test_keys_that_can_be_guessed_are_told(key: str, reason: str) -> None:
    assert reason in str(weakness_of(key))
    assert reason in str(Keys([Key.of("one", Role.admin, key)]).weakness())


def test_a_good_key_has_no_weakness() -> None:
    assert weakness_of(GOOD) is None


def test_a_made_key_is_told_once_and_kept_as_a_digest(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    made, shown = kept_key(folder)
    assert shown is not None
    assert weakness_of(shown) is None
    text = (folder / FILE).read_text()
    assert shown not in text
    assert (folder / FILE).stat().st_mode & 0o777 == 0o600
    again, nothing = kept_key(folder)
    assert nothing is None
    assert again.digest == made.digest
    assert Keys([again]).find(shown) is not None
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_a_damaged_file_of_a_made_key_is_told(tmp_path: Path) -> None:
    for text in ("", "{}", json.dumps({"role": "owner", "sha256": "00"})):
        (tmp_path / FILE).write_text(text)
        with pytest.raises(ValueError, match=r"damaged|Expecting"):
            kept_key(tmp_path)


def test_a_key_is_made_only_where_no_key_may_change_anything(tmp_path: Path) -> None:
    keys, shown = open_keys(Admin(), tmp_path, {"TOOLWAY_ADMIN_KEY": GOOD})
    assert shown is None
    assert keys.find(GOOD) is not None
    assert not list(tmp_path.iterdir())
    looking = AdminKey(name="eyes", key=Secret(GOOD), role="viewer")
    keys, shown = open_keys(Admin(keys=[looking]), tmp_path, {"TOOLWAY_VIEWER_KEY": GOOD[::-1]})
    assert shown is not None
    roles = {name: key.role for name in (GOOD, GOOD[::-1], shown) if (key := keys.find(name))}
    assert roles == {GOOD: Role.viewer, GOOD[::-1]: Role.viewer, shown: Role.admin}
