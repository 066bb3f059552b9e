"""Public keys that tokens are verified by: from PEM to what the engine reads, if they fit the algorithm."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
_MINIMUM_RSA_BITS = 2048


def info_of(pem: str, algorithm: str) -> bytes:
    """The SubjectPublicKeyInfo (DER) of a public key or certificate. Raises ValueError that hides it."""
    text = pem.encode()
    try:
        is_certificate = b"BEGIN CERTIFICATE" in text
        key = load_pem_x509_certificate(text).public_key() if is_certificate else load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("expected a public key or a certificate in PEM") from None
    if algorithm in _CURVES:
        curve = _CURVES[algorithm]
        if not isinstance(key, EllipticCurvePublicKey) or key.curve.name != curve:
            raise ValueError(f"expected a public key on the curve {curve}, as {algorithm} needs")
    elif algorithm == "EdDSA":
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("expected an Ed25519 public key, as EdDSA needs")
    elif not isinstance(key, RSAPublicKey):
        raise ValueError(f"expected an RSA public key, as {algorithm} needs")
    elif key.key_size < _MINIMUM_RSA_BITS:
        raise ValueError(f"expected an RSA key of at least {_MINIMUM_RSA_BITS} bits, found {key.key_size}")
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
