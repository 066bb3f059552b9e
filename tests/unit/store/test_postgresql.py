"""What only a server brings: several gateways, connections that break, TLS and passwords."""

from __future__ import annotations

import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest
import trustme

from toolway.store import Change, StaleBase, Store, StoreUnavailable, following

from .stores import put, sealer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from databases.postgresql import Server


@pytest.fixture
def url(postgresql: Server) -> str:
    return postgresql.new_database()


@pytest.fixture
def pair(url: str) -> Iterator[tuple[Store, Store]]:
    """Two gateways' stores on one database."""
    with Store.open(url, sealer=sealer()) as one, Store.open(url, sealer=sealer()) as other:
        yield one, other


def until(store: Store, revision: int) -> int:
    """Waits for the store to hear of `revision`."""
    known = 0
    while known < revision:
        known = store.wait_beyond(known, timeout=10)
    return known


def written(store: Store, identifier: str) -> int:
    """Writes, trying again for as long as the database is away."""
    patience = threading.Event()
    for _ in range(600):
        try:
            return put(store, "routes", identifier, {})
        except StoreUnavailable:
            patience.wait(0.05)
    raise AssertionError("the database did not come back")


def test_a_write_on_one_gateway_is_heard_of_by_the_other_at_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without polling only the notification is left.
    monkeypatch.setattr(following, "_POLL_SECONDS", 3600)
    with Store.open(url, sealer=sealer()) as one, Store.open(url, sealer=sealer()) as other:
        put(one, "routes", "1", {})
        until(other, 1)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(other.wait_beyond, 1, 60)
            put(one, "routes", "2", {"n": 2})
            assert waiting.result() == 2
        assert [change.value for change in other.changes_since(1)] == [{"n": 2}]
        monkeypatch.setattr(following, "_POLL_SECONDS", 0.01)
        put(one, "routes", "3", {})


def test_a_write_whose_notification_is_lost_is_heard_of_by_polling(
    postgresql: Server, url: str, pair: tuple[Store, Store]
) -> None:
    _, other = pair
    assert other.wait_beyond(0, timeout=0) == 0
    postgresql.execute("INSERT INTO toolway_revisions VALUES (1, 0, 'unheard', '', 0)", url)
    assert until(other, 1) == 1


def test_of_two_gateways_that_write_for_one_revision_one_is_refused(pair: tuple[Store, Store]) -> None:
    for base in range(20):
        barrier = threading.Barrier(2)

        def run(store: Store, base: int = base, barrier: threading.Barrier = barrier) -> bool:
            barrier.wait()
            try:
                store.write([Change("routes", "1", {"n": base})], base=base, actor=store.name)
            except StaleBase as error:
                return error.revision != base + 1
            return True

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(run, pair)) == [False, True]


def test_a_database_that_goes_and_comes_back_is_followed_and_nothing_is_missed(
    postgresql: Server, pair: tuple[Store, Store], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "toolway.store")
    one, other = pair
    put(one, "routes", "before", {})
    until(other, 1)
    for mode, identifier in (("fast", "after"), ("immediate", "again")):
        known = one.revision()
        postgresql.stop(mode)
        try:
            with pytest.raises(StoreUnavailable, match="the PostgreSQL database t"):
                other.get("routes", "before")
            with pytest.raises(StoreUnavailable):
                one.write([Change("routes", identifier, {})], base=known, actor="test")
            assert other.wait_beyond(known, timeout=0.1) == known
        finally:
            postgresql.start()
        assert written(one, identifier) == known + 1
        assert until(other, known + 1) == known + 1
        assert [change.id for change in other.changes_since(known)] == [identifier]
    told = [record.getMessage() for record in caplog.records]
    assert any(message.endswith("is not reached; trying again") for message in told)
    assert any("is back after" in message for message in told)


def test_a_connection_cut_by_the_server_costs_no_read(postgresql: Server, url: str) -> None:
    with Store.open(url, sealer=sealer()) as store:
        put(store, "routes", "1", {})
        postgresql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'toolway'"
        )
        assert store.get("routes", "1") is not None
        assert put(store, "routes", "2", {}) == 2


def test_a_database_that_is_made_read_only_is_told_and_read_on(postgresql: Server, url: str) -> None:
    with Store.open(url, sealer=sealer()) as store:
        put(store, "routes", "1", {})
    name = url.rpartition("/")[2]
    postgresql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with Store.open(url, sealer=sealer()) as store:
        assert store.get("routes", "1") is not None
        with pytest.raises(StoreUnavailable, match="read-only transaction"):
            put(store, "routes", "2", {})
    postgresql.execute(
        f"ALTER DATABASE {name} RESET default_transaction_read_only", url.replace(name, "postgres")
    )
    with Store.open(url, sealer=sealer()) as store:
        assert put(store, "routes", "2", {}) == 2


def test_a_writer_that_hangs_in_the_middle_does_not_hang_the_others(
    postgresql: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolway.store.postgresql._SESSION", ("SET lock_timeout = '100ms'",))
    with Store.open(url, sealer=sealer()) as store:
        with psycopg.connect(url) as hanging:
            hanging.execute("INSERT INTO toolway_revisions VALUES (1, 0, 'hanging', '', 0)")
            with pytest.raises(StoreUnavailable, match="lock timeout"):
                put(store, "routes", "1", {})
            assert store.revision() == 0
            hanging.rollback()
        assert put(store, "routes", "1", {}) == 1


def test_a_server_that_accepts_and_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(StoreUnavailable, match="timeout expired"):
            Store.open(f"postgresql://u:hunter2@127.0.0.1:{port}/db?connect_timeout=2", sealer=sealer())


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("correct-horse", "hunter2"),
        lambda url: url.replace("toolway:correct-horse", "nobody:hunter2"),
        lambda url: f"{url}_missing?password=hunter2",
        lambda url: url.replace("127.0.0.1", "hunter2@127.0.0.1"),
        lambda url: f"{url}?sslmode=hunter2",
        lambda url: f"{url}?no_such_parameter=hunter2",
        lambda url: url.replace("127.0.0.1:", "127.0.0.1:hunter2"),
    ],
)
def test_no_error_shows_a_password(url: str, change: object, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(StoreUnavailable) as refused:
        Store.open(change(url), sealer=sealer())  # type: ignore[operator]
    told = f"{refused.value} {refused.value!r} {caplog.text}"
    assert "correct-horse" not in told
    assert "hunter2" not in told.replace('invalid sslmode value: "hunter2"', "").replace("hunter2@127", "")


def test_a_password_may_be_anything(postgresql: Server, url: str) -> None:
    postgresql.execute("CREATE ROLE odd LOGIN SUPERUSER PASSWORD 'p@ss:/w%?#'")
    odd = url.replace("toolway:correct-horse", "odd:p%40ss%3A%2Fw%25%3F%23")
    with Store.open(odd, sealer=sealer()) as store:
        assert put(store, "routes", "1", {}) == 1
        assert until(store, 1) == 1


def test_a_server_that_is_too_old_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolway.store.postgresql._MINIMUM_VERSION", 990000)
    with pytest.raises(StoreUnavailable, match=r"the database is PostgreSQL \d+; Toolway needs 13 or newer"):
        Store.open(url, sealer=sealer())


def test_a_role_that_may_not_make_tables_is_told(postgresql: Server, url: str) -> None:
    postgresql.execute("CREATE ROLE modest LOGIN PASSWORD 'p'")
    postgresql.execute("REVOKE CREATE ON SCHEMA public FROM public", url)
    with pytest.raises(StoreUnavailable, match="permission denied for schema public"):
        Store.open(url.replace("toolway:correct-horse", "modest:p"), sealer=sealer())


def test_tls_is_asked_for_by_the_url_and_checked(postgresql: Server, url: str, tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    for name, ca in (("good.pem", authority), ("bad.pem", stranger)):
        ca.cert_pem.write_to_path(str(tmp_path / name))
    certificate.private_key_pem.write_to_path(str(postgresql.folder / "data" / "server.key"))
    chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
    (postgresql.folder / "data" / "server.crt").write_bytes(chain)
    for name in ("server.key", "server.crt"):
        postgresql.own(postgresql.folder / "data" / name)
    with pytest.raises(StoreUnavailable, match="server does not support SSL"):
        Store.open(f"{url}?sslmode=require", sealer=sealer())
    postgresql.execute("ALTER SYSTEM SET ssl = on")
    postgresql.stop()
    postgresql.start()
    try:
        trusted = f"{url}?sslmode=verify-full&sslrootcert={tmp_path}/good.pem"
        with Store.open(trusted, sealer=sealer()) as one, Store.open(trusted, sealer=sealer()) as other:
            put(one, "routes", "1", {})
            assert until(other, 1) == 1
        with pytest.raises(StoreUnavailable, match="certificate verify failed"):
            Store.open(trusted.replace("good", "bad"), sealer=sealer())
    finally:
        postgresql.execute("ALTER SYSTEM RESET ssl")
        postgresql.stop()
        postgresql.start()
