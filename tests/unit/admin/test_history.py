"""History over the Admin API: revisions, differences, and a state that is brought back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolway.store import Retention

from .gateway import UPSTREAM, AdminUnderTest, administered

if TYPE_CHECKING:
    from pathlib import Path


def test_every_write_is_a_revision(admin: AdminUnderTest) -> None:
    first = admin.put("/upstreams/1", UPSTREAM)["modifiedIndex"]
    admin.put("/upstreams/1", {**UPSTREAM, "retries": 2})
    admin.call("DELETE", "/upstreams/1")
    found = admin.get("/revisions?page=1&page_size=10")
    assert found["total"] == first + 2
    assert [entry["revision"] for entry in found["list"][:3]] == [first + 2, first + 1, first]
    assert found["list"][0]["note"] == "DELETE /apisix/upstreams/1"
    assert found["list"][0]["actor"] == "root"
    shown = admin.get(f"/revisions/{first + 1}")
    assert shown["changes"][0]["value"]["retries"] == 2
    diff = admin.get(f"/revisions/{first + 1}/diff")
    assert (diff["before"], diff["after"]) == (first, first + 1)
    assert "/retries" in diff["differences"][0]["places"]
    assert admin.get(f"/revisions/{first + 2}/diff?against={first + 1}")["differences"][0]["after"] is None


def test_a_revision_is_brought_back_as_a_new_one(admin: AdminUnderTest) -> None:
    good = admin.put("/upstreams/1", UPSTREAM)["modifiedIndex"]
    admin.put("/upstreams/1", {**UPSTREAM, "retries": 9})
    admin.put("/routes/1", {"uri": "/x", "upstream_id": "1"})
    answer = admin.call("POST", f"/revisions/{good}/rollback")
    assert (answer.status_code, answer.json()) == (200, {"revision": good + 3, "changes": 2})
    assert "retries" not in admin.get("/upstreams/1")["value"]
    assert admin.get("/routes")["total"] == 0
    again = admin.call("POST", f"/revisions/{good}/rollback").json()
    assert again == {"revision": good + 3, "changes": 0}


def test_revisions_that_there_are_not_are_told(admin: AdminUnderTest) -> None:
    for path in ("/revisions/999999", "/revisions/999999/diff", "/revisions/1/diff?against=999999"):
        assert admin.call("GET", path).status_code == 404
    assert admin.call("POST", "/revisions/999999/rollback").status_code == 404
    assert admin.call("GET", "/revisions/0").status_code == 400
    assert admin.call("GET", "/revisions/1/diff?against=x").status_code == 400


def test_secrets_of_the_past_are_not_shown(admin: AdminUnderTest) -> None:
    key = "a-key-that-nobody-sees-1234"
    number = admin.put("/consumers/jack", {"plugins": {"key-auth": {"key": key}}})["modifiedIndex"]
    text = (
        admin.call("GET", f"/revisions/{number}").text + admin.call("GET", f"/revisions/{number}/diff").text
    )
    assert key not in text
    assert "key_sha256" not in text
    assert '"key":"***"' in text


def test_what_the_history_does_not_keep_is_told_with_what_it_keeps(tmp_path: Path) -> None:
    with administered(tmp_path, retention=Retention(revisions=2)) as admin:
        for number in range(5):
            admin.put("/upstreams/1", {**UPSTREAM, "desc": str(number)})
        assert [entry["revision"] for entry in admin.get("/revisions")["list"]] == [5, 4]
        told = {"error_msg": "revision 2 is not kept any more; the history has 4 to 5"}
        for method, path in (("POST", "/rollback"), ("GET", ""), ("GET", "/diff?against=5")):
            answer = admin.call(method, f"/revisions/2{path}")
            assert (answer.status_code, answer.json()) == (404, told)
        assert admin.get("/revisions/4/diff")["differences"][0]["places"][0] == "/desc"
        assert admin.call("POST", "/revisions/4/rollback").json() == {"revision": 6, "changes": 1}
        assert admin.get("/upstreams/1")["value"]["desc"] == "3"
