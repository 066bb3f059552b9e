"""Resources over the Admin API, as Apache APISIX's behaves: statuses, shapes, references and conditions."""

from __future__ import annotations

from typing import Any

import pytest

from .gateway import UPSTREAM, AdminUnderTest

ROUTE = {"uri": "/hello", "upstream": UPSTREAM}


def test_put_makes_a_resource_and_then_replaces_it(admin: AdminUnderTest) -> None:
    made = admin.call("PUT", "/routes/1", ROUTE)
    assert made.status_code == 201
    value = made.json()["value"]
    assert made.json()["key"] == "/apisix/routes/1"
    assert (value["id"], value["uri"], value["priority"], value["status"]) == ("1", "/hello", 0, 1)
    assert value["create_time"] == value["update_time"]
    replaced = admin.call("PUT", "/routes/1", {**ROUTE, "priority": 3})
    assert replaced.status_code == 200
    assert replaced.json()["value"]["priority"] == 3
    assert replaced.json()["createdIndex"] == made.json()["createdIndex"]
    assert replaced.json()["modifiedIndex"] > made.json()["modifiedIndex"]
    assert admin.get("/routes/1") == replaced.json()


def test_the_id_may_stand_in_the_body(admin: AdminUnderTest) -> None:
    assert admin.put("/upstreams", {"id": 7, **UPSTREAM})["key"] == "/apisix/upstreams/7"
    assert admin.put("/consumers", {"username": "jack"})["key"] == "/apisix/consumers/jack"
    assert admin.put("/upstreams/7", {"id": "7", **UPSTREAM})["value"]["id"] == "7"


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("PUT", "/upstreams/1", {"id": 3, **UPSTREAM}, "wrong upstream id"),
        ("PUT", "/upstreams", UPSTREAM, "missing upstream id"),
        ("PUT", "/consumers", {}, "missing consumer username"),
        ("PUT", "/consumers/jack", {"username": "jill"}, "wrong username"),
        ("POST", "/upstreams", {"id": 1, **UPSTREAM}, "wrong upstream id, do not need it"),
        (
            "PUT",
            "/upstreams",
            {"id": -100, **UPSTREAM},
            'invalid configuration: property "id" validation failed: object matches none of the required',
        ),
        ("PUT", "/routes/1", {**ROUTE, "create_time": 1}, "the property is forbidden: create_time"),
        ("PUT", "/routes/1", None, "missing configurations"),
        ("PUT", "/routes/1", [], "invalid configuration: expected an object"),
    ],
)
def test_ids_and_times_are_checked_in_the_words_of_apisix(
    admin: AdminUnderTest, method: str, path: str, body: Any, message: str
) -> None:
    answer = admin.call(method, path, body)
    assert (answer.status_code, answer.json()["error_msg"]) == (400, message)


def test_post_makes_an_id(admin: AdminUnderTest) -> None:
    made = admin.call("POST", "/routes", ROUTE)
    assert made.status_code == 201
    assert admin.get(made.json()["key"].removeprefix("/apisix")) == made.json()


@pytest.mark.parametrize(("method", "path"), [("POST", "/consumers"), ("PUT", "/plugins/list")])
def test_methods_that_a_path_has_not_are_told(admin: AdminUnderTest, method: str, path: str) -> None:
    answer = admin.call(method, path, ROUTE)
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert method not in answer.headers["allow"]


def test_patch_merges_and_null_takes_away(admin: AdminUnderTest) -> None:
    admin.put("/routes/1", {**ROUTE, "labels": {"a": "1", "b": "2"}, "desc": "old"})
    answer = admin.call("PATCH", "/routes/1", {"labels": {"b": "3"}, "desc": None})
    assert answer.status_code == 200
    assert answer.json()["value"]["labels"] == {"a": "1", "b": "3"}
    assert "desc" not in answer.json()["value"]


def test_patch_replaces_what_stands_at_a_path(admin: AdminUnderTest) -> None:
    admin.put("/routes/1", {**ROUTE, "plugins": {"key-auth": {}}})
    answer = admin.call("PATCH", "/routes/1/plugins", {"request-id": {}})
    assert answer.json()["value"]["plugins"] == {"request-id": {}}
    assert admin.call("PATCH", "/routes/1/desc", "a text").json()["value"]["desc"] == "a text"
    assert "desc" not in admin.call("PATCH", "/routes/1/desc", raw=b"null").json()["value"]
    assert (
        admin.call("PATCH", "/routes/1/upstream/type", "ewma").json()["value"]["upstream"]["type"] == "ewma"
    )
    assert admin.call("PATCH", "/routes/1/uri/deeper", "x").status_code == 400
    assert admin.call("PATCH", "/routes/1/update_time", 5).status_code == 400


def test_delete_takes_a_resource_away(admin: AdminUnderTest) -> None:
    admin.put("/routes/1", ROUTE)
    answer = admin.call("DELETE", "/routes/1")
    assert (answer.status_code, answer.json()) == (200, {"deleted": "1", "key": "/apisix/routes/1"})
    for method in ("GET", "DELETE"):
        gone = admin.call(method, "/routes/1")
        assert (gone.status_code, gone.json()["message"]) == (404, "Key not found")
    assert admin.call("PATCH", "/routes/1", {}).status_code == 404


def test_lists_have_pages_and_filters(admin: AdminUnderTest) -> None:
    for number in range(12):
        labels = {"even": "yes"} if number % 2 == 0 else {}
        admin.put(
            f"/routes/{number}",
            {**ROUTE, "uri": f"/path/{number}", "name": f"name {number}", "labels": labels},
        )
    whole = admin.get("/routes")
    assert whole["total"] == 12
    assert [entry["value"]["id"] for entry in whole["list"]] == [str(number) for number in range(12)]
    page = admin.get("/routes?page=2&page_size=10")
    assert page["total"] == 12
    assert [entry["value"]["id"] for entry in page["list"]] == ["10", "11"]
    assert admin.get("/routes?label=even")["total"] == 6
    assert admin.get("/routes?uri=path/1")["total"] == 3
    assert [entry["key"] for entry in admin.get("/routes?name=name%207")["list"]] == ["/apisix/routes/7"]
    assert admin.get("/services") == {"total": 0, "list": []}


@pytest.mark.parametrize(
    "query",
    [
        "page_size=9",
        "page_size=501",
        "page_size=x",
        "page=0&page_size=10",
        "ttl=1&page=-1&page_size=10",
        "page_size=10&page_size=10",
    ],
)
def test_bad_pages_are_refused(admin: AdminUnderTest, query: str) -> None:
    assert admin.call("GET", f"/routes?{query}").status_code == 400


def test_a_reference_must_lead_somewhere(admin: AdminUnderTest) -> None:
    for field, message in (
        ("upstream_id", "failed to fetch upstream info by upstream id [9], response code: 404"),
        ("service_id", "failed to fetch service info by service id [9], response code: 404"),
        (
            "plugin_config_id",
            "failed to fetch plugin config info by plugin config id [9], response code: 404",
        ),
    ):
        answer = admin.call("PUT", "/routes/1", {"uri": "/x", field: "9"})
        assert (answer.status_code, answer.json()) == (400, {"error_msg": message})
    assert admin.call("GET", "/routes/1").status_code == 404


def test_all_that_is_wrong_is_told_at_once(admin: AdminUnderTest) -> None:
    admin.put("/global_rules/1", {"plugins": {"request-id": {}}})
    wrong: dict[str, dict[str, Any]] = {
        "/routes/1": {
            "uri": 5,
            "upstream_id": "9",
            "upstream": {"nodes": {"127.0.0.1:1": 1}, "tls": {"client_cert_id": "8"}},
            "plugins": {"limit-count": {"count": 0}, "nonsense": {}},
            "create_time": 1,
        },
        "/global_rules/2": {"plugins": {"request-id": {"header_name": 5}}},
        "/consumers/jack/credentials/1": {"plugins": {"key-auth": {"key": "***"}}, "surprise": 1},
        "/consumers/jill": {"plugins": {"key-auth": {"key": "$secret://vault/v/jill/key"}}, "group_id": "7"},
    }
    told = {
        path: {problem["pointer"] for problem in admin.call("PUT", path, body).json()["problems"]}
        for path, body in wrong.items()
    }
    assert told == {
        "/routes/1": {
            "/create_time",
            "/upstream_id",
            "/upstream/tls/client_cert_id",
            "/uri",
            "/plugins/limit-count/count",
            "/plugins/limit-count",
            "/plugins/nonsense",
        },
        "/global_rules/2": {"/plugins/request-id", "/plugins/request-id/header_name"},
        "/consumers/jack/credentials/1": {"", "/plugins/key-auth/key"},
        "/consumers/jill": {"/plugins/key-auth/key", "/group_id"},
    }
    checked = admin.call("POST", "/schema/validate/routes", {**wrong["/routes/1"], "id": "1"})
    assert {problem["pointer"] for problem in checked.json()["problems"]} == told["/routes/1"] - {
        "/create_time"
    }


def test_what_is_in_use_is_deleted_by_force_only(admin: AdminUnderTest) -> None:
    admin.put("/upstreams/1", UPSTREAM)
    admin.put("/routes/1", {"uri": "/x", "upstream_id": 1})
    for query in ("", "?force=false", "?force=anything"):
        answer = admin.call("DELETE", f"/upstreams/1{query}")
        message = "can not delete this upstream, route [1] is still using it now"
        assert (answer.status_code, answer.json()) == (400, {"error_msg": message})
    assert admin.call("DELETE", "/upstreams/1?force=true").status_code == 200
    assert admin.get("/routes/1")["value"]["upstream_id"] == 1


def test_credentials_stand_below_their_consumer_and_go_with_it(admin: AdminUnderTest) -> None:
    credential = {"plugins": {"key-auth": {"key": "the-key-of-jack-123456"}}}
    missing = admin.call("PUT", "/consumers/jack/credentials/one", credential)
    assert (
        missing.json()["error_msg"]
        == "failed to fetch consumer info by consumer name [jack], response code: 404"
    )
    admin.put("/consumers/jack", {"username": "jack"})
    made = admin.call("PUT", "/consumers/jack/credentials/one", credential)
    assert made.status_code == 201
    assert made.json()["key"] == "/apisix/consumers/jack/credentials/one"
    assert made.json()["value"]["id"] == "one"
    assert admin.get("/consumers/jack/credentials")["total"] == 1
    assert admin.get("/consumers")["total"] == 1
    assert admin.call("GET", "/consumers/jill/credentials").status_code == 404
    assert admin.call("DELETE", "/consumers/jack").status_code == 200
    assert admin.call("GET", "/consumers/jack/credentials/one").status_code == 404


def test_secrets_are_shown_as_stars_and_stars_keep_them(admin: AdminUnderTest) -> None:
    key = "the-key-of-jack-123456"
    admin.put("/consumers/jack", {"username": "jack", "plugins": {"key-auth": {"key": key}}})
    shown = admin.get("/consumers/jack")["value"]
    assert shown["plugins"]["key-auth"] == {"key": "***"}
    before = admin.store.get("consumers", "jack")
    admin.call("PATCH", "/consumers/jack", {"desc": "changed"})
    written = {name: value for name, value in shown.items() if not name.endswith("_time")}
    admin.put("/consumers/jack", {**written, "desc": "again"})
    after = admin.store.get("consumers", "jack")
    assert before is not None
    assert after is not None
    assert after.value["plugins"] == before.value["plugins"]
    assert key not in str(after.value)
    refused = admin.call("PUT", "/consumers/jill", {"plugins": {"key-auth": {"key": "***"}}})
    assert refused.status_code == 400
    assert "/plugins/key-auth/key" in refused.json()["error_msg"]


def test_of_two_writers_one_is_refused(admin: AdminUnderTest) -> None:
    first = admin.put("/routes/1", ROUTE)
    index = first["modifiedIndex"]
    assert admin.call("GET", "/routes/1").headers["etag"] == f'"{index}"'
    won = admin.call("PUT", "/routes/1", {**ROUTE, "desc": "a"}, if_match=f'"{index}"')
    lost = admin.call("PUT", "/routes/1", {**ROUTE, "desc": "b"}, if_match=str(index))
    assert (won.status_code, lost.status_code) == (200, 409)
    assert admin.get("/routes/1")["value"]["desc"] == "a"
    assert admin.call("DELETE", "/routes/1", if_match=str(index)).status_code == 409
    assert admin.call("PATCH", "/routes/1", {}, if_match="*").status_code == 200
    assert admin.call("PUT", "/routes/1", ROUTE, if_none_match="*").status_code == 409
    assert admin.call("PUT", "/routes/2", ROUTE, if_none_match="*").status_code == 201
    assert admin.call("PUT", "/routes/3", ROUTE, if_match="*").status_code == 409


def test_a_wrong_configuration_is_refused_with_every_reason_and_nothing_changes(
    admin: AdminUnderTest,
) -> None:
    admin.put("/routes/1", ROUTE)
    revision = admin.store.revision()
    wrong = {
        "uri": "no-slash",
        "upstream": UPSTREAM,
        "plugins": {"limit-count": {"count": "two"}, "keyauth": {}},
    }
    answer = admin.call("PUT", "/routes/1", wrong)
    assert answer.status_code == 400
    problems = {problem["pointer"]: problem["code"] for problem in answer.json()["problems"]}
    assert problems["/uri"] == "wrong-value"
    assert problems["/plugins/keyauth"] == "unknown-plugin"
    assert problems["/plugins/limit-count/count"] == "plugin-configuration"
    assert all(pointer in answer.json()["error_msg"] for pointer in problems)
    assert admin.store.revision() == revision


def test_a_plugin_stands_in_one_global_rule_only(admin: AdminUnderTest) -> None:
    admin.put("/global_rules/1", {"plugins": {"request-id": {}}})
    answer = admin.call("PUT", "/global_rules/2", {"plugins": {"request-id": {}}})
    message = "plugin 'request-id' already exists in global rule with id '1'"
    assert (answer.status_code, answer.json()["error_msg"]) == (400, message)
    admin.put("/global_rules/1", {"plugins": {"request-id": {"include_in_response": False}}})


def test_a_resource_with_a_time_to_live_expires(admin: AdminUnderTest) -> None:
    assert admin.call("PUT", "/routes/1?ttl=x", ROUTE).json()["error_msg"] == (
        "invalid argument ttl: should be a number"
    )
    revision = admin.put("/routes/1?ttl=0.05", ROUTE)["modifiedIndex"]
    assert admin.store.wait_beyond(revision, 20) > revision
    assert admin.call("GET", "/routes/1").status_code == 404
    admin.put("/routes/2?ttl=60", ROUTE)
    admin.put("/routes/2", ROUTE)
    assert list(admin.store.scan("_expiries")) == []


def test_every_kind_is_listed_and_unknown_paths_are_told(admin: AdminUnderTest) -> None:
    for kind in ("routes", "ssls", "secrets", "plugin_metadata", "apis", "apps", "consumer_groups"):
        assert admin.get(f"/{kind}")["total"] == 0
    for path in ("/nonsense", "/stream_routes/1", "/routes/1/2"):
        assert admin.call("GET", path).status_code in (404, 405)
    assert "routes" in admin.call("GET", "/nonsense").json()["error_msg"]
