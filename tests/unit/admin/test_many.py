"""Many changes in one write: bulk, plan and apply, all of it or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from .gateway import UPSTREAM, AdminUnderTest


def changes_of(answer: Any) -> list[tuple[str, str, str]]:
    return [(change["action"], change["kind"], change["id"]) for change in answer["changes"]]


def desired(**sections: Any) -> dict[str, Any]:
    return {"resources": sections}


def test_a_bulk_write_is_one_revision(admin: AdminUnderTest) -> None:
    before = admin.store.revision()
    changes = [
        {"kind": "routes", "id": str(number), "value": {"uri": f"/{number}", "upstream_id": "u"}}
        for number in range(50)
    ]
    changes.append({"kind": "upstreams", "id": "u", "value": UPSTREAM})
    answer = admin.call("POST", "/bulk", {"changes": changes, "note": "many"})
    assert answer.json() == {"revision": before + 1, "made": 51, "changed": 0, "deleted": 0}
    assert admin.get("/revisions")["list"][0]["note"] == "many"
    assert admin.get("/routes")["total"] == 50
    gone = [{"kind": change["kind"], "id": change["id"], "value": None} for change in changes]
    assert admin.call("POST", "/bulk", {"changes": gone}).json()["deleted"] == 51


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        (
            {"kind": "routes", "id": "2", "value": {"uri": "x", "upstream": UPSTREAM}},
            400,
            "/changes/1/value/uri",
        ),
        (
            {"kind": "routes", "id": "2", "value": {"uri": "/x", "upstream_id": "no"}},
            400,
            "/changes/1/value/upstream_id",
        ),
        ({"kind": "nonsense", "id": "2", "value": {}}, 400, "/changes/1/kind"),
        ({"kind": "routes", "id": "", "value": {}}, 400, "/changes/1/id"),
        ({"kind": "routes", "id": "1", "value": {"uri": "/x"}}, 400, "written twice"),
        ({"kind": "routes", "id": "2", "value": None}, 404, "/changes/1"),
        (
            {"kind": "routes", "id": "2", "value": {"uri": "/x", "upstream": UPSTREAM}, "modifiedIndex": 5},
            409,
            "/changes/1",
        ),
        ({"kind": "routes", "id": "2", "values": {}}, 400, "/changes/1"),
    ],
)
def test_one_wrong_change_refuses_all(admin: AdminUnderTest, change: Any, status: int, pointer: str) -> None:
    before = admin.store.revision()
    good = {"kind": "routes", "id": "1", "value": {"uri": "/good", "upstream": UPSTREAM}}
    answer = admin.call("POST", "/bulk", {"changes": [good, change]})
    assert answer.status_code == status
    assert pointer in answer.json()["error_msg"]
    assert admin.store.revision() == before


def test_many_changes_are_refused_with_every_reason(admin: AdminUnderTest) -> None:
    admin.put("/upstreams/used", UPSTREAM)
    admin.put("/routes/user", {"uri": "/user", "upstream_id": "used"})
    key = {"plugins": {"key-auth": {"key": "***"}}}
    changes = [
        {"kind": "upstreams", "id": "used", "value": None},
        {"kind": "routes", "id": "1", "value": {"uri": "/1", "upstream_id": "nowhere"}},
        {"kind": "routes", "id": "2", "value": {"uri": 2, "upstream_id": "used"}},
        {"kind": "credentials", "id": "nobody/1", "value": key},
    ]
    answer = admin.call("POST", "/bulk", {"changes": changes})
    assert answer.status_code == 400
    told = {(problem["code"], problem["pointer"]) for problem in answer.json()["problems"]}
    assert told >= {
        ("resource-in-use", "/changes/0"),
        ("unknown-reference", "/changes/1/value/upstream_id"),
        ("unknown-reference", "/changes/2/value/upstream_id"),
        ("wrong-type", "/changes/2/value/uri"),
        ("nothing-stored", "/changes/3/value/plugins/key-auth/key"),
        ("unknown-reference", "/changes/3/value"),
    }
    assert admin.get("/routes")["total"] == 1


def test_apply_makes_what_plan_tells_and_then_there_is_nothing_to_do(admin: AdminUnderTest) -> None:
    wanted = desired(
        upstreams=[{"id": "u", **UPSTREAM}],
        routes=[{"id": 1, "uri": "/a", "upstream_id": "u"}, {"uri": "/without-id", "upstream_id": "u"}],
        consumers=[
            {
                "username": "jack",
                "plugins": {"key-auth": {"key": "the-first-key-of-jack"}},
                "credentials": [{"id": "c", "plugins": {"key-auth": {"key": "the-second-key-of-jack"}}}],
            }
        ],
    )
    planned = admin.call("POST", "/plan", wanted).json()
    assert [action for action, _, _ in changes_of(planned)] == ["make"] * 5
    assert admin.get("/routes")["total"] == 0
    applied = admin.call("POST", "/apply", wanted).json()
    assert changes_of(applied) == changes_of(planned)
    assert applied["revision"] == planned["revision"] + 1
    again = admin.call("POST", "/plan", wanted).json()
    assert (again["changes"], again["unchanged"]) == ([], 5)


def test_a_plan_tells_field_by_field_without_secrets(admin: AdminUnderTest) -> None:
    consumer = {"username": "jack", "plugins": {"key-auth": {"key": "the-first-key-of-jack"}}, "desc": "old"}
    admin.call("POST", "/apply", desired(consumers=[consumer]))
    consumer = {
        "username": "jack",
        "plugins": {"key-auth": {"key": "another-key-of-jack"}},
        "labels": {"a": "b"},
    }
    told = admin.call("POST", "/plan", desired(consumers=[consumer])).json()["changes"][0]["differences"]
    assert {entry["pointer"]: (entry.get("before"), entry.get("after")) for entry in told} == {
        "/plugins/key-auth/key": ("***", "***"),
        "/desc": ("old", None),
        "/labels/a": (None, "b"),
    }


def test_only_what_the_same_owner_applied_is_deleted(admin: AdminUnderTest) -> None:
    admin.put("/routes/by-hand", {"uri": "/hand", "upstream": UPSTREAM})
    ours = {"id": "ours", "uri": "/ours", "upstream": UPSTREAM}
    theirs = {"id": "theirs", "uri": "/theirs", "upstream": UPSTREAM}
    admin.call("POST", "/apply", desired(routes=[ours]))
    admin.call("POST", "/apply", {**desired(routes=[theirs]), "owner": "others"})
    told = admin.call("POST", "/apply", desired(routes=[])).json()
    assert changes_of(told) == [("delete", "routes", "ours")]
    assert {entry["value"]["id"] for entry in admin.get("/routes")["list"]} == {"by-hand", "theirs"}


def test_what_is_referred_to_is_made_first_and_deleted_last(admin: AdminUnderTest) -> None:
    wanted = desired(
        routes=[{"id": "r", "uri": "/r", "upstream_id": "u"}], upstreams=[{"id": "u", **UPSTREAM}]
    )
    assert [kind for _, kind, _ in changes_of(admin.call("POST", "/apply", wanted).json())] == [
        "upstreams",
        "routes",
    ]
    gone = admin.call("POST", "/apply", desired()).json()
    assert [kind for _, kind, _ in changes_of(gone)] == ["routes", "upstreams"]


def test_mistakes_are_told_at_their_places_all_at_once(admin: AdminUnderTest) -> None:
    wanted = desired(
        routes=[
            {"id": "good", "uri": "/x", "upstream": UPSTREAM},
            {"id": "bad", "uri": 5, "upstream": UPSTREAM},
        ],
        consumers=[{"username": "jack", "credentials": [{"id": "c", "plugins": {"nonsense": {}}}]}],
    )
    for path in ("/plan", "/apply"):
        answer = admin.call("POST", path, wanted)
        assert answer.status_code == 400
        pointers = {problem["pointer"] for problem in answer.json()["problems"]}
        assert "/routes/1/uri" in pointers
        assert "/consumers/0/credentials/0/plugins/nonsense" in pointers
    assert admin.get("/routes")["total"] == 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (desired(routes=[{"id": "a", "uri": "/"}, {"id": "a", "uri": "/"}]), "/routes/1"),
        (desired(routes={}), "/routes"),
        (desired(routes=[5]), "/routes/0"),
        (desired(consumers=[{}]), "/consumers/0"),
        (desired(routes=[{"id": "no/slash"}]), "/routes/0/id"),
        (desired(nonsense=[]), "/nonsense"),
    ],
)
def test_sections_and_ids_are_checked(admin: AdminUnderTest, body: Any, pointer: str) -> None:
    answer = admin.call("POST", "/plan", body)
    assert answer.status_code == 400
    assert pointer in {problem["pointer"] for problem in answer.json()["problems"]}


def test_a_plan_made_for_another_revision_is_refused(admin: AdminUnderTest) -> None:
    revision = admin.store.revision()
    wanted = desired(upstreams=[{"id": "u", **UPSTREAM}])
    assert admin.call("POST", "/apply", {**wanted, "base": revision}).status_code == 200
    assert admin.call("POST", "/apply", {**wanted, "base": revision}).status_code == 409
    assert admin.call("POST", "/apply", {**wanted, "base": "x"}).status_code == 400
    assert admin.call("POST", "/apply", {**wanted, "surprise": 1}).status_code == 400
