"""What an API wants of its callers by its security schemes, and how the gateway can show it that.

Suggestions are settings of the plugin `upstream-credential` with references where secrets belong; nothing is
decided here. An API that wants tokens of its users gets what its clients send.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolway.openapi.model import Document

PLUGIN = "upstream-credential"
_PLACES = {"header": "header", "query": "query argument", "cookie": "cookie"}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """How one requirement of a document's operations can be met."""

    schemes: tuple[str, ...]
    """The security schemes that are required together."""
    operations: int
    """How many operations have the requirement."""
    wants: str
    """In words: `an API key in the header X-Key`."""
    settings: dict[str, Any]
    """Of the plugin."""

    @property
    def yaml(self) -> str:
        """The plugin as a line to paste into an api: `plugins: {upstream-credential: {...}}`."""
        return f"plugins: {_flow({PLUGIN: self.settings})}"


def suggestions(document: Document, name: str) -> list[Suggestion]:
    """One for each requirement that can be met, the most common first; `name` is the api's, for references.

    Of an operation's alternatives, the first that can be met counts. A document that requires nothing and
    describes one scheme means that one.
    """
    schemes = document.security_schemes
    counts: Counter[tuple[str, ...]] = Counter()
    scopes: dict[tuple[str, ...], list[str]] = {}
    for operation in document.operations:
        if {} in operation.security:
            continue
        for requirement in operation.security:
            names = tuple(requirement)
            if all(_is_known(schemes.get(label)) for label in names):
                counts[names] += 1
                wanted = [scope for said in requirement.values() for scope in said]
                scopes[names] = list(dict.fromkeys([*scopes.get(names, []), *wanted]))
                break
    if not counts and len(schemes) == 1 and not any(operation.security for operation in document.operations):
        counts.update({(label,): 0 for label, scheme in schemes.items() if _is_known(scheme)})
    prefix = _variable(name)
    return [
        _suggestion(names, count, {label: schemes[label] for label in names}, scopes.get(names, []), prefix)
        for names, count in counts.most_common()
    ]


def _suggestion(
    names: tuple[str, ...],
    count: int,
    schemes: Mapping[str, Mapping[str, Any]],
    scopes: list[str],
    prefix: str,
) -> Suggestion:
    settings: dict[str, Any] = {}
    said: list[str] = []
    for label, scheme in schemes.items():
        # Of several keys each needs a variable of its own.
        own = prefix if len(schemes) == 1 else f"{prefix}_{_variable(label)}"
        words, part = _met(scheme, scopes, own)
        said.append(words)
        for field, value in part.items():
            known = settings.get(field)
            settings[field] = {**known, **value} if isinstance(known, dict) else value
    return Suggestion(names, count, " and ".join(said), settings)


def _is_known(scheme: Any) -> bool:
    if not isinstance(scheme, dict):
        return False
    match scheme.get("type"):
        case "apiKey":
            place, name = scheme.get("in"), scheme.get("name")
            return isinstance(place, str) and place in _PLACES and isinstance(name, str) and bool(name)
        case "http":
            return str(scheme.get("scheme")).lower() in ("basic", "bearer")
        case "oauth2" | "openIdConnect":
            return True
    return False


def _met(scheme: Mapping[str, Any], scopes: list[str], prefix: str) -> tuple[str, dict[str, Any]]:
    """What a scheme that is known wants, in words, and the settings that give it that."""
    if scheme["type"] == "apiKey":
        place = scheme["in"]
        words = f"an API key in the {_PLACES[place]} {scheme['name']}"
        return words, {place: {scheme["name"]: f"$env://{prefix}_KEY"}}
    if scheme["type"] == "http" and str(scheme["scheme"]).lower() == "basic":
        account = {"username": f"$env://{prefix}_USERNAME", "password": f"$env://{prefix}_PASSWORD"}
        return "a username and a password", {"basic": account}
    if scheme["type"] == "http":
        return "a bearer token", {"bearer": f"$env://{prefix}_TOKEN"}
    endpoint = _token_endpoint(scheme)
    if endpoint is None:
        return "a token of the user who calls", {"pass_through": ["Authorization"]}
    client = {
        "token_endpoint": endpoint,
        "client_id": f"$env://{prefix}_CLIENT_ID",
        "client_secret": f"$env://{prefix}_CLIENT_SECRET",
    }
    if scopes:
        client["scope"] = " ".join(scopes)
    return "a token of an authorization server (client credentials)", {"oauth2": client}


def _token_endpoint(scheme: Mapping[str, Any]) -> str | None:
    """Where a client gets tokens in its own name, if the scheme says so."""
    flows = scheme.get("flows")
    flow = flows.get("clientCredentials") if isinstance(flows, dict) else None
    url = flow.get("tokenUrl") if isinstance(flow, dict) else None
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.netloc else None


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(name)}: {_flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(text: str) -> str:
    # A document may hold anything; what is left is what both YAML and JSON take in quotes.
    clean = "".join(sign for sign in text if sign.isprintable()).replace("${", "$${")
    is_plain = re.fullmatch(r"(\$env://)?[A-Za-z][A-Za-z0-9_./:-]*(?<![:])", clean)
    is_word = clean.lower() in ("true", "false", "null")
    return clean if is_plain and not is_word else json.dumps(clean, ensure_ascii=False)


def _variable(text: str) -> str:
    """A part of an environment variable's name: `pet-store` becomes `PET_STORE`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    name = re.sub(r"[^A-Z0-9]+", "_", spaced.upper()).strip("_")[:40].strip("_")
    return name if name and not name[0].isdigit() else f"API_{name}".rstrip("_")
