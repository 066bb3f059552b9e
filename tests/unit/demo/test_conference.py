"""The Conference API answers as its document says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
import yaml
from demo_conformance import Contract
from openapi_spec_validator import validate

from toolway.demo import conference
from toolway.demo.serving import served

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTRACT = Contract("conference.yaml")


@pytest.fixture(scope="module")
def conference_client() -> Iterator[httpx.Client]:
    with (
        served(conference.application(), "conference") as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


def test_the_document_is_valid_openapi() -> None:
    validate(CONTRACT.document)


@pytest.mark.parametrize(
    "target",
    [
        "/speakers",
        "/speakers?name=Abara",
        "/speakers?page=6",
        "/speakers?page=7",
        "/speakers?page=two",
        "/speakers?name=nobody+at+all",
        "/speaker/1",
        "/speaker/121",
        "/speaker/one",
        "/speaker/0",
        "/speaker/1/sessions",
        "/speaker/121/sessions",
        "/speaker/1/topics",
        "/speaker/x/topics",
        "/sessions",
        "/sessions?title=rate+limits",
        "/sessions?topic=api+GATEWAYS&page=1",
        "/sessions?topic=Cooking",
        "/session/240",
        "/session/241",
        "/session/7/topics",
        "/session/-7/topics",
        "/topics",
        "/topic/24/sessions",
        "/topic/25/sessions",
        "/topic/1/sessions?page=0",
    ],
)
def test_every_answer_keeps_to_the_document(conference_client: httpx.Client, target: str) -> None:
    CONTRACT.check(conference_client.get(target))


def test_every_operation_of_the_document_answers(conference_client: httpx.Client) -> None:
    for path, item in CONTRACT.document["paths"].items():
        assert list(item) == ["get"]
        assert conference_client.get(path.replace("{id}", "1")).status_code == 200


def test_speakers_are_found_by_any_part_of_the_name_in_any_case(conference_client: httpx.Client) -> None:
    found = conference_client.get("/speakers", params={"name": "RA AB"}).json()
    assert [speaker["name"] for speaker in found["speakers"]] == ["Amara Abara"]
    assert (found["total"], found["page"], found["pages"]) == (1, 1, 1)


def test_pages_hold_every_speaker_once(conference_client: httpx.Client) -> None:
    numbers: list[int] = []
    pages = conference_client.get("/speakers").json()["pages"]
    for page in range(1, pages + 1):
        answer = conference_client.get("/speakers", params={"page": page}).json()
        numbers += [speaker["id"] for speaker in answer["speakers"]]
    assert numbers == list(range(1, 121))


def test_the_topics_of_a_speaker_are_those_of_the_sessions(conference_client: httpx.Client) -> None:
    sessions = conference_client.get("/speaker/1/sessions").json()["sessions"]
    topics = conference_client.get("/speaker/1/topics").json()["topics"]
    assert sessions
    assert {topic["name"] for topic in topics} == {name for session in sessions for name in session["topics"]}
    assert all({"id": 1, "name": "Amara Abara"} in session["speakers"] for session in sessions)


def test_a_search_by_title_and_topic_needs_both(conference_client: httpx.Client) -> None:
    both = conference_client.get("/sessions", params={"title": "api keys", "topic": "API gateways"}).json()
    neither = conference_client.get("/sessions", params={"title": "api keys", "topic": "Rust"}).json()
    assert both["total"] >= 1
    assert neither["total"] == 0


def test_an_unknown_speaker_is_told_with_the_way_to_find_one(conference_client: httpx.Client) -> None:
    response = conference_client.get("/speaker/999")
    assert response.status_code == 404
    assert response.json()["error"]["message"] == (
        "There is no speaker 999. Ids go from 1 to 120; find one with GET /speakers?name=."
    )


@pytest.mark.parametrize("written", ["+1", "1_0", "\u0661", "1.0", "9999999999"])
def test_only_plain_digits_are_an_id(conference_client: httpx.Client, written: str) -> None:
    response = conference_client.get(f"/speaker/{written}")
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid_id"


def test_an_unknown_path_and_a_wrong_method_are_told_in_json(conference_client: httpx.Client) -> None:
    missing = conference_client.get("/speeches")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    refused = conference_client.delete("/speaker/1")
    assert (refused.status_code, refused.json()["error"]["code"]) == (405, "method_not_allowed")
    assert "GET" in refused.headers["allow"]


def test_the_document_is_served_by_the_api(conference_client: httpx.Client) -> None:
    assert yaml.safe_load(conference_client.get("/openapi.yaml").text) == CONTRACT.document
