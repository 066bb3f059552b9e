"""Who may call what, as published documents say it: which operations are open, and the one credential of the
rest.

Derived from the app's auth and the headers in which the operations' routes want a credential. Whether a
caller is let in is decided by the engine's plugins alone.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolway.apps.model import AppView, SelectedOperation


def guarded(view: AppView, selected: SelectedOperation) -> bool:
    """Whether a caller must show a credential for the operation.

    So it is where the gateway wants one. With an app auth other than none the upstream may want it instead:
    then for the operations whose document says so, and for all where neither gateway nor document says so of
    any.
    """
    if selected.credential_headers:
        return True
    if view.auth.get("type", "none") == "none":
        return False
    if any(other.credential_headers or _wants_security(other) for other in view.operations):
        return _wants_security(selected)
    return True


def _wants_security(selected: SelectedOperation) -> bool:
    security = selected.operation.security
    return bool(security) and {} not in security


def credential_header(view: AppView) -> str | None:
    """The header in which most guarded operations want their credential; none where no route wants one.

    Of an operation that takes several headers, the first counts; of equals, the header that comes first.
    """
    counts = Counter(
        selected.credential_headers[0].lower() for selected in view.operations if selected.credential_headers
    )
    if not counts:
        return None
    common = counts.most_common(1)[0][0]
    return next(
        header
        for selected in view.operations
        for header in selected.credential_headers[:1]
        if header.lower() == common
    )


def is_custom(header: str | None) -> bool:
    """Whether a credential travels in a header of its own rather than in Authorization."""
    return header is not None and header.lower() != "authorization"


def security_scheme(view: AppView) -> tuple[str, dict[str, Any]] | None:
    """The name and OpenAPI 3.1 Security Scheme Object of the app's one credential; none where all operations
    are open.

    A header of its own that the routes want counts more than the app's auth: it is what the gateway checks.
    """
    if not any(guarded(view, selected) for selected in view.operations):
        return None
    header, auth = credential_header(view), view.auth
    if auth.get("type") == "oauth":
        flow = {
            "authorizationUrl": auth.get("client_url", ""),
            "tokenUrl": auth.get("authorization_url", ""),
            "scopes": {scope: scope for scope in scopes(view)},
        }
        return "oauth", {"type": "oauth2", "flows": {"authorizationCode": flow}}
    if auth.get("type") in ("user_http", "service_http") and not is_custom(header):
        scheme = str(auth.get("authorization_type", "bearer")).lower()
        return scheme, {"type": "http", "scheme": scheme}
    return "apiKey", {"type": "apiKey", "in": "header", "name": header or "Authorization"}


def scopes(view: AppView) -> list[str]:
    """The scopes of an app's oauth, which the manifest separates by blanks (RFC 6749 section 3.3)."""
    return str(view.auth.get("scope", "")).split()


def tool_security(view: AppView, selected: SelectedOperation) -> list[dict[str, Any]] | None:
    """`securitySchemes` of an MCP tool; none where the credential is a key, which they have no word for."""
    if not guarded(view, selected):
        return [{"type": "noauth"}]
    if view.auth.get("type") == "oauth":
        return [{"type": "oauth2", "scopes": scopes(view)}]
    return None
