"""The live gateway with the real engine, on real stores."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from e2e.upstream import Answer, Upstream, upstream
from toolway.live import Conflict, LiveGateway
from toolway.problem import ConfigurationError
from toolway.store import Change, Retention, Sealer, Store, StoreUnavailable

from .fakes import PLACES, SPEC, delete, gateway, opened, put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from databases.postgresql import Server

KEY = "a-key-that-nobody-stores-4711"


@contextmanager
def running(store: Store, folder: Path, **options: Any) -> Iterator[tuple[LiveGateway, httpx.Client]]:
    """A live gateway and a client of it."""
    live = gateway(store, folder, **options)
    live.start()
    try:
        origin = f"http://{live.listen_addresses[0]}"
        with httpx.Client(base_url=origin, trust_env=False, timeout=10) as http:
            yield live, http
    finally:
        live.stop(2)


@pytest.fixture(scope="module")
def site() -> Iterator[Upstream]:
    with upstream() as made:
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path) as store:
        yield store


@pytest.fixture
def live(store: Store, tmp_path: Path) -> Iterator[LiveGateway]:
    with running(store, tmp_path) as (live, _):
        yield live


@pytest.fixture
def http(live: LiveGateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{live.listen_addresses[0]}", trust_env=False) as client:
        yield client


def route(site: Upstream, uri: str = "/a", **fields: Any) -> dict[str, Any]:
    return {"uri": uri, "upstream": {"nodes": {site.node: 1}}, **fields}


def problems_of(work: Callable[[], object]) -> list[tuple[str, str]]:
    with pytest.raises(ConfigurationError) as caught:
        work()
    return [(problem.pointer, problem.code) for problem in caught.value.problems]


def write(live: LiveGateway, *changes: Change, **options: Any) -> int:
    return live.write(changes, actor="test", **options)


def test_an_anonymous_consumer_may_come_and_go(
    site: Upstream, live: LiveGateway, http: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    plugins = {"key-auth": {"anonymous_consumer": "guest"}}
    write(live, put("routes", "1", **route(site, plugins=plugins)))
    assert "/routes/1/plugins/key-auth/anonymous_consumer: no consumer has the username" in caplog.text
    assert http.get("/a").status_code == 401
    write(live, put("consumers", "guest"))
    assert http.get("/a").status_code == 200
    write(live, delete("consumers", "guest"))
    assert http.get("/a").status_code == 401


def test_a_gateway_that_comes_too_late_for_the_history_loads_everything(
    site: Upstream, tmp_path: Path
) -> None:
    with (
        opened(tmp_path, retention=Retention(revisions=1)) as store,
        running(store, tmp_path) as (live, http),
    ):
        write(live, put("routes", "gone", **route(site, "/gone")))
        others = [
            put("routes", "1", **route(site)),
            put("routes", "2", **route(site, "/b")),
            delete("routes", "gone"),
        ]
        for change in others:
            store.write([change], base=store.revision(), actor="another")
        live.check([])
        assert [http.get(path).status_code for path in ("/a", "/b", "/gone")] == [200, 200, 404]


def test_metadata_of_a_plugin_holds_wherever_it_runs_until_it_goes(
    site: Upstream, live: LiveGateway, http: httpx.Client
) -> None:
    limit = {"limit-count": {"count": 5, "time_window": 60}}
    write(
        live,
        put("services", "s", plugins=limit, upstream={"nodes": {site.node: 1}}),
        put("routes", "1", uri="/a", service_id="s"),
        put("routes", "2", **route(site, "/b", plugins=limit)),
        put("routes", "3", **route(site, "/c")),
        put("consumers", "guest", username="guest", plugins=limit),
        put("routes", "4", **route(site, "/d", plugins={"key-auth": {"anonymous_consumer": "guest"}})),
    )

    def told() -> list[tuple[bool, bool]]:
        answers = [http.get(path).headers for path in ("/a", "/b", "/c", "/d")]
        return [("x-ratelimit-limit" in headers, "quota" in headers) for headers in answers]

    usual = [(True, False), (True, False), (False, False), (True, False)]
    assert told() == usual
    write(live, put("plugin_metadata", "limit-count", limit_header="Quota"))
    assert told() == [(False, True), (False, True), (False, False), (False, True)]
    write(live, put("routes", "2", **route(site, "/b", plugins=limit, desc="anew")))
    assert told()[1] == (False, True)
    assert live.reload()
    assert told()[0] == (False, True)
    write(live, delete("plugin_metadata", "limit-count"))
    assert told() == usual
    assert problems_of(
        lambda: write(live, put("plugin_metadata", "limit-count", limit_header="no header"))
    ) == [("/plugin_metadata/limit-count/limit_header", "wrong-value")]


def until(http: httpx.Client, path: str, status: int) -> None:
    """Asks until the answer is so."""
    for _ in range(20_000):
        if http.get(path).status_code == status:
            return
    raise AssertionError(f"{path} never answered {status}")


def test_what_is_written_is_served_at_once_and_after_a_restart(tmp_path: Path, site: Upstream) -> None:
    with opened(tmp_path) as store, running(store, tmp_path) as (live, http):
        assert http.get("/a").status_code == 404
        assert (
            write(live, put("routes", "1", **route(site)), put("upstreams", "u", nodes={site.node: 1})) == 1
        )
        assert http.get("/a").status_code == 200
        write(
            live, put("routes", "1", **route(site, status=0)), put("routes", "2", uri="/b", upstream_id="u")
        )
        assert (http.get("/a").status_code, http.get("/b").status_code) == (404, 200)
    with opened(tmp_path) as store, running(store, tmp_path) as (live, http):
        assert live.revision == 2
        assert (http.get("/a").status_code, http.get("/b").status_code) == (404, 200)


def test_what_cannot_be_had_changes_nothing_and_is_told_with_every_reason(
    live: LiveGateway, store: Store, site: Upstream
) -> None:
    wrong = [
        put("routes", "1", **route(site, plugins={"limit-count": {"count": "many"}}), unknown=1),
        put("routes", "2", uri="/b", upstream_id="none"),
        put("credentials", "jack/one", plugins={"key-auth": {"key": 7}}),
        put("consumers", "jack"),
        put("upstreams", "good", nodes={site.node: 1}),
        put("apis", "files", spec="/etc/passwd", upstream_id="good"),
    ]
    expected = {
        ("/routes/1/plugins/limit-count/count", "plugin-configuration"),
        ("/routes/1/plugins/limit-count", "plugin-configuration"),
        ("/routes/1/unknown", "unknown-field"),
        ("/routes/2/upstream_id", "unknown-reference"),
        ("/credentials/jack~1one/plugins/key-auth/key", "wrong-type"),
    }
    assert set(problems_of(lambda: write(live, *wrong))) == expected
    assert set(problems_of(lambda: live.check(wrong))) == expected
    assert (store.revision(), store.get("upstreams", "good")) == (0, None)


def test_a_path_of_this_machine_is_no_document_of_a_store(live: LiveGateway) -> None:
    change = put("apis", "files", spec="/etc/passwd", upstream={"nodes": {"127.0.0.1:80": 1}})
    assert problems_of(lambda: write(live, change)) == [("/apis/files/spec", "spec-unreadable")]


def test_what_the_engine_refuses_is_told_at_its_resource(live: LiveGateway, store: Store) -> None:
    write(live, put("consumers", "jack", plugins={"key-auth": {"key": KEY}}))
    twice = put("consumers", "jill", plugins={"key-auth": {"key": KEY}})
    ((pointer, code),) = problems_of(lambda: write(live, twice))
    assert pointer.startswith("/consumers/jill")
    assert code == "engine-refused"
    assert store.get("consumers", "jill") is None


def test_checking_changes_nothing(
    live: LiveGateway, store: Store, http: httpx.Client, site: Upstream
) -> None:
    live.check([put("routes", "1", **route(site))])
    assert (store.revision(), http.get("/a").status_code) == (0, 404)


def test_a_writer_who_saw_another_state_gets_a_conflict(live: LiveGateway, site: Upstream) -> None:
    key = ("routes", "1")
    first = write(live, put(*key, **route(site)), expect={key: 0})
    with pytest.raises(Conflict, match="routes/1"):
        write(live, put(*key, **route(site, "/b")), expect={key: 0})
    second = write(live, put(*key, **route(site, "/b")), expect={key: first})
    with pytest.raises(Conflict):
        write(live, delete(*key), expect={key: first})
    write(live, delete(*key), expect={key: second})


def test_a_write_that_another_came_before_is_made_on_top_of_it(
    live: LiveGateway, store: Store, http: httpx.Client, site: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = store.write
    others = [put("routes", "other", **route(site, "/other"))]

    def late(changes: Sequence[Change], *, base: int, actor: str, note: str = "") -> int:
        if others:
            stored([others.pop()], base=base, actor="another gateway")
        return stored(changes, base=base, actor=actor, note=note)

    monkeypatch.setattr(store, "write", late)
    assert write(live, put("routes", "1", **route(site))) == 2
    assert (http.get("/a").status_code, http.get("/other").status_code) == (200, 200)


def test_keys_are_never_stored_and_let_their_consumer_in(
    live: LiveGateway, store: Store, http: httpx.Client, site: Upstream, tmp_path: Path
) -> None:
    write(
        live,
        put("routes", "1", **route(site, plugins={"key-auth": {}})),
        put("consumers", "jack"),
        put("credentials", "jack/one", plugins={"key-auth": {"key": KEY}}),
    )
    assert http.get("/a").status_code == 401
    assert http.get("/a", headers={"apikey": KEY}).status_code == 200
    assert not [file for file in tmp_path.glob("store.db*") if KEY.encode() in file.read_bytes()]
    write(live, delete("credentials", "jack/one"))
    assert http.get("/a", headers={"apikey": KEY}).status_code == 401


def test_what_is_deleted_by_force_closes_the_routes_that_refer_to_it(
    live: LiveGateway, http: httpx.Client, site: Upstream
) -> None:
    shared = put("plugin_configs", "p", plugins={"key-auth": {}})
    write(live, shared, put("routes", "1", **route(site, plugin_config_id="p")))
    gone = [delete("plugin_configs", "p")]
    assert problems_of(lambda: write(live, *gone)) == [("/routes/1/plugin_config_id", "unknown-reference")]
    write(live, *gone, force=True)
    assert http.get("/a").status_code == 503
    write(live, put("routes", "2", **route(site, "/b")))
    assert (http.get("/a").status_code, http.get("/b").status_code) == (503, 200)
    write(live, shared)
    assert http.get("/a").status_code == 401


def test_a_route_that_cannot_be_had_at_the_start_is_closed_and_the_others_serve(
    tmp_path: Path, site: Upstream
) -> None:
    header = {"proxy-rewrite": {"headers": {"set": {"x-token": "$env://TOKEN"}}}}
    with opened(tmp_path) as store:
        with running(store, tmp_path, environment={"TOKEN": "sesame"}) as (live, http):
            write(
                live,
                put("routes", "1", **route(site, plugins=header)),
                put("routes", "2", **route(site, "/b")),
            )
            assert http.get("/a").status_code == 200
        with running(store, tmp_path, environment={}) as (live, http):
            assert (http.get("/a").status_code, http.get("/b").status_code) == (503, 200)
        rule = put("global_rules", "1", plugins=header)
        with running(store, tmp_path, environment={"TOKEN": "sesame"}) as (live, http):
            write(live, rule)
        with pytest.raises(ConfigurationError, match="TOKEN is not set"):
            gateway(store, tmp_path, environment={}).start()


@pytest.mark.parametrize(
    "reference", ["$env://TOOLWAY_MASTER_KEY", "$file://../master.key", "$file:///etc/hosts"]
)
def test_resources_cannot_read_what_is_the_gateways_own(
    store: Store, tmp_path: Path, site: Upstream, reference: str
) -> None:
    plugins = {"proxy-rewrite": {"headers": {"set": {"x-token": reference}}}}
    with running(store, tmp_path, environment={"TOOLWAY_MASTER_KEY": "sesame"}) as (live, _):
        change = put("routes", "1", **route(site, plugins=plugins))
        pointer = "/routes/1/plugins/proxy-rewrite/headers/set/x-token"
        assert problems_of(lambda: write(live, change)) == [(pointer, "secret-missing")]


def test_a_document_behind_a_url_is_kept_so_that_a_start_needs_no_network(
    tmp_path: Path, site: Upstream
) -> None:
    with upstream() as documents, opened(tmp_path) as store:
        documents.answer = lambda _received: Answer(body=json.dumps(SPEC).encode())
        spec = f"http://{documents.node}/openapi.json"
        api = put("apis", "things", spec=spec, upstream={"nodes": {site.node: 1}})
        app = put("apps", "main", operations=["things:*"], contact_email="a@b.test")
        with running(store, tmp_path) as (live, http):
            write(live, api, app)
            assert http.get("/things").status_code == 200
            view = live.view("main")
            assert view is not None
            assert [selected.operation.id for selected in view.operations] == ["listThings", "addThing"]
    with opened(tmp_path) as store, running(store, tmp_path) as (live, http):
        assert http.get("/things").status_code == 200
        assert http.get("/openapi.json").json()["paths"]["/things"]
        # Written again while the URL is away, the document that was kept goes on.
        write(live, put("apis", "things", **{**(api.value or {}), "prefix": "/v1"}))
        assert (http.get("/things").status_code, http.get("/v1/things").status_code) == (404, 200)
        elsewhere = put("apis", "things", **{**(api.value or {}), "spec": f"{spec}?other"})
        assert problems_of(lambda: write(live, elsewhere)) == [("/apis/things/spec", "spec-unreadable")]
        write(live, delete("apps", "main"), delete("apis", "things"))
        assert http.get("/v1/things").status_code == 404
        assert store.get("documents", "things") is None


def on(server: Server, url: str, folder: Path) -> Store:
    return Store.open(url, sealer=Sealer.load(folder, {}, PLACES))


def test_a_write_on_one_gateway_is_live_on_the_other(
    postgresql: Server, tmp_path: Path, site: Upstream
) -> None:
    url = postgresql.new_database()
    with (
        closing(on(postgresql, url, tmp_path)) as one,
        closing(on(postgresql, url, tmp_path)) as other,
        running(one, tmp_path) as (first, first_http),
        running(other, tmp_path) as (second, second_http),
    ):
        write(first, put("routes", "1", **route(site)))
        until(second_http, "/a", 200)
        write(second, delete("routes", "1"), put("routes", "2", **route(site, "/b")))
        until(first_http, "/b", 200)
        assert first_http.get("/a").status_code == 404


def test_a_gateway_serves_on_without_its_database_and_catches_up(
    postgresql: Server, tmp_path: Path, site: Upstream
) -> None:
    url = postgresql.new_database()
    with (
        closing(on(postgresql, url, tmp_path)) as store,
        running(store, tmp_path) as (live, http),
    ):
        write(live, put("routes", "1", **route(site)))
        postgresql.stop()
        try:
            assert http.get("/a").status_code == 200
            with pytest.raises(StoreUnavailable):
                write(live, delete("routes", "1"))
            assert http.get("/a").status_code == 200
        finally:
            postgresql.start()
        with closing(on(postgresql, url, tmp_path)) as other:
            other.write([put("routes", "2", **route(site, "/b"))], base=other.revision(), actor="another")
            until(http, "/b", 200)
        write(live, delete("routes", "1"))
        assert http.get("/a").status_code == 404
