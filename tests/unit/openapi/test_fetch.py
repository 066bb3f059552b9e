"""Documents by HTTP, and requests that a redirect or a document tries to forge."""

from __future__ import annotations

import functools
import gzip
import json
import socket
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trustme

from toolway.openapi import Limits, read
from toolway.openapi import fetch as fetching
from toolway.openapi.fetch import is_public
from toolway.problem import ConfigurationError

from .documents import document

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLIC = "127.0.0.1"
"""Stands for a public address in these tests; `PRIVATE` stays what it is."""
PRIVATE = "127.0.0.2"
_PLAIN = json.dumps(document({"/a": {"get": {"responses": {}}}})).encode()


class Site:
    """A web server of fixed answers, by path: body, or status, headers and body."""

    def __init__(self, address: str, context: ssl.SSLContext | None = None) -> None:
        self.pages: dict[str, tuple[int, dict[str, str], bytes]] = {"/a.json": (200, {}, _PLAIN)}
        self.asked: list[tuple[str, str | None, str | None]] = []
        site = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, self.headers["Host"], self.headers["Authorization"]))
                status, headers, body = site.pages.get(self.path, (404, {}, b""))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer((address, 0), Answers)
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http://{address}:{self.port}"

    def redirect(self, path: str, location: str) -> None:
        self.pages[path] = (302, {"Location": location}, b"")


@contextmanager
def _running(address: str, context: ssl.SSLContext | None = None) -> Iterator[Site]:
    site = Site(address, context)
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        site.server.server_close()
        thread.join()


@pytest.fixture
def public() -> Iterator[Site]:
    with _running(PUBLIC) as site:
        yield site


@pytest.fixture
def private() -> Iterator[Site]:
    with _running(PRIVATE) as site:
        yield site


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes `PUBLIC` for a public address."""
    monkeypatch.setattr(fetching, "is_public", lambda address: address == PUBLIC or is_public(address))


def _refusal(url: str, **settings: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(url, **settings)
    assert caught.value.problems[0].code == "openapi-fetch"
    return str(caught.value)


def test_the_url_that_the_operator_names_may_be_private(private: Site) -> None:
    assert len(read(f"{private.url}/a.json").operations) == 1
    assert private.asked[0][1] == f"{PRIVATE}:{private.port}"


def test_packed_documents_are_unpacked(private: Site) -> None:
    packed = gzip.compress(_PLAIN)
    private.pages["/a.gz"] = (200, {"Content-Encoding": "gzip"}, packed)
    assert len(read(f"{private.url}/a.gz").operations) == 1
    private.pages["/b.gz"] = (200, {"Content-Encoding": "br"}, packed)
    assert "packed" in _refusal(f"{private.url}/b.gz")


@pytest.mark.usefixtures("guarded")
def test_a_redirect_to_a_private_address_is_refused(public: Site, private: Site) -> None:
    public.redirect("/a", f"{private.url}/a.json")
    assert "not a public address" in _refusal(f"{public.url}/a")
    assert private.asked == []
    assert len(read(f"{public.url}/a", allow_private=True).operations) == 1


@pytest.mark.usefixtures("guarded")
def test_a_redirect_to_a_name_of_a_private_address_is_refused(
    public: Site, private: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = {"inside.test": PRIVATE}
    _answer_names(monkeypatch, lambda host: addresses.get(host, host))
    public.redirect("/a", f"http://inside.test:{private.port}/a.json")
    assert "not a public address" in _refusal(f"{public.url}/a")
    assert private.asked == []


@pytest.mark.usefixtures("guarded")
def test_the_connection_goes_to_the_address_that_was_checked(
    public: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [PUBLIC, PRIVATE, PRIVATE]
    _answer_names(monkeypatch, lambda host: answers.pop(0) if host == "changing.test" else host)
    assert len(read(f"http://changing.test:{public.port}/a.json").operations) == 1
    assert public.asked == [("/a.json", f"changing.test:{public.port}", None)]
    assert answers == [PRIVATE, PRIVATE]


def _answer_names(monkeypatch: pytest.MonkeyPatch, address_of: Any) -> None:
    original = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **named: Any) -> Any:
        return original(address_of(host), *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://127.0.0.1/a", "http://", "http://[", "gopher:x"]
)
def test_redirects_to_what_is_not_http_are_refused(private: Site, location: str) -> None:
    private.redirect("/a", location)
    _refusal(f"{private.url}/a")


def test_redirects_within_bounds_are_followed(private: Site) -> None:
    private.redirect("/1", "/2")
    private.redirect("/2", "a.json")
    assert len(read(f"{private.url}/1").operations) == 1
    assert "more than 1 times" in _refusal(f"{private.url}/1", limits=Limits(redirects=1))


def test_size_and_failures_are_told(private: Site) -> None:
    assert "larger than 20 bytes" in _refusal(f"{private.url}/a.json", limits=Limits(bytes=20))
    assert "404" in _refusal(f"{private.url}/none.json")
    with socket.create_server((PRIVATE, 0)) as silent:
        url = f"http://{PRIVATE}:{silent.getsockname()[1]}/"
        assert "cannot be read" in _refusal(url, limits=Limits(seconds=0.1))
    assert "cannot be read" in _refusal(url)


def test_a_refusal_names_no_credentials(private: Site) -> None:
    text = _refusal(f"http://user:secret1@{PRIVATE}:{private.port}/none.json?token=secret2")
    assert "secret" not in text
    assert private.asked[0][2] is not None


def test_references_stay_on_the_origin(public: Site, private: Site) -> None:
    references = {"same": "schemas/pet.json", "other": f"{private.url}/a.json", "file": "file:///etc/passwd"}
    paths = {
        f"/{name}": {"get": {"parameters": [_query(reference)]}} for name, reference in references.items()
    }
    public.pages["/docs/root.json"] = (200, {}, json.dumps(document(paths)).encode())
    public.pages["/docs/schemas/pet.json"] = (200, {}, b'{"type": "string"}')
    result = read(f"{public.url}/docs/root.json")
    assert [operation.path for operation in result.operations] == ["/same"]
    assert result.schemas == {"pet": {"type": "string"}}
    assert private.asked == []


def test_a_reference_may_not_be_redirected_to_another_origin(public: Site, private: Site) -> None:
    public.pages["/root.json"] = (
        200,
        {},
        json.dumps(document({"/a": {"get": {"parameters": [_query("b")]}}})).encode(),
    )
    public.redirect("/b", f"{private.url}/a.json")
    result = read(f"{public.url}/root.json")
    assert "another origin" in result.set_aside[0].reason
    assert private.asked == []


def _query(reference: str) -> dict[str, Any]:
    return {"name": "a", "in": "query", "schema": {"$ref": reference}}


def test_relative_servers_start_where_the_document_was_fetched(private: Site) -> None:
    source = document({"/a": {"get": {"responses": {}}}}, servers=[{"url": "../v1"}, {"url": "http://[x"}])
    private.pages["/docs/a.json"] = (200, {}, json.dumps(source).encode())
    assert read(f"{private.url}/docs/a.json").servers == (f"{private.url}/v1",)
    assert read(f"{private.url}/a.json").servers == (private.url,)


def test_certificates_are_checked_against_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(serving)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    monkeypatch.setattr(httpx, "Client", functools.partial(httpx.Client, verify=trusting))
    with _running(PUBLIC, serving) as site:
        _answer_names(monkeypatch, lambda host: PUBLIC if host in ("localhost", "other.test") else host)
        assert len(read(f"https://localhost:{site.port}/a.json").operations) == 1
        assert "cannot be read" in _refusal(f"https://other.test:{site.port}/a.json")
        site.redirect("/down", "http://localhost/a.json")
        assert "from https to http" in _refusal(f"https://localhost:{site.port}/down")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_addresses_are_public_or_not(address: str, expected: bool) -> None:
    assert is_public(address) is expected
