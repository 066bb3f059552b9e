"""What credentials are made of, by authentication plugin.

A secret that need only be compared is stored and given to the engine as a digest or a hash: an API key as its
SHA-256, a password as an argon2 hash. Consumers and the resource around a credential stand in `consumer`.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from toolway.config.made_key import may_be_key
from toolway.config.models.base import Model, matching, refuse
from toolway.config.password import derived_salt, hash_of, is_hash, random_salt
from toolway.config.secret import Certificate, Secret, is_reference

_DIGEST = re.compile(r"[0-9a-f]{64}")
_HINTED = 20
"""The length from which the end of a key may be shown."""


class CredentialSettings(Model):
    """What one plugin takes of a consumer."""

    found_by: ClassVar[str]
    """The field that no two credentials of the plugin may have in common."""
    kept_as: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
    """Fields that are not stored, each with those that are stored in its place."""

    def identity(self) -> str:
        """What no two credentials of the plugin may have in common."""
        raise NotImplementedError

    def compiled(self) -> dict[str, Any]:
        """What the engine gets."""
        raise NotImplementedError

    def weakness(self) -> str | None:
        """What a warning has to say of a secret that holds less than it could."""
        return None

    @classmethod
    def stored(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of settings, which need not have been checked, as they are stored."""
        return dict(settings)


def _digest(value: str) -> str:
    if not _DIGEST.fullmatch(value):
        # As a wrong type, so that what stands there, perhaps the key, is not shown.
        raise refuse("wrong-type", "expected 64 hexadecimal digits in lower case")
    return value


def _plain(settings: Mapping[str, Any], name: str) -> str | None:
    """The text in the field `name`, unless it says where to find one."""
    text = settings.get(name)
    return text if isinstance(text, str) and text and not is_reference(text) else None


class KeyAuthCredential(CredentialSettings):
    """A key that a caller sends to routes with `key-auth`, or its digest where the key itself is not kept."""

    found_by = "key"
    kept_as = MappingProxyType({"key": ("key_sha256", "key_hint")})

    key: Secret | None = None
    key_sha256: Annotated[str, AfterValidator(_digest)] | None = None
    """SHA-256 of the key, for a configuration that shall not hold it."""
    key_hint: Annotated[str, Field(max_length=16)] | None = None
    """The end of the key, for people who have to tell keys apart. Without effect."""

    @model_validator(mode="after")
    def _one(self) -> KeyAuthCredential:
        _one_of(key=self.key, key_sha256=self.key_sha256)
        if self.key is not None and not may_be_key(self.key.reveal()):
            # As a wrong type, so that the key is not shown.
            hint = "a key that begins with tw_ is one that `toolway keys create` made; this one was mistyped"
            raise refuse("wrong-type", "expected a key with the checksum that belongs to it", hint)
        return self

    def identity(self) -> str:
        """SHA-256 of the key, in hexadecimal digits."""
        return self.key_sha256 or _digest_of(self.key.reveal() if self.key else "")

    def compiled(self) -> dict[str, Any]:
        """The digest alone."""
        return {"key_sha256": self.identity()}

    @classmethod
    def stored(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """With the digest instead of the key and, where the key is long enough to spare that, its end."""
        key = _plain(settings, "key")
        if key is None or "key_sha256" in settings:
            return dict(settings)
        kept = {name: item for name, item in settings.items() if name != "key"}
        hint = {"key_hint": key[-4:]} if len(key) >= _HINTED else {}
        return {**kept, "key_sha256": _digest_of(key), **hint}


def _one_of(**given: object) -> None:
    """Refuses none and both of two fields, of which the first is the usual one."""
    first, second = given
    if given[first] is None and given[second] is None:
        raise refuse("missing-field", f'expected the field "{first}"')
    if given[first] is not None and given[second] is not None:
        raise refuse("exclusive-fields", f'expected one of "{first}" and "{second}", found both')


def _digest_of(key: str) -> str:
    """SHA-256 of a key, in hexadecimal digits: all that is compared and stored of it."""
    return hashlib.sha256(key.encode()).hexdigest()


def _hash(value: Secret) -> Secret:
    if not is_hash(value.reveal()):
        hint = 'such as "$argon2id$v=19$m=19456,t=2,p=1$..." or "$2b$12$..."'
        raise refuse("wrong-type", "expected an argon2 hash as a PHC string, or a bcrypt hash", hint)
    return value


class BasicAuthCredential(CredentialSettings):
    """Username and password for routes with `basic-auth`."""

    found_by = "username"
    kept_as = MappingProxyType({"password": ("password_hash",)})

    username: Annotated[
        str,
        matching(r"[^:\x00-\x1f\x7f]{1,256}", "at most 256 characters without colon and control characters"),
    ]
    password: Secret | None = None
    password_hash: Annotated[Secret, AfterValidator(_hash)] | None = None
    """argon2 or bcrypt, for a configuration that shall not hold the password."""

    @model_validator(mode="after")
    def _one(self) -> BasicAuthCredential:
        _one_of(password=self.password, password_hash=self.password_hash)
        return self

    def identity(self) -> str:
        """The username."""
        return self.username

    def compiled(self) -> dict[str, Any]:
        """The hash, which for an unchanged password is always the same."""
        kept = self.password_hash or Secret(hash_of(self.password or Secret(""), derived_salt(self.username)))
        return {"username": self.username, "password_hash": kept}

    @classmethod
    def stored(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """With a hash instead of the password."""
        password = _plain(settings, "password")
        if password is None or "password_hash" in settings:
            return dict(settings)
        kept = {name: item for name, item in settings.items() if name != "password"}
        return {**kept, "password_hash": hash_of(Secret(password), random_salt())}


class JwtAuthCredential(CredentialSettings):
    """What tokens for routes with `jwt-auth` are verified by: a secret, a public key or a key set."""

    found_by = "key"
    not_supported = frozenset({"private_key"})

    key: Annotated[str, Field(min_length=1)]
    secret: Secret | None = None
    public_key: Certificate | None = None
    jwks_uri: (
        Annotated[str, matching(r"https?://[^\s#@]+", 'a URL, such as "https://id.example.com/keys"')] | None
    ) = None
    """Where the key set is that has the public key. It is fetched when the first token comes."""
    algorithm: Literal[
        "HS256",
        "HS384",
        "HS512",
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512",
        "EdDSA",
    ] = "HS256"
    exp: Annotated[int, Field(ge=1)] = 86400
    """For how long APISIX's own tokens hold; without effect, as none are made here."""
    base64_secret: bool = False
    lifetime_grace_period: Annotated[int, Field(ge=0, le=86400)] = 0

    @model_validator(mode="after")
    def _fitting(self) -> JwtAuthCredential:
        wanted = "secret" if self._takes_secret() else "public_key"
        if getattr(self, wanted) is None and (self._takes_secret() or self.jwks_uri is None):
            raise refuse("missing-field", f'expected the field "{wanted}", which {self.algorithm} needs')
        if self.jwks_uri is not None:
            _one_of(**{wanted: getattr(self, wanted), "jwks_uri": self.jwks_uri})
        self._secret_bytes()
        self._public_key_info()
        return self

    def identity(self) -> str:
        """The key."""
        return self.key

    def compiled(self) -> dict[str, Any]:
        """The secret's bytes in base64, the public key's SubjectPublicKeyInfo, or the key set's URL."""
        found: dict[str, Any] = {"key": self.key, "algorithm": self.algorithm}
        if self._takes_secret():
            found["secret"] = Secret(b64encode(self._secret_bytes()).decode())
        elif self.jwks_uri is not None:
            found["jwks_uri"] = self.jwks_uri
        else:
            found["public_key"] = b64encode(self._public_key_info()).decode()
        return {**found, "lifetime_grace_period": self.lifetime_grace_period}

    def weakness(self) -> str | None:
        """What to say of a secret that is shorter than RFC 7518 section 3.2 wants it."""
        wanted = int(self.algorithm[2:]) // 8 if self._takes_secret() else 0
        found = len(self._secret_bytes())
        if found >= wanted:
            return None
        return f"the secret has {found} bytes; {self.algorithm} is as strong as it can be from {wanted} on"

    def _takes_secret(self) -> bool:
        return self.algorithm.startswith("HS")

    def _secret_bytes(self) -> bytes:
        if self.secret is None or not self._takes_secret():
            return b""
        text = self.secret.reveal()
        if not self.base64_secret:
            return text.encode("utf-8", "surrogatepass")
        try:
            found = b64decode(text, validate=True)
        except ValueError:
            found = b""
        if not found:
            raise refuse("wrong-value", "expected a secret in base64, as base64_secret says")
        return found

    def _public_key_info(self) -> bytes:
        if self.public_key is None or self._takes_secret():
            return b""
        # Only here, since the library takes 8 MB, and most gateways have no such key.
        from toolway.config import token_key

        try:
            return token_key.info_of(self.public_key.reveal(), self.algorithm)
        except ValueError as error:
            raise refuse("wrong-value", str(error)) from None


class HmacAuthCredential(CredentialSettings):
    """What a caller signs requests with for routes with `hmac-auth`."""

    found_by = "key_id"
    # Of the plugin as it was before APISIX 3.11.
    not_supported = frozenset(
        {"access_key", "algorithm", "clock_skew", "encode_uri_params", "keep_headers", "max_req_body"}
    )

    key_id: Annotated[str, matching(r'[^"\x00-\x1f\x7f]{1,256}', "at most 256 characters without quotes")]
    secret_key: Secret

    def identity(self) -> str:
        """The key id."""
        return self.key_id

    def compiled(self) -> dict[str, Any]:
        """Both, for signatures are made anew to be compared."""
        return {"key_id": self.key_id, "secret_key": self.secret_key}


def _fingerprint(value: str) -> str:
    plain = value.replace(":", "").lower()
    if not _DIGEST.fullmatch(plain):
        raise refuse("wrong-value", "expected the 64 hexadecimal digits of a SHA-256, with or without colons")
    return plain


class MtlsAuthCredential(CredentialSettings):
    """The client certificate that a caller shows to routes with `mtls-auth`."""

    found_by = "fingerprint"

    fingerprint: Annotated[str, AfterValidator(_fingerprint)] | None = None
    """SHA-256 of the certificate, in hexadecimal digits."""
    subject: (
        Annotated[str, matching(r".{1,200}=.{1,1000}", 'a distinguished name, such as "CN=jack"')] | None
    ) = None
    """Its subject's distinguished name; any certificate of the authority with it is taken."""

    @model_validator(mode="after")
    def _one(self) -> MtlsAuthCredential:
        _one_of(fingerprint=self.fingerprint, subject=self.subject)
        return self

    def identity(self) -> str:
        """Whichever it has."""
        return self.fingerprint or self.subject or ""

    def compiled(self) -> dict[str, Any]:
        """Whichever it has."""
        return {"fingerprint": self.fingerprint} if self.fingerprint else {"subject": self.subject}


CREDENTIALS: Mapping[str, type[CredentialSettings]] = MappingProxyType(
    {
        "basic-auth": BasicAuthCredential,
        "hmac-auth": HmacAuthCredential,
        "jwt-auth": JwtAuthCredential,
        "key-auth": KeyAuthCredential,
        "mtls-auth": MtlsAuthCredential,
    }
)
"""The plugins whose settings at a consumer are credentials, with what those look like."""
