"""Certificates for the TLS listeners: from `ssls` and the shorthand `gateway.tls` to the snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.config.models import SslClient

if TYPE_CHECKING:
    from toolway.compile.draft import Draft
    from toolway.config.models import Ssl

_DEFAULT_ID = "gateway.tls"
_PROTOCOLS = ["TLSv1.2", "TLSv1.3"]


def add_ssls(draft: Draft) -> None:
    """Adds what is in service: the default certificate last."""
    for ssl in draft.configuration.ssls.values():
        if ssl.type == "server" and ssl.status == 1:
            _add(draft, ssl)
    _add_default(draft)


def _add(draft: Draft, ssl: Ssl) -> None:
    entry: dict[str, Any] = {
        "id": ssl.id,
        "snis": ssl.names(),
        "certificates": [{"cert": cert, "key": key} for cert, key, _, _ in ssl.pairs()],
        "client": _client(ssl.client),
        "protocols": list(ssl.ssl_protocols),
    }
    fields = {
        "/protocols": f"{ssl.pointer}/ssl_protocols",
        "/client/skip_paths": f"{ssl.pointer}/client/skip_mtls_uri_regex",
    }
    for index, (_, _, cert_at, key_at) in enumerate(ssl.pairs()):
        fields[f"/certificates/{index}/cert"] = ssl.pointer + cert_at
        fields[f"/certificates/{index}/key"] = ssl.pointer + key_at
    if ssl.sni is not None:
        fields["/snis"] = f"{ssl.pointer}/sni"
    draft.add("ssls", entry, ssl.pointer, fields=fields)


def _add_default(draft: Draft) -> None:
    tls = draft.configuration.gateway.tls
    if tls is None or tls.cert is None or tls.key is None:
        return
    entry: dict[str, Any] = {
        "id": _DEFAULT_ID,
        "snis": [],
        "default": True,
        "certificates": [{"cert": tls.cert, "key": tls.key}],
        "client": _client(SslClient(ca=tls.client_ca) if tls.client_ca is not None else None),
        "protocols": _PROTOCOLS,
    }
    at = "/gateway/tls"
    fields = {
        "/certificates/0/cert": f"{at}/cert",
        "/certificates/0/key": f"{at}/key",
        "/client/ca": f"{at}/client_ca",
    }
    draft.add("ssls", entry, at, fields=fields)


def _client(client: SslClient | None) -> dict[str, Any] | None:
    if client is None:
        return None
    return {"ca": client.ca, "depth": client.depth, "skip_paths": client.skip_mtls_uri_regex or []}
