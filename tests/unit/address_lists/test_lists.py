"""Address lists: what is read, what is refused, and what is used on while a source fails."""

from __future__ import annotations

import gzip
import json
import logging
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from toolway.address_lists import AddressListError, AddressLists
from toolway.address_lists.published import prefixes_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST = [{"ipv4Prefix": "23.102.140.112/28"}, {"ipv6Prefix": "2001:db8::/32"}]
SECOND = [{"ipv4Prefix": "192.0.2.7/32"}]


def published(entries: Any) -> bytes:
    return json.dumps({"creationTime": "2026-11-01T00:00:00", "prefixes": entries}).encode()


class Publisher:
    """A server of one list."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 200
        self.content = published(FIRST)
        self.asked = 0


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with serving() as server:
        yield server


@contextmanager
def serving() -> Iterator[Publisher]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked += 1
            self.send_response(found.status)
            if found.status == 302:
                self.send_header("Location", "http://127.0.0.1:1/other.json")
            self.send_header("Content-Length", str(len(found.content)))
            self.end_headers()
            self.wfile.write(found.content)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Publisher(f"http://127.0.0.1:{server.server_port}/list.json?token=sesame")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_networks_are_read_in_order_and_once() -> None:
    doubled = published([*FIRST, {"ipv4Prefix": "23.102.140.113/28"}])
    assert prefixes_of(doubled) == ("23.102.140.112/28", "2001:db8::/32")
    assert prefixes_of(gzip.compress(published(SECOND))) == ("192.0.2.7/32",)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<html>", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"\x1f\x8bxx", "it is not JSON"),
        (gzip.compress(b" " * 5_000_000), "more than 4,000,000 bytes"),
        (b"[]", 'no list "prefixes"'),
        (b"{}", 'no list "prefixes"'),
        (published([]), "an empty one"),
        (published({"ipv4Prefix": "10.0.0.0/8"}), 'no list "prefixes"'),
        (published(["10.0.0.0/8"]), "not one ipv4Prefix"),
        (published([{"ipv4Prefix": "10.0.0.0/8", "ipv6Prefix": "::1"}]), "not one ipv4Prefix"),
        (published([{"ipv4Prefix": "2001:db8::/32"}]), "not of the version"),
        (published([{"ipv4Prefix": None}]), "does not appear to be an IPv4 or IPv6 network"),
        (published([{"ipv4Prefix": "10.0.0.0/33"}]), "does not appear to be"),
        (published([{"ipv4Prefix": "0.0.0.0/0"}]), "larger than any network"),
        (published([{"ipv6Prefix": "::/0"}]), "larger than any network"),
        (published([*FIRST, {"ipv4Prefix": "x"}]), "does not appear to be"),
        (published([{"ipv4Prefix": "10.0.0.1"}] * 20_001), "more than 20,000 networks"),
    ],
)
def test_a_list_that_is_not_wholly_well_formed_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        prefixes_of(content)


def test_a_url_is_read_once_until_it_is_looked_at_again(publisher: Publisher) -> None:
    lists = AddressLists()
    assert lists.read(publisher.url) == ("23.102.140.112/28", "2001:db8::/32")
    publisher.content = published(SECOND)
    assert lists.read(publisher.url) == ("23.102.140.112/28", "2001:db8::/32")
    assert publisher.asked == 1
    assert lists.refresh()
    assert not lists.refresh()
    assert lists.read(publisher.url) == ("192.0.2.7/32",)


@pytest.mark.parametrize(
    ("status", "content"), [(500, b""), (200, b"nonsense"), (200, published([])), (302, b"")]
)
def test_what_was_read_is_used_on_while_the_source_fails(
    publisher: Publisher, caplog: pytest.LogCaptureFixture, status: int, content: bytes
) -> None:
    caplog.set_level(logging.INFO, "toolway.address_lists")
    lists = AddressLists()
    before = lists.read(publisher.url)
    publisher.status, publisher.content = status, content
    assert not lists.refresh()
    assert not lists.refresh()
    assert lists.read(publisher.url) == before
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "what was read before is used on" in warnings[0].getMessage()
    publisher.status, publisher.content = 200, published(SECOND)
    assert lists.refresh()
    assert "is read again" in caplog.text
    assert "sesame" not in caplog.text


def test_a_list_that_is_old_by_now_is_an_error_in_the_log(
    publisher: Publisher, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = AddressLists()
    lists.read(publisher.url)
    (read_at,) = lists.read_at().values()
    publisher.status = 500
    monkeypatch.setattr(time, "time", lambda: read_at + 90_000)
    for _ in range(2):
        lists.refresh()
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 2
    assert "is stale: it was last read 25 hours ago" in errors[0]
    assert list(lists.read_at().values()) == [read_at]


def test_without_anything_read_before_a_failing_source_is_an_error(publisher: Publisher) -> None:
    publisher.status = 500
    with pytest.raises(AddressListError, match="it answered 500") as refused:
        AddressLists().read(publisher.url)
    assert "sesame" not in str(refused.value)
    with pytest.raises(AddressListError, match="No such file"):
        AddressLists().read("/nowhere/list.json")


def test_a_restart_needs_no_network(publisher: Publisher, tmp_path: Path) -> None:
    folder = tmp_path / "address_lists"
    before = AddressLists(folder=folder).read(publisher.url)
    publisher.status = 500
    again = AddressLists(folder=folder)
    assert again.read(publisher.url) == before
    assert publisher.asked == 1
    (copy,) = folder.iterdir()
    copy.write_text("nonsense")
    with pytest.raises(AddressListError):
        AddressLists(folder=folder).read(publisher.url)


def test_copies_are_kept_only_where_there_is_a_data_folder(publisher: Publisher, tmp_path: Path) -> None:
    data = tmp_path / "data"
    lists = AddressLists(folder=data / "address_lists")
    lists.read(publisher.url)
    assert not data.exists()
    data.mkdir()
    lists.refresh(older_than=3600)
    assert publisher.asked == 1
    assert len(list((data / "address_lists").iterdir())) == 1


def test_a_file_is_read_as_it_is_and_kept_while_it_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(published(FIRST))
    lists = AddressLists()
    assert lists.read(str(path)) == ("23.102.140.112/28", "2001:db8::/32")
    path.write_bytes(published(SECOND))
    assert lists.read(str(path)) == ("192.0.2.7/32",)
    path.write_bytes(b"")
    assert lists.read(str(path)) == ("192.0.2.7/32",)
    path.unlink()
    assert lists.read(str(path)) == ("192.0.2.7/32",)


def test_a_change_is_told_from_the_background(publisher: Publisher) -> None:
    lists = AddressLists(refresh_seconds=0.01)
    lists.read(publisher.url)
    told = threading.Event()
    lists.start(told.set)
    try:
        publisher.content = published(SECOND)
        assert told.wait(30)
        assert lists.read(publisher.url) == ("192.0.2.7/32",)
    finally:
        lists.close()


def test_a_look_can_be_asked_for_and_is_not_waited_for_at_the_end(publisher: Publisher) -> None:
    lists = AddressLists()
    lists.read(publisher.url)
    told, released = threading.Event(), threading.Event()

    def hold() -> None:
        told.set()
        released.wait(30)

    lists.start(hold)
    publisher.content = published(SECOND)
    lists.look_again()
    assert told.wait(30)
    lists.close()
    assert not released.is_set()
    released.set()


def test_lists_that_nobody_uses_are_forgotten(publisher: Publisher) -> None:
    lists = AddressLists()
    lists.read(publisher.url)
    lists.keep_only(())
    assert not lists.refresh()
    assert publisher.asked == 1
