"""The article's case: its own APISIX file, unmodified, in front of a Conference API that is reached over TLS.

The upstream's host is mapped to loopback; the gateway still asks for it by name, in TLS and in Host.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
from typing import TYPE_CHECKING

import httpx
import pytest
import trustme
import yaml

from toolway.demo import conference
from toolway.demo.serving import served

from .serving import serving
from .shared import shared
from .upstream import Answer, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .serving import Gateway
    from .upstream import Received, Upstream

HOST = "conferenceapi.azurewebsites.net"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the authority that signed the upstream's certificate."""
    return tmp_path_factory.mktemp("tls") / "authority.pem"


@pytest.fixture(scope="module")
def conference_api(authority: Path) -> Iterator[Upstream]:
    """The demo's Conference API over TLS, as the article's host."""
    signer = trustme.CA()
    signer.cert_pem.write_to_path(authority)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    signer.issue_cert(HOST).configure_cert(context)
    with served(conference.application(), "conference") as port, upstream(context) as secured:

        def pass_on(received: Received) -> Answer:
            answer = httpx.get(f"http://127.0.0.1:{port}{received.target}", trust_env=False)
            return Answer(answer.status_code, {"Content-Type": "application/json"}, answer.content)

        secured.answer = pass_on
        yield secured


@pytest.fixture(scope="module")
def article(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The article's file as it stands, in a folder of its own."""
    path = tmp_path_factory.mktemp("article") / "apisix.yml"
    path.write_bytes(shared("seed/apisix.yml").read_bytes())
    return path


def is_taken(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def elsewhere(port: int) -> tuple[str, str]:
    return "--connect-to", f"{HOST}:443:127.0.0.1:{port}"


@pytest.fixture(scope="module")
def gateway(article: Path, conference_api: Upstream, authority: Path) -> Iterator[Gateway]:
    # The article's file names no addresses, so the gateway takes its default ones.
    for port in (9080, 9091):
        if is_taken(port):
            told = f"port {port}, which the article's case needs, is taken"
            pytest.fail(told) if os.environ.get("CI") == "true" else pytest.skip(told)
    environment = {"SSL_CERT_FILE": str(authority)}
    with serving(article, *elsewhere(conference_api.port), environment=environment) as gateway:
        yield gateway


def test_the_sessions_of_a_speaker_come_through_the_gateway(
    gateway: Gateway, conference_api: Upstream
) -> None:
    answer = gateway.http.get("/speaker/1/sessions")
    assert answer.status_code == 200
    assert answer.json()["speaker"] == {"id": 1, "name": "Amara Abara"}
    received = conference_api.next()
    assert (received.method, received.target) == ("GET", "/speaker/1/sessions")


def test_the_upstream_is_asked_by_its_own_name(gateway: Gateway, conference_api: Upstream) -> None:
    assert gateway.http.get("/speaker/2/topics").status_code == 200
    # `pass_host: node` stands in the article's file.
    assert conference_api.next().header("Host") == HOST


def test_what_the_article_does_not_route_is_not_found(gateway: Gateway) -> None:
    for method, path in (("POST", "/speaker/1/sessions"), ("GET", "/sessions"), ("GET", "/speaker")):
        answer = gateway.http.request(method, path)
        assert (answer.status_code, answer.json()) == (404, {"error_msg": "404 Route Not Found"})
        assert answer.headers["X-Toolway-Error"] == "route_not_found"


def test_a_certificate_that_nobody_vouches_for_is_refused(
    article: Path, conference_api: Upstream, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    listen = {"gateway": {"listen": ["127.0.0.1:0"], "admin": None, "metrics": None, "control": None}}
    path = tmp_path / "toolway.yaml"
    path.write_text(json.dumps({**yaml.safe_load(article.read_text()), **listen}))
    with serving(
        path, *elsewhere(conference_api.port), environment={"SSL_CERT_FILE": str(other)}
    ) as distrusting:
        answer = distrusting.http.get("/speaker/1/sessions")
    assert answer.status_code == 502
    assert answer.headers["X-Toolway-Error"] == "upstream_tls"
    assert "error_msg" in answer.json()
