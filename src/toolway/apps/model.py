"""What an app shows an LLM client, resolved: the input of every published format.

`compile` makes an `AppView` from the configuration; `manifest`, `actions`, `tools` and `functions` turn it
into the form that each client reads. None of them looks at configuration or at the network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolway.openapi.model import Document, Operation


@dataclass(frozen=True, slots=True)
class ToolSettings:
    """What `apis[].operations[].tool` says of an operation; none: take it from the document."""

    name: str | None = None
    description: str | None = None
    consequential: bool | None = None


@dataclass(frozen=True, slots=True)
class SelectedOperation:
    """An operation that the app selects, with its place at the gateway."""

    api_id: str
    document: Document
    operation: Operation
    route_id: str
    """`<api id>:<operation id>`."""
    path: str
    """The path at the gateway: the api's prefix and the operation's path, `/conf/speaker/{id}/sessions`."""
    tool: ToolSettings = field(default_factory=ToolSettings)
    roles: tuple[tuple[str, ...], ...] = ()
    """What callers need: of each entry one role, and none of an empty one has anybody. Empty: any caller."""
    credential_headers: tuple[str, ...] = ()
    """Headers that carry a caller's credential for the route, such as `apikey`; empty: open to anyone."""


@dataclass(frozen=True, slots=True)
class AppView:
    """One app, resolved. Texts are as configured, or made from the documents' own where nothing is."""

    id: str
    base_url: str
    """Absolute, without a slash at the end: `https://api.example.com`. Published documents point there."""
    name_for_human: str
    name_for_model: str
    description_for_human: str
    description_for_model: str
    contact_email: str
    legal_info_url: str
    auth: dict[str, Any]
    """The manifest's auth object, `{"type": "none"}` and so on (llm-clients requirements, section 1)."""
    version: str
    operations: tuple[SelectedOperation, ...]
    path_prefix: str = ""
    """Where the app's own files are below `base_url`: empty, or `/apps/<id>` for the always present copy."""
