"""Where callers present their credentials: the headers in which plugins look for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_CREDENTIAL_HEADERS = {
    "key-auth": "apikey",
    "jwt-auth": "Authorization",
    "basic-auth": "Authorization",
    "hmac-auth": "Authorization",
    "openid-connect": "Authorization",
}
"""The plugins that take a credential in a header, each with the one where its settings name none."""


def credential_headers(plugins: Mapping[str, Any]) -> tuple[str, ...]:
    """The headers in which these plugins take a credential, each once; those of `multi-auth` last."""
    several = plugins.get("multi-auth", {}).get("auth_plugins")
    choices = [entry for entry in several if isinstance(entry, dict)] if isinstance(several, list) else []
    return tuple(dict.fromkeys(_headers_of([plugins, *choices])))


def headers_of_caller(document: Mapping[str, Any], app: str, key: str) -> list[tuple[str, str]]:
    """The headers by which a caller shows `key` to the tools of an app, in a snapshot.

    In Authorization it stands as a bearer's, unless it says of what scheme it is (`Basic ...`).
    """
    wanted = {tool["route"] for entry in document["apps"] if entry["id"] == app for tool in entry["tools"]}
    places = [rule["plugins"] for rule in document["global_rules"]]
    places += [route["plugins"] for route in document["routes"] if route["id"] in wanted]
    names = dict.fromkeys(name.lower() for plugins in places for name in credential_headers(plugins))
    bearer = key if " " in key else f"Bearer {key}"
    return [(name, bearer if name == "authorization" else key) for name in names]


def _headers_of(choices: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for plugins in choices:
        for name, usual in _CREDENTIAL_HEADERS.items():
            settings = plugins.get(name)
            if isinstance(settings, dict):
                header = settings.get("header", usual)
                yield header if isinstance(header, str) else usual
