"""Bodies by media type: request bodies, responses, and how the properties of forms are written.

Reads OpenAPI 3; `swagger` has the same for 2.0.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from toolway.openapi.model import Body, Content, PropertyEncoding, Response, Style
from toolway.openapi.parameters import STYLES, read_example
from toolway.openapi.place import UnusableError, below
from toolway.openapi.shape import flag, mapping, prose

if TYPE_CHECKING:
    from toolway.openapi.reading import Reading

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
_BYTES = "application/octet-stream"
_MEDIA_TYPE = re.compile(r"[!#$&^_.+*\w-]+/[!#$&^_.+*\w-]+ *(;.*)?", re.ASCII)
_STATUS = re.compile(r"[1-5][0-9][0-9]|[1-5]XX|DEFAULT")
_TEXT = re.compile(r"text/|application/(json|xml|[\w.+-]+\+(json|xml))|application/x-www-form-urlencoded")
_DEPTH = 50


def is_media_type(text: str) -> bool:
    """Whether `text` is a media type or range (RFC 9110 section 8.3.1)."""
    return _MEDIA_TYPE.fullmatch(text) is not None


def is_form(media_type: str) -> bool:
    """Whether a body in this media type is made of named properties."""
    essence = media_type.partition(";")[0].strip().lower()
    return essence == FORM or essence.startswith("multipart/")


def read_body(reading: Reading, raw: Any, at: str, needs: set[str]) -> Body | None:
    """A Request Body Object; none where it has no content. Raises UnusableError."""
    value, at = reading.resolver.follow(raw, at)
    described = mapping(value, "a request body", at)
    content = mapping(described.get("content"), "`content`", below(at, "content"))
    contents = read_contents(reading, content, below(at, "content"), needs, request=True)
    if content and not contents:
        raise UnusableError("none of the request body's media types is one", below(at, "content"))
    if not contents:
        reading.notices.add("the request body has no content: left out", at)
        return None
    also = tuple(name for name in content if "*" in name.partition(";")[0])
    return Body(flag(described.get("required")), contents, prose(described.get("description")), also)


def read_contents(
    reading: Reading, content: dict[str, Any], at: str, needs: set[str], *, request: bool
) -> tuple[Content, ...]:
    """A `content` mapping; keys that are no media types are left out with a notice."""
    contents: list[Content] = []
    for media_type, raw in content.items():
        place = below(at, media_type)
        if not is_media_type(media_type):
            reading.notices.add(f"`{media_type}` is not a media type: left out", place)
            continue
        media = mapping(raw, "a media type", place)
        described = media.get("schema", {})
        schema = reading.pool.read(described, below(place, "schema"), needs)
        encoding = read_encoding(reading, media, place) if request and is_form(media_type) else {}
        sent = _sent(reading, media_type, described, place) if request else media_type
        contents.append(Content(sent, schema, encoding, read_example(reading, media, place)))
    return tuple(contents)


def read_response(reading: Reading, status: str, raw: Any, at: str, needs: set[str]) -> Response | None:
    """A Response Object of OpenAPI 3; none, with a notice, where `status` is not one."""
    value, place = reading.resolver.follow(raw, at)
    described = mapping(value, "a response", place)
    known = read_status(reading, status, at)
    if known is None:
        return None
    content = mapping(described.get("content"), "`content`", below(place, "content"))
    contents = read_contents(reading, content, below(place, "content"), needs, request=False)
    return Response(known, prose(described.get("description")), contents)


def read_status(reading: Reading, status: str, at: str) -> str | None:
    """A key of `responses` as `200`, `4XX` or `default`; none, with a notice, for anything else."""
    known = status.upper()
    if not _STATUS.fullmatch(known):
        reading.notices.add(f"`{status}` is not a response status: left out", at)
        return None
    return "default" if known == "DEFAULT" else known


def read_encoding(reading: Reading, media: dict[str, Any], at: str) -> dict[str, PropertyEncoding]:
    """How the properties of a form are written, for those where it is not as usual. Raises UnusableError."""
    place = below(at, "encoding")
    described = mapping(media.get("encoding"), "`encoding`", place)
    files = {
        name
        for name, (value, where) in properties(reading, media, at).items()
        if is_file(reading, value, where)
    }
    encodings: dict[str, PropertyEncoding] = {}
    for name in [*described, *sorted(files - set(described))]:
        encoding = mapping(described.get(name), "an encoding", below(place, name))
        content_type = prose(encoding.get("contentType")) or None
        style = encoding.get("style") if encoding.get("style") in STYLES["query"] else None
        binary = name in files or (content_type is not None and _TEXT.match(content_type.lower()) is None)
        encodings[name] = PropertyEncoding(
            content_type,
            cast("Style | None", style),
            encoding["explode"] if isinstance(encoding.get("explode"), bool) else None,
            _fixed_headers(reading, encoding.get("headers"), below(below(place, name), "headers")),
            binary,
        )
    return encodings


def properties(reading: Reading, media: dict[str, Any], at: str) -> dict[str, tuple[Any, str]]:
    """The properties of a media type's schema with their places, through references and `allOf`."""
    found: dict[str, tuple[Any, str]] = {}
    waiting = [(media.get("schema"), below(at, "schema"))]
    for _ in range(_DEPTH):
        if not waiting:
            break
        value, place = reading.resolver.follow(*waiting.pop())
        if not isinstance(value, dict):
            continue
        members = value.get("properties")
        for name, member in (members if isinstance(members, dict) else {}).items():
            found.setdefault(name, (member, below(below(place, "properties"), name)))
        parts = value.get("allOf")
        waiting.extend(
            (part, below(below(place, "allOf"), index))
            for index, part in enumerate(parts if isinstance(parts, list) else ())
        )
    return found


def is_file(reading: Reading, value: Any, at: str) -> bool:
    """Whether a schema, as written in the document, is that of bytes, or of a list of them."""
    for _ in range(_DEPTH):
        value, at = reading.resolver.follow(value, at)
        if not isinstance(value, dict):
            return False
        if value.get("type") == "file" or value.get("format") == "binary":
            return True
        media_type = value.get("contentMediaType")
        if isinstance(media_type, str) and "contentEncoding" not in value:
            return _TEXT.match(media_type.lower()) is None
        if not isinstance(value.get("items"), dict):
            return False
        value, at = value["items"], below(at, "items")
    return False


def _sent(reading: Reading, media_type: str, described: Any, at: str) -> str:
    """The media type to send where the document gives a range."""
    if "*" not in media_type.partition(";")[0]:
        return media_type
    if media_type.startswith("text/"):
        sent = "text/plain"
    else:
        wide = media_type.startswith(("*/", "application/"))
        sent = "application/json" if wide and not is_file(reading, described, below(at, "schema")) else _BYTES
    reading.notices.add(f"the media type `{media_type}` is a range: sent as {sent}", at)
    return sent


def _fixed_headers(reading: Reading, raw: Any, at: str) -> dict[str, str]:
    """Headers of a part whose value the document fixes; others have nowhere to come from."""
    headers: dict[str, str] = {}
    for name, member in mapping(raw, "`headers`", at).items():
        value, place = reading.resolver.follow(member, below(at, name))
        described = mapping(value, "a header", place)
        schema, _ = reading.resolver.follow(described.get("schema"), below(place, "schema"))
        known = schema if isinstance(schema, dict) else {}
        choices = known.get("enum")
        single = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
        values = (known.get("const"), single, known.get("default"), described.get("example"))
        text = next((text for text in map(prose, values) if text), "")
        if text.isprintable() and text and name.lower() != "content-type":
            headers[name] = text
        elif name.lower() != "content-type":
            reading.notices.add(f"the header `{name}` of a part has no fixed value: left out", place)
    return headers
