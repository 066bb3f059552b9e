"""Choosing among media types: the body that an LLM client is asked to fill in, and the answer that it wants.

Knows names of media types only (RFC 9110 section 8.3.1, RFC 6839 for suffixes); how bodies are written is the
engine's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from toolway.apps.schema import types_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolway.openapi.model import Content, Operation

Kind: TypeAlias = Literal["json", "json-suffix", "form", "multipart", "text", "binary"]

PREFERENCE: tuple[Kind, ...] = ("json", "json-suffix", "form", "multipart", "text", "binary")

TEXT_TYPES = frozenset(
    {
        "application/ecmascript",
        "application/graphql",
        "application/javascript",
        "application/jsonl",
        "application/sql",
        "application/x-ndjson",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
    }
)
"""Media types outside `text/` whose bodies are text."""


def essence(media_type: str) -> str:
    """`media_type` in lower case and without parameters."""
    return media_type.partition(";")[0].strip().lower()


def kind_of(content: Content) -> Kind:
    """What a body of this content is made of; a range such as `*/*` is taken by its schema."""
    name = essence(content.media_type)
    if "*" in name:
        return _kind_of_range(content, name)
    if name in ("application/json", "text/json"):
        return "json"
    if name.endswith("+json"):
        return "json-suffix"
    if name == "application/x-www-form-urlencoded":
        return "form"
    if name == "multipart/form-data":
        return "multipart"
    if name.startswith("text/") or name in TEXT_TYPES or name.endswith(("+xml", "+yaml")):
        return "text"
    return "binary"


def _kind_of_range(content: Content, name: str) -> Kind:
    if name.startswith("text/"):
        return "text"
    schema = content.schema
    structured = {"object", "array"}.intersection(types_of(schema)) or {
        "$ref",
        "properties",
        "allOf",
    } & schema.keys()
    return "json-suffix" if structured else "binary"


def concrete(content: Content) -> str:
    """The media type to send: the content's own, or one that its range allows."""
    if "*" not in essence(content.media_type):
        return content.media_type
    by_kind: dict[Kind, str] = {"json-suffix": "application/json", "text": "text/plain"}
    return by_kind.get(kind_of(content), "application/octet-stream")


def best(contents: Sequence[Content]) -> Content | None:
    """The content that clients fill in best, by `PREFERENCE`; the first of equals."""
    return min(contents, key=lambda content: PREFERENCE.index(kind_of(content)), default=None)


def accept(operation: Operation) -> str:
    """The Accept header of a call: what a success may be, only JSON where that is offered."""
    successes = [response for response in operation.responses if response.status.startswith("2")]
    if not successes:
        successes = [response for response in operation.responses if response.status == "default"]
    contents = [content for response in successes for content in response.contents]
    json = [content for content in contents if kind_of(content) in ("json", "json-suffix")]
    names = dict.fromkeys(content.media_type for content in json or contents)
    return ", ".join(names) or "*/*"
