"""What an imported OpenAPI document means, whatever version it was written in.

`read` makes a `Document` from Swagger 2.0, OpenAPI 3.0 or 3.1; `apps` and `compile` know only these types.
Schemas are JSON Schema 2020-12 throughout: `nullable`, boolean `exclusiveMinimum`, `example`, `discriminator`
without effect and the like are translated when read, and every reference is `#/$defs/NAME` into
`Document.schemas`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema 2020-12 object whose references are `#/$defs/NAME`. `{}` allows anything."""

Location: TypeAlias = Literal["path", "query", "header", "cookie"]

Style: TypeAlias = Literal[
    "simple", "label", "matrix", "form", "spaceDelimited", "pipeDelimited", "deepObject", "tabDelimited"
]
"""A Parameter Object's style (OpenAPI 3.1 section 4.8.12); `tabDelimited` is Swagger 2.0's collectionFormat
tsv.
"""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation, with the defaults of its location written out."""

    name: str
    location: Location
    required: bool
    schema: Schema
    style: Style
    explode: bool
    description: str = ""
    allow_reserved: bool = False
    deprecated: bool = False
    allow_empty: bool = False
    """`allowEmptyValue`: the empty text is a value whatever the schema says."""
    media_type: str | None = None
    """Set for a parameter with `content`: its value travels in this media type."""
    example: Any = None


@dataclass(frozen=True, slots=True)
class PropertyEncoding:
    """How one property of a form or multipart body is written (Encoding Object)."""

    content_type: str | None = None
    style: Style | None = None
    explode: bool | None = None
    headers: dict[str, str] = field(default_factory=dict)
    binary: bool = False
    """The property is a file (`format: binary`, Swagger `type: file`, or a content type that is not text)."""


@dataclass(frozen=True, slots=True)
class Content:
    """A body in one media type."""

    media_type: str
    schema: Schema
    encoding: dict[str, PropertyEncoding] = field(default_factory=dict)
    example: Any = None


@dataclass(frozen=True, slots=True)
class Body:
    """A request body; `contents` in the document's order, at least one."""

    required: bool
    contents: tuple[Content, ...]
    description: str = ""
    also: tuple[str, ...] = ()
    """Media types and ranges, such as `image/*`, that the document allows besides."""


@dataclass(frozen=True, slots=True)
class Response:
    """One response; `status` is `200`, `4XX` or `default`."""

    status: str
    description: str
    contents: tuple[Content, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One method and path. `id` is unique in the document and matches `[A-Za-z][A-Za-z0-9_-]{0,63}`."""

    id: str
    method: str
    """In upper case."""
    path: str
    """As in the document, `/speaker/{id}/sessions`; without query and fragment."""
    fixed_query: str = ""
    """What followed `?` in the path, for documents that put it there; sent with every request."""
    source_id: str | None = None
    """The document's own operationId; none where it was made from method and path."""
    summary: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    responses: tuple[Response, ...] = ()
    security: tuple[dict[str, list[str]], ...] = ()
    """Alternatives, each a set of scheme names with scopes; `({},)` or `()`: none needed."""
    servers: tuple[str, ...] = ()
    """Absolute URLs that hold for this operation instead of the document's; usually empty."""
    consequential: bool | None = None
    """`x-openai-isConsequential` where the document says it."""
    at: str = ""
    """JSON pointer of the operation in the document, `/paths/~1speaker~1{id}~1sessions/get`."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """An operation that could not be taken, and why."""

    operation: str
    """`GET /speaker/{id}`."""
    reason: str
    at: str
    """JSON pointer of what is wrong."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something in the document that was read otherwise than it is written, or left out, without losing an
    operation.
    """

    message: str
    at: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document as read."""

    version: str
    """As written: `2.0`, `3.0.3`, `3.1.0`."""
    title: str
    api_version: str
    description: str
    servers: tuple[str, ...]
    """Absolute URLs, variables filled in with their defaults; empty where the document names none."""
    operations: tuple[Operation, ...]
    schemas: dict[str, Schema]
    """Shared schemas by name; names match `[A-Za-z0-9._-]+`."""
    security_schemes: dict[str, dict[str, Any]]
    """As OpenAPI 3.1 Security Scheme Objects."""
    set_aside: tuple[SetAside, ...] = ()
    notices: tuple[Notice, ...] = ()
    base_path: str = ""
    """Path of the first server, `/api/v3`, also where the document names no host; empty: none."""
