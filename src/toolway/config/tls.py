"""What belongs together in TLS: certificates with keys, names with certificates, ids of `ssls`.

Runs beside `references`, after each resource has been checked on its own. Whether a key fits its certificate
is the engine's to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.config.errors import near

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from toolway.config.configuration import Configuration
    from toolway.config.models import Api, GatewayTls, Route, Service, Ssl, UpstreamTls
    from toolway.config.source import Source
    from toolway.problem import Problem


def check_tls(configuration: Configuration, data: Mapping[str, Any]) -> Iterator[Problem]:
    """All problems of TLS between the fields and resources of the file's `data`."""
    source = configuration.source
    if configuration.gateway.tls is not None:
        yield from _gateway(source, configuration.gateway.tls)
    for ssl in configuration.ssls.values():
        yield from _ssl(source, ssl)
    written = _written_types(data.get("ssls"))
    for upstream in configuration.upstreams.values():
        yield from _upstream(source, upstream.tls, f"{upstream.pointer}/tls", written)
    users: list[Route | Service | Api] = [
        *configuration.routes,
        *configuration.services.values(),
        *configuration.apis,
    ]
    for user in users:
        if user.upstream is not None:
            yield from _upstream(source, user.upstream.tls, f"{user.pointer}/upstream/tls", written)


def _written_types(items: Any) -> dict[str, Any]:
    """The type of each of the ssls by its id, also of those that are wrong elsewhere."""
    if not isinstance(items, list):
        return {}
    return {
        str(item["id"]): item.get("type", "server")
        for item in items
        if isinstance(item, dict) and "id" in item
    }


def _gateway(source: Source, tls: GatewayTls) -> Iterator[Problem]:
    yield from _together(source, tls, ("cert", "key"), "/gateway/tls")
    if tls.client_ca is not None and tls.cert is None and tls.key is None:
        message = 'expected the fields "cert" and "key" beside "client_ca"'
        yield source.problem("missing-field", message, "/gateway/tls")


def _ssl(source: Source, ssl: Ssl) -> Iterator[Problem]:
    if ssl.sni is not None and ssl.snis is not None:
        message = 'expected one of "sni" and "snis", found both'
        yield source.problem("exclusive-fields", message, f"{ssl.pointer}/snis", at_key=True)
    if ssl.type == "server" and not ssl.names():
        yield source.problem("missing-field", 'expected the field "sni" or "snis"', ssl.pointer)
    if len(ssl.certs) != len(ssl.keys):
        message = f"expected as many keys as certs, found {len(ssl.keys)} and {len(ssl.certs)}"
        yield source.problem("wrong-value", message, f"{ssl.pointer}/{'keys' if ssl.keys else 'certs'}")


def _upstream(
    source: Source, tls: UpstreamTls, pointer: str, written: Mapping[str, Any]
) -> Iterator[Problem]:
    yield from _together(source, tls, ("client_cert", "client_key"), pointer)
    if tls.client_cert_id is None:
        return
    if tls.client_cert is not None:
        message = 'expected one of "client_cert" and "client_cert_id", found both'
        yield source.problem("exclusive-fields", message, f"{pointer}/client_cert_id", at_key=True)
    clients = [name for name, kind in written.items() if kind == "client"]
    if tls.client_cert_id not in clients:
        message = f'none of the ssls of type client has the id "{tls.client_cert_id}"'
        at = f"{pointer}/client_cert_id"
        yield source.problem("unknown-reference", message, at, hint=near(tls.client_cert_id, clients))


def _together(source: Source, settings: Any, names: tuple[str, str], pointer: str) -> Iterator[Problem]:
    given = [name for name in names if getattr(settings, name) is not None]
    if len(given) == 1:
        missing = names[0] if given[0] == names[1] else names[1]
        message = f'expected the field "{missing}" beside "{given[0]}"'
        yield source.problem("missing-field", message, pointer)
