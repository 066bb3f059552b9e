"""Listeners: TLS by server name, and HTTP/2."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trustme

from .serving import LISTEN, run, write

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Serve
    from .upstream import Upstream


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def pem(pair: trustme.LeafCert) -> dict[str, str]:
    chain = b"".join(blob.bytes() for blob in pair.cert_chain_pems)
    return {"cert": chain.decode(), "key": pair.private_key_pem.bytes().decode()}


def configuration(node: str, **more: Any) -> dict[str, Any]:
    gateway = {**LISTEN, "tls": {"listen": ["127.0.0.1:0"]}}
    return {"gateway": gateway, "routes": [{"uri": "/*", "upstream": {"nodes": {node: 1}}}], **more}


def tls_port(gateway: Any) -> str:
    line: str = gateway.said.wait_for("toolway: TLS on ")
    return line.rpartition(":")[2]


def s_client(port: str, *arguments: str) -> str:
    ran = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *arguments],
        input="",
        capture_output=True,
        text=True,
    )
    return ran.stdout + ran.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_the_client_gets_a_certificate_that_it_can_check(
    serve: Serve, upstream: Upstream, authority: trustme.CA
) -> None:
    elliptic = pem(authority.issue_cert("a.test", key_type=trustme.KeyType.ECDSA))
    rsa = pem(authority.issue_cert("a.test", key_type=trustme.KeyType.RSA))
    entry = {"sni": "a.test", **elliptic, "certs": [rsa["cert"]], "keys": [rsa["key"]]}
    port = tls_port(serve(configuration(upstream.node, ssls=[entry])))
    name = ("-servername", "a.test")
    assert "Peer signature type: ECDSA" in s_client(port, *name)
    assert "Peer signature type: RSA" in s_client(port, *name, "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256")
    assert "Protocol  : TLSv1.2" in s_client(port, *name, "-tls1_2")
    assert "Cipher is (NONE)" in s_client(port, *name, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
    assert "unrecognized name" in s_client(port, "-servername", "b.test")
    assert "ALPN protocol: h2" in s_client(port, *name, "-alpn", "h2,http/1.1")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs the curl command")
def test_curl_speaks_http2_with_the_gateway(
    serve: Serve, upstream: Upstream, authority: trustme.CA, tmp_path: Path
) -> None:
    entry = {"sni": "a.test", **pem(authority.issue_cert("a.test"))}
    gateway = serve(configuration(upstream.node, ssls=[entry]))
    port = tls_port(gateway)
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    written = ["--silent", "--noproxy", "*", "--output", "-", "--write-out", " %{http_version}"]
    secured = ["--cacert", str(trusted), "--resolve", f"a.test:{port}:127.0.0.1"]
    for arguments, version in [
        (["--http2", *secured, f"https://a.test:{port}/x"], "2"),
        (["--http1.1", *secured, f"https://a.test:{port}/x"], "1.1"),
        (["--http2-prior-knowledge", f"{gateway.origin}/x"], "2"),
    ]:
        ran = subprocess.run(["curl", *written, *arguments], capture_output=True, text=True)
        assert ran.stdout == f'{{"ok":true}} {version}', ran.stderr


def test_a_host_may_demand_a_client_certificate(
    serve: Serve, upstream: Upstream, authority: trustme.CA
) -> None:
    own = authority.issue_cert("localhost")
    entry = {"sni": "localhost", **pem(own), "client": {"ca": authority.cert_pem.bytes().decode()}}
    port = tls_port(serve(configuration(upstream.node, ssls=[entry])))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with httpx.Client(verify=context, trust_env=False) as client, pytest.raises(httpx.TransportError):
        client.get(f"https://localhost:{port}/x")
    authority.issue_cert("jack@a.test").configure_cert(context)
    with httpx.Client(verify=context, trust_env=False) as client:
        assert client.get(f"https://localhost:{port}/x").status_code == 200


def test_a_wrong_certificate_is_told_at_its_place(authority: trustme.CA, tmp_path: Path) -> None:
    mixed = {**pem(authority.issue_cert("a.test")), "key": pem(authority.issue_cert("b.test"))["key"]}
    path = tmp_path / "toolway.yaml"
    write(path, {"gateway": {"tls": mixed}})
    ran = run("check", "-c", str(path))
    assert ran.returncode == 2
    assert "the private key is not that of the certificate [engine-refused]" in ran.stdout + ran.stderr
    assert "PRIVATE KEY" not in ran.stdout + ran.stderr
