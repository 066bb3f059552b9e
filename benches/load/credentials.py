"""What callers prove themselves by in the rows: keys, passwords and tokens that everyone may know.

Tokens are signed here rather than by a library that Toolway could share a mistake with.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "a-secret-of-thirty-two-bytes-long"  # noqa: S105  # Known to everyone, as the keys of consumers are.
"""What tokens of HS256 are signed with."""
PASSWORD = "bench-password"  # noqa: S105
PASSWORD_BCRYPT = "$2b$10$JnWudyY40mLkXJnpQJPDz.kGYoMNM580x18YFNFNWLe6DWnpvhg9G"  # noqa: S105
"""The same, hashed."""


def encoded(raw: bytes) -> str:
    """In base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def hs256() -> str:
    """A token of the consumer `bench` that is valid for an hour."""
    return _token("HS256", lambda signed: hmac.digest(SECRET.encode(), signed, hashlib.sha256))


def es256() -> str:
    """The same, signed with a key of the curve P-256."""

    def sign(signed: bytes) -> bytes:
        numbers = utils.decode_dss_signature(_key().sign(signed, ec.ECDSA(hashes.SHA256())))
        return b"".join(number.to_bytes(32, "big") for number in numbers)

    return _token("ES256", sign)


def basic() -> str:
    """The value of Authorization for the consumer `bench` and its password (RFC 7617)."""
    return "Basic " + base64.b64encode(f"bench:{PASSWORD}".encode()).decode()


def values() -> dict[str, object]:
    """What templates may name."""
    numbers = _key().public_key().public_numbers()
    pem = _key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    x, y = (encoded(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {
        "SECRET": SECRET,
        "SECRET_BASE64URL": encoded(SECRET.encode()),
        "PUBLIC_KEY": pem,
        "PUBLIC_KEY_JWK": json.dumps({"kty": "EC", "crv": "P-256", "alg": "ES256", "x": x, "y": y}),
        "PASSWORD": PASSWORD,
        "PASSWORD_SHA1": base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode(),  # noqa: S324
        "PASSWORD_BCRYPT": PASSWORD_BCRYPT,
    }


@functools.cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _token(algorithm: str, sign: Callable[[bytes], bytes]) -> str:
    claims = {"key": "bench", "sub": "bench", "exp": int(time.time()) + 3600}
    parts = ({"alg": algorithm, "typ": "JWT"}, claims)
    signed = ".".join(encoded(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{signed}.{encoded(sign(signed.encode()))}"
