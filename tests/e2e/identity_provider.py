"""An identity provider for tests: a small OAuth 2 authorization server on loopback whose keys rotate and
which fails on demand. It serves discovery, its key set, tokens for client credentials and token exchange
(RFC 8693), introspection (RFC 7662) and revocation (RFC 7009); nobody signs in to it.
"""

from __future__ import annotations

import json
import time
from base64 import b64decode
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, RSAKey

from .upstream import Answer, upstream

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from joserfc._rfc7517.types import KeyParameters

    from .upstream import Received, Upstream

DISCOVERY = "/.well-known/openid-configuration"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
LIFETIME_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who may have tokens, and ask about them."""

    id: str
    secret: str
    scope: str = ""
    """What its tokens are good for."""


@dataclass(slots=True)
class IdentityProvider:
    """The provider. `faults` has an answer for each path that is to fail, until it is taken out."""

    server: Upstream
    clients: dict[str, Client]
    faults: dict[str, Answer] = field(default_factory=dict)
    holds: dict[str, threading.Event] = field(default_factory=dict)
    """For each path that is to be slow, what its answers wait for."""
    asked: list[str] = field(default_factory=list)
    """The paths of all questions so far."""
    keys: list[Key] = field(default_factory=list)
    """The newest last, which signs."""
    revoked: set[str] = field(default_factory=set)
    key_headers: dict[str, str] = field(default_factory=dict)
    """Headers of the key set, such as Cache-Control."""

    @property
    def issuer(self) -> str:
        return f"http://{self.server.node}"

    @property
    def discovery(self) -> str:
        """The URL of the discovery document."""
        return self.issuer + DISCOVERY

    def url(self, path: str) -> str:
        """The URL of a path."""
        return self.issuer + path

    def rotate(self, kind: str = "EC", *, keep: int = 1) -> None:
        """Signs with a new key from now on; so many of the former ones stay published."""
        parameters: KeyParameters = {"kid": f"key-{len(self.asked)}-{time.monotonic_ns()}", "use": "sig"}
        made = (
            ECKey.generate_key("P-256", parameters) if kind == "EC" else RSAKey.generate_key(2048, parameters)
        )
        self.keys = [*self.keys[max(0, len(self.keys) - keep) :], made]

    def token(self, audience: str | list[str] | None = "gateway", **claims: Any) -> str:
        """A signed access token. Claims that are None are left out."""
        now = int(time.time())
        said = {
            "iss": self.issuer,
            "aud": audience,
            "sub": "carol",
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            **claims,
        }
        return self.sign({name: value for name, value in said.items() if value is not None})

    def sign(self, claims: dict[str, Any], *, header: dict[str, Any] | None = None) -> str:
        """A token with these claims, signed by the newest key."""
        key = self.keys[-1]
        algorithm = "ES256" if isinstance(key, ECKey) else "RS256"
        whole = {"alg": algorithm, "kid": key.kid, "typ": "at+jwt", **(header or {})}
        return jwt.encode(whole, claims, key, algorithms=[algorithm])

    def answer(self, received: Received) -> Answer:
        """What a request gets."""
        path = urlsplit(received.target).path
        self.asked.append(path)
        if path in self.holds:
            self.holds[path].wait(30)
        if path in self.faults:
            return self.faults[path]
        if path == DISCOVERY:
            return _json(self._discovery())
        if path == "/keys":
            keys = KeySet(self.keys).as_dict(private=False)
            return _json(dict(keys), headers=self.key_headers)
        form = {name: values[0] for name, values in parse_qs(received.body.decode()).items()}
        client = self._client(received, form)
        if client is None:
            return _json({"error": "invalid_client"}, status=401)
        actions = {"/token": self._grant, "/introspect": self._introspect, "/revoke": self._revoke}
        return actions[path](form, client) if path in actions else _json({"error": "not_found"}, status=404)

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "jwks_uri": self.url("/keys"),
            "token_endpoint": self.url("/token"),
            "introspection_endpoint": self.url("/introspect"),
            "revocation_endpoint": self.url("/revoke"),
        }

    def _client(self, received: Received, form: dict[str, str]) -> Client | None:
        scheme, _, encoded = (received.header("Authorization") or "").partition(" ")
        if scheme == "Basic":
            name, _, secret = b64decode(encoded).decode().partition(":")
            name, secret = unquote(name), unquote(secret)
        else:
            name, secret = form.get("client_id", ""), form.get("client_secret", "")
        client = self.clients.get(name)
        return client if client is not None and client.secret == secret else None

    def _grant(self, form: dict[str, str], client: Client) -> Answer:
        grant = form.get("grant_type")
        claims: dict[str, Any] = {
            "sub": client.id,
            "client_id": client.id,
            "scope": form.get("scope", client.scope),
        }
        if grant == EXCHANGE:
            subject = self._read(form.get("subject_token", ""))
            if subject is None:
                return _json({"error": "invalid_request"}, status=400)
            claims |= {"sub": subject["sub"], "act": {"sub": client.id}}
        elif grant != "client_credentials":
            return _json({"error": "unsupported_grant_type"}, status=400)
        token = self.token(form.get("audience") or form.get("resource") or "gateway", **claims)
        said = {"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME_SECONDS}
        return _json({**said, "issued_token_type": ACCESS_TOKEN} if grant == EXCHANGE else said)

    def _introspect(self, form: dict[str, str], client: Client) -> Answer:
        claims = self._read(form.get("token", ""))
        return _json({"active": False} if claims is None else {"active": True, **claims})

    def _revoke(self, form: dict[str, str], client: Client) -> Answer:
        self.revoked.add(form.get("token", ""))
        return Answer(status=200, body=b"")

    def _read(self, token: str) -> dict[str, Any] | None:
        """The claims of a token of this provider that holds."""
        if token in self.revoked:
            return None
        try:
            claims = dict(jwt.decode(token, KeySet(self.keys), algorithms=["ES256", "RS256"]).claims)
        except ValueError:
            return None
        return claims if claims["exp"] > time.time() else None


def _json(value: dict[str, Any], *, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    whole = {"Content-Type": "application/json", "Cache-Control": "no-store"} | (headers or {})
    return Answer(status=status, headers=whole, body=json.dumps(value).encode())


@contextmanager
def identity_provider(*clients: Client) -> Iterator[IdentityProvider]:
    """A provider with one key on a free port of loopback within the block."""
    with upstream() as server:
        provider = IdentityProvider(server, {client.id: client for client in clients})
        provider.rotate()
        server.answer = provider.answer
        yield provider
