"""Authentication plugins beside `key-auth` and `basic-auth` on the wire: tokens, signed requests, several
plugins, and keys that stand where nobody asked for one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import time
from base64 import b64encode, urlsafe_b64encode
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate

from .serving import LISTEN, serving, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conftest import Serve
    from .serving import Gateway
    from .upstream import Upstream

SECRET = "a secret of the test that is long enough"
SIGNING_SECRET = "what requests are signed with"
EC_KEY = generate_private_key(SECP256R1())


def encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def token(algorithm: str, sign: Callable[[bytes], bytes], **claims: Any) -> str:
    parts = ({"alg": algorithm, "typ": "JWT"}, claims)
    text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    return f"{text}.{encoded(sign(text.encode()))}"


def hs256(text: bytes) -> bytes:
    return hmac.digest(SECRET.encode(), text, "sha256")


def es256(text: bytes) -> bytes:
    numbers = decode_dss_signature(EC_KEY.sign(text, ECDSA(SHA256())))
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def configuration(node: str) -> dict[str, Any]:
    public = EC_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    plugins: dict[str, dict[str, Any]] = {
        "tokens": {
            "jwt-auth": {"store_in_ctx": True},
            "proxy-rewrite": {"headers": {"set": {"X-Subject": "$jwt_claim_sub"}}},
        },
        "signed": {"hmac-auth": {"validate_request_body": True}},
        "several": {"multi-auth": {"auth_plugins": [{"basic-auth": {}}, {"jwt-auth": {}}, {"key-auth": {}}]}},
        "certified": {"mtls-auth": {}},
        "open": {},
    }
    return {
        "gateway": LISTEN,
        "routes": [
            {"id": name, "uri": f"/{name}", "plugins": settings, "upstream": {"nodes": {node: 1}}}
            for name, settings in plugins.items()
        ],
        "consumers": [
            {
                "username": "jack",
                "plugins": {
                    "jwt-auth": {"key": "jacks", "secret": SECRET},
                    "hmac-auth": {"key_id": "jack", "secret_key": SIGNING_SECRET},
                    "basic-auth": {"username": "jack", "password": "open sesame"},
                    "key-auth": {"key": "jacks-key"},
                    "mtls-auth": {"subject": "CN=jack"},
                },
            },
            {
                "username": "jill",
                "credentials": [
                    {
                        "id": "expired",
                        "expires_at": "2020-01-01T00:00:00Z",
                        "plugins": {"key-auth": {"key": "jills-old-key"}},
                    },
                    {"id": "present", "plugins": {"key-auth": {"key": "jills-key"}}},
                    {"id": "lost", "status": 0, "plugins": {"key-auth": {"key": "jills-lost-key"}}},
                    {
                        "id": "signer",
                        "plugins": {"jwt-auth": {"key": "jills", "algorithm": "ES256", "public_key": public}},
                    },
                ],
            },
        ],
    }


@pytest.fixture(scope="module")
def gateway(recorder: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    path = tmp_path_factory.mktemp("authentication") / "toolway.yaml"
    write(path, configuration(recorder.node))
    with serving(path) as gateway:
        yield gateway


def test_a_token_lets_its_consumer_in_and_only_its_claims_go_upstream(
    gateway: Gateway, upstream: Upstream
) -> None:
    exp = int(time.time()) + 600
    for text, caller in (
        (token("HS256", hs256, key="jacks", sub="u1", exp=exp), "jack"),
        (token("ES256", es256, key="jills", sub="u2", exp=exp), "jill"),
    ):
        for asking in (
            {"headers": bearer(text)},
            {"params": {"jwt": text}},
            {"headers": {"Cookie": f"a=b; jwt={text}"}},
        ):
            answer = gateway.http.get("/tokens", **asking)  # type: ignore[arg-type]
            assert answer.status_code == 200
            received = upstream.next()
            assert received.header("X-Consumer-Username") == caller
            assert received.header("X-Subject") == {"jack": "u1", "jill": "u2"}[caller]
            assert text not in str(received)
            assert received.header("Cookie") == ("a=b" if "Cookie" in asking.get("headers", {}) else None)


def test_tokens_that_do_not_hold_are_refused(gateway: Gateway, upstream: Upstream) -> None:
    public = EC_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    confused = token("HS256", lambda text: hmac.digest(public, text, "sha256"), key="jills")
    for text, message in (
        (token("HS256", hs256, key="jacks", exp=1), "failed to verify jwt"),
        (token("HS256", hs256, key="jacks", nbf=int(time.time()) + 600), "failed to verify jwt"),
        (token("HS256", es256, key="jacks"), "failed to verify jwt"),
        (token("none", lambda _: b"", key="jacks"), "failed to verify jwt"),
        (confused, "failed to verify jwt"),
        (token("HS256", hs256, key="nobodys"), "Invalid user key in JWT token"),
        (token("HS256", hs256), "missing user key in JWT token"),
        ("nonsense", "JWT token invalid"),
    ):
        answer = gateway.http.get("/tokens", headers=bearer(text))
        assert (answer.status_code, answer.json()) == (401, {"message": message})
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="jwt"'
    assert upstream.arrived.empty()


def signed(method: str, target: str, body: bytes) -> dict[str, str]:
    date = formatdate(usegmt=True)
    digest = "SHA-256=" + b64encode(hashlib.sha256(body).digest()).decode()
    text = f"jack\n{method} {target}\ndate: {date}\ndigest: {digest}\n"
    signature = b64encode(hmac.digest(SIGNING_SECRET.encode(), text.encode(), "sha256")).decode()
    what = 'keyId="jack",algorithm="hmac-sha256",headers="@request-target date digest"'
    fields = f'{what},signature="{signature}"'
    return {"Date": date, "Digest": digest, "Authorization": f"Signature {fields}"}


def test_a_signed_request_holds_for_itself_alone(gateway: Gateway, upstream: Upstream) -> None:
    headers = signed("POST", "/signed?a=1", b"content")
    answer = gateway.http.post("/signed?a=1", headers=headers, content=b"content")
    assert answer.status_code == 200
    received = upstream.next()
    assert (received.header("X-Consumer-Username"), received.body) == ("jack", b"content")
    assert received.header("Authorization") is None
    for method, target, body in (
        ("POST", "/signed?a=1", b"Content"),
        ("POST", "/signed?a=2", b"content"),
        ("PUT", "/signed?a=1", b"content"),
    ):
        answer = gateway.http.request(method, target, headers=headers, content=body)
        assert (answer.status_code, answer.json()) == (401, {"message": "client request can't be validated"})
    assert upstream.arrived.empty()


def test_any_of_several_plugins_lets_in(gateway: Gateway, upstream: Upstream) -> None:
    basic = b64encode(b"jack:open sesame").decode()
    for headers in (
        {"Authorization": f"Basic {basic}"},
        bearer(token("HS256", hs256, key="jacks")),
        {"apikey": "jacks-key"},
        {"apikey": "jacks-key", "Authorization": "Basic nonsense"},
    ):
        assert gateway.http.get("/several", headers=headers).status_code == 200
        assert upstream.next().header("X-Consumer-Username") == "jack"
    answer = gateway.http.get("/several", headers={"apikey": "wrong"})
    assert (answer.status_code, answer.json()) == (401, {"message": "Authorization Failed"})
    challenges = answer.headers.get_list("WWW-Authenticate")
    assert challenges == ['Basic realm="basic"', 'Bearer realm="jwt"', 'apikey realm="key"']


def test_without_a_certificate_nobody_is_certified(gateway: Gateway) -> None:
    answer = gateway.http.get("/certified")
    assert (answer.status_code, answer.json()) == (401, {"message": "Missing client certificate"})


def test_a_client_certificate_is_a_credential(serve: Serve, upstream: Upstream) -> None:
    authority = trustme.CA()
    server, known, other = (authority.issue_cert(name) for name in ("localhost", "jack@a.test", "b@a.test"))
    chain = known.cert_chain_pems[0].bytes()
    fingerprint = load_pem_x509_certificate(chain).fingerprint(SHA256()).hex(":").upper()
    ssl_entry = {
        "sni": "localhost",
        "cert": server.cert_chain_pems[0].bytes().decode(),
        "key": server.private_key_pem.bytes().decode(),
        "client": {"ca": authority.cert_pem.bytes().decode()},
    }
    gateway = serve(
        {
            "gateway": {**LISTEN, "tls": {"listen": ["127.0.0.1:0"]}},
            "ssls": [ssl_entry],
            "routes": [
                {"uri": "/*", "plugins": {"mtls-auth": {}}, "upstream": {"nodes": {upstream.node: 1}}}
            ],
            "consumers": [{"username": "jack", "plugins": {"mtls-auth": {"fingerprint": fingerprint}}}],
        }
    )
    port = gateway.said.wait_for("toolway: TLS on ").rpartition(":")[2]
    for certificate, status in ((known, 200), (other, 401)):
        context = ssl.create_default_context()
        authority.configure_trust(context)
        certificate.configure_cert(context)
        with httpx.Client(verify=context, trust_env=False) as client:
            answer = client.get(f"https://localhost:{port}/x")
        assert answer.status_code == status
    assert answer.json() == {"message": "Invalid client certificate"}
    assert upstream.only().header("X-Consumer-Username") == "jack"


def test_one_key_of_several_expires_or_is_disabled(gateway: Gateway, upstream: Upstream) -> None:
    asked = {
        key: gateway.http.get("/several", headers={"apikey": key}).status_code
        for key in ("jills-key", "jills-old-key", "jills-lost-key")
    }
    assert asked == {"jills-key": 200, "jills-old-key": 401, "jills-lost-key": 401}
    assert upstream.next().header("X-Credential-Identifier") == "present"


def test_a_key_that_nobody_asked_for_does_not_go_upstream(gateway: Gateway, upstream: Upstream) -> None:
    headers = {"apikey": "jacks-key", "X-Api-Key": "another's", "Authorization": "Bearer jills-key"}
    assert gateway.http.get("/open", headers=headers).status_code == 200
    received = upstream.next()
    assert received.header("apikey") is None
    assert received.header("Authorization") is None
    assert received.header("X-Api-Key") == "another's"
