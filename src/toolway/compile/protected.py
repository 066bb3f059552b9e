"""Protected resources: where clients of an app's MCP endpoint learn who gives them tokens for it (RFC 9728).

All of it is read off `openid-connect` among the app's plugins, by itself or within `multi-auth`. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolway.config.models import Plugins

WELL_KNOWN = "/.well-known/oauth-protected-resource"
"""Where metadata is; the path of the resource follows."""

_PLUGIN = "openid-connect"


def metadata(plugins: Plugins, resource: str) -> dict[str, Any] | None:
    """The metadata of the URL `resource` behind these plugins; none where no token is asked for."""
    settings = _settings(plugins)
    if not settings:
        return None
    servers = [server for one in settings for server in _servers(one)]
    scopes = [scope for one in settings for scope in one.get("required_scopes") or ()]
    found = {
        "resource": resource,
        "authorization_servers": list(dict.fromkeys(servers)),
        "bearer_methods_supported": ["header"],
    }
    return {**found, "scopes_supported": list(dict.fromkeys(scopes))} if scopes else found


def leading_to(url: str, plugins: Plugins) -> Plugins:
    """The plugins with refusals that lead clients to the metadata at `url`, unless they lead elsewhere."""

    def told(name: str, settings: Any) -> Any:
        if name == _PLUGIN and isinstance(settings, dict) and settings.get("resource_metadata") is None:
            return {**settings, "resource_metadata": url}
        if name == "multi-auth" and isinstance(settings, dict):
            entries = settings.get("auth_plugins", [])
            return {**settings, "auth_plugins": [leading_to(url, entry) for entry in entries]}
        return settings

    return {name: told(name, settings) for name, settings in plugins.items()}


def issuer(discovery: str) -> str:
    """The issuer whose discovery document is at this URL (OpenID Connect Discovery 1.0, RFC 8414)."""
    before, separator, after = discovery.partition("/.well-known/")
    if not separator:
        parts = urlsplit(discovery)
        return f"{parts.scheme}://{parts.netloc}"
    _, slash, path = after.partition("/")
    return before + slash + path


def _settings(plugins: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    several = plugins.get("multi-auth", {}).get("auth_plugins", [])
    found = [entry.get(_PLUGIN) for entry in (plugins, *several)]
    return [settings for settings in found if isinstance(settings, dict)]


def _servers(settings: Mapping[str, Any]) -> list[str]:
    validator = settings.get("claim_validator") or {}
    issuers = (validator.get("issuer") or {}).get("valid_issuers")
    return list(issuers) if issuers else [issuer(settings["discovery"])]
