"""Credentials for upstreams: operations that want one by their document and would get none.

Where a plugin authenticates, the client's own credential stays with the gateway, so the upstream gets what a
plugin puts in its place or nothing. Only a warning: a document may also mean the gateway's own credential.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolway.compile.apis import plugins_of
from toolway.openapi.credentials import PLUGIN, suggestions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from toolway.compile.draft import Draft
    from toolway.config.models import Api
    from toolway.openapi.model import Document

_GUARDS = frozenset(
    {"basic-auth", "hmac-auth", "jwt-auth", "key-auth", "mtls-auth", "multi-auth", "openid-connect"}
)
"""The plugins that find out who calls."""


def report_credentials(draft: Draft, api: Api, document: Document) -> None:
    """Warns of operations of `api` that would get no credential."""
    everywhere = {name for rule in draft.configuration.global_rules for name in rule.plugins}
    without = sum(
        _gets_none(plugins_of(api, operation).plugins, everywhere)
        for operation in document.operations
        if operation.security and {} not in operation.security
    )
    found = suggestions(document, api.id)
    if without and found:
        counted = "1 operation" if without == 1 else f"{without} operations"
        message = (
            f'{counted} of the api "{api.id}" would get no credential: '
            f"by the document it is {found[0].wants}, and what clients send stays with the gateway"
        )
        draft.warn("upstream-without-credential", message, api.pointer, hint=found[0].yaml)


def _gets_none(plugins: Mapping[str, Mapping[str, Any]], everywhere: set[str]) -> bool:
    guards = _GUARDS & {*plugins, *everywhere}
    shows = any(plugins.get(name, {}).get("hide_credentials") is False for name in guards)
    is_given = {PLUGIN, "proxy-rewrite"} & {*plugins, *everywhere}
    return bool(guards) and not shows and not is_given
