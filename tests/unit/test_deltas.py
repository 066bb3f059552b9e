"""The engine's deltas as Python sees them: prepared, committed, refused, stale."""

from __future__ import annotations

import json
from typing import Any

import pytest

_engine = pytest.importorskip("toolway._engine")

SNAPSHOT = {
    "version": 1,
    "gateway": {"listen": [], "workers": 1},
    "routes": [{"id": "old", "uris": ["/old"], "target": {"static": {"status": 200}}}],
    "apps": [
        {
            "id": "shop",
            "name": "shop",
            "title": "Shop",
            "version": "1",
            "max_result_characters": 1000,
            "tools": [
                {
                    "name": "list",
                    "route": "old",
                    "definition": {"name": "list", "inputSchema": {"type": "object"}},
                    "request": {"method": "GET", "host": "a.test", "path": "/old", "accept": "*/*"},
                }
            ],
        }
    ],
}


@pytest.fixture
def engine() -> Any:
    return _engine.Engine(json.dumps(SNAPSHOT))


def route(body: str, **fields: Any) -> dict[str, Any]:
    return {"id": "old", "uris": ["/old"], "target": {"static": {"status": 200, "body": body}}, **fields}


def delta(**changes: Any) -> str:
    return json.dumps({"version": 1, **changes})


def answer(engine: Any) -> str:
    text: str = json.loads(engine.call("shop", "list", "{}", []))["content"][0]["text"]
    return text


def test_what_is_prepared_is_in_force_when_it_is_committed(engine: Any) -> None:
    prepared = engine.prepare(delta(put={"routes": [route("new")]}))
    assert "new" not in answer(engine)
    engine.commit(prepared)
    assert "new" in answer(engine)


def test_a_refusal_tells_every_problem_with_its_place(engine: Any) -> None:
    wrong = [route("x", uris=["a"]), route("x", id="b", plugins={"cors": {"max_age": "x"}})]
    with pytest.raises(_engine.EngineError) as raised:
        engine.prepare(delta(put={"routes": wrong}, remove={"apps": ["shop"], "routes": ["gone"]}))
    assert [pointer for pointer, _ in raised.value.problems] == [
        "/put/routes/0/uris",
        "/put/routes/1/plugins/cors/max_age",
    ]
    with pytest.raises(_engine.EngineError) as raised:
        engine.prepare(delta(remove={"routes": ["old"]}))
    assert raised.value.problems == [("/remove/routes/0", '"old" is needed by the app "shop"')]


def test_of_two_that_were_prepared_on_the_same_one_the_second_is_stale(engine: Any) -> None:
    first, second = (engine.prepare(delta(put={"routes": [route(body)]})) for body in ("first", "second"))
    engine.commit(first)
    for prepared in (second, first):
        with pytest.raises(_engine.StaleError, match="prepare it again"):
            engine.commit(prepared)
    assert "first" in answer(engine)


def test_what_another_engine_prepared_is_stale(engine: Any) -> None:
    other = _engine.Engine(json.dumps(SNAPSHOT))
    with pytest.raises(_engine.StaleError):
        engine.commit(other.prepare(delta()))


def test_text_that_is_no_delta_is_refused(engine: Any) -> None:
    for text in ("", "[]", "{}", delta(puts={}), delta(version=2)):
        with pytest.raises(_engine.EngineError):
            engine.prepare(text)
