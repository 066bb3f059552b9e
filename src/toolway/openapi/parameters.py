"""Parameters of an operation: merged with those of its path, defaults written out, fitted to the path.

Reads OpenAPI 3; `swagger` has the same for 2.0 and shares the merging and fitting.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from toolway.openapi.model import Location, Parameter, Style
from toolway.openapi.place import UnusableError, below
from toolway.openapi.shape import flag, mapping, name, prose, sequence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolway.openapi.path import PathTemplate
    from toolway.openapi.reading import Reading

STYLES: dict[str, tuple[str, ...]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
"""The styles of each location, its default first (OpenAPI 3.1 section 4.8.12.2)."""

_OTHERS_HEADERS = frozenset(("accept", "authorization", "content-type"))
"""Header parameters that are ignored: other parts of the document speak for them (section 4.8.12.2.1)."""


def merge_parameters(reading: Reading, lists: Iterable[tuple[Any, str]]) -> list[tuple[dict[str, Any], str]]:
    """Parameter Objects with references followed; later lists override earlier ones by location and name."""
    merged: dict[tuple[str, str], tuple[dict[str, Any], str]] = {}
    for values, at in lists:
        here: set[tuple[str, str]] = set()
        for index, raw in enumerate(sequence(values, "`parameters`", at)):
            value, place = reading.resolver.follow(raw, below(at, index))
            if not isinstance(value, dict):
                raise UnusableError("a parameter must be a mapping", place)
            location = name(value.get("in"), "the location (`in`) of a parameter", place)
            called = "" if location == "body" else name(value.get("name"), "the name of a parameter", place)
            key = (location, called.lower() if location == "header" else called)
            if key in here:
                reading.notices.add(f"the parameter `{called}` is described twice: the first holds", place)
                continue
            here.add(key)
            merged[key] = (value, place)
    return list(merged.values())


def read_parameter(reading: Reading, value: dict[str, Any], at: str, needs: set[str]) -> Parameter | None:
    """One Parameter Object of OpenAPI 3; none for a header that is not a parameter's business. Raises
    UnusableError.
    """
    location = prose(value.get("in")).strip()
    called = prose(value.get("name")).strip()
    if location not in STYLES:
        raise UnusableError(
            f"the parameter `{called}` is in `{location}`, which is none of {', '.join(STYLES)}", at
        )
    if is_others_header(location, called):
        return None
    style = _style(reading, value, location, at)
    schema, media_type, media_example = _schema(reading, value, at, needs)
    example = value.get("example", read_example(reading, value, at))
    return Parameter(
        name=called,
        location=cast("Location", location),
        required=location == "path" or flag(value.get("required")),
        schema=schema,
        style=style,
        # An exploded object is all that deepObject defines.
        explode=style == "deepObject" or flag(value.get("explode"), style == "form"),
        description=prose(value.get("description")),
        allow_reserved=flag(value.get("allowReserved")),
        deprecated=flag(value.get("deprecated")),
        allow_empty=location == "query" and flag(value.get("allowEmptyValue")),
        media_type=media_type,
        example=media_example if example is None else example,
    )


def is_others_header(location: str, called: str) -> bool:
    """Whether a parameter is a header that the document describes elsewhere."""
    return location == "header" and called.lower() in _OTHERS_HEADERS


def read_example(reading: Reading, value: dict[str, Any], at: str) -> Any:
    """The `example`, or the value of the first of `examples` that has one; none otherwise."""
    if "example" in value:
        return value["example"]
    examples = value.get("examples")
    for key, raw in (examples if isinstance(examples, dict) else {}).items():
        try:
            described, _ = reading.resolver.follow(raw, below(below(at, "examples"), key))
        except UnusableError as error:
            reading.notices.add(f"an example is left out: {error.reason}", error.at)
            continue
        if isinstance(described, dict) and "value" in described:
            return described["value"]
    return None


def fit_to_path(
    reading: Reading, parameters: list[Parameter], template: PathTemplate, at: str
) -> tuple[Parameter, ...]:
    """Parameters as the path needs them: one for each name in braces, none that the path has no place for."""
    fitted: list[Parameter] = []
    declared = {parameter.name: parameter for parameter in parameters if parameter.location == "path"}
    for parameter in parameters:
        if parameter.location != "path" or parameter.name in template.names:
            fitted.append(parameter)
        elif parameter.name not in template.queries.values():
            reading.notices.add(f"the path has no place for the parameter `{parameter.name}`: left out", at)
    for called in template.names:
        if called not in declared:
            reading.notices.add(f"the path's parameter `{called}` is not described: any text is allowed", at)
            fitted.append(_text_parameter(called, "path"))
    queries = {parameter.name for parameter in fitted if parameter.location == "query"}
    for wire, called in template.queries.items():
        if wire not in queries:
            known = declared.get(called, _text_parameter(wire, "query"))
            fitted.append(replace(known, name=wire, location="query", style="form", explode=True))
    return tuple(fitted)


def _text_parameter(called: str, location: Location) -> Parameter:
    style = cast("Style", STYLES[location][0])
    return Parameter(called, location, True, {"type": "string"}, style, explode=style == "form")


def _style(reading: Reading, value: dict[str, Any], location: str, at: str) -> Style:
    style = value.get("style", STYLES[location][0])
    if style not in STYLES[location]:
        reading.notices.add(f"the style `{prose(style)}` is not one for {location}: the default holds", at)
        style = STYLES[location][0]
    return cast("Style", style)


def _schema(
    reading: Reading, value: dict[str, Any], at: str, needs: set[str]
) -> tuple[dict[str, Any], str | None, Any]:
    """The schema, and media type and example where the parameter has `content`."""
    if "schema" in value:
        return reading.pool.read(value["schema"], below(at, "schema"), needs), None, None
    place = below(at, "content")
    content = mapping(value.get("content"), "`content`", place)
    for media_type, raw in content.items():
        if len(content) > 1:
            reading.notices.add(f"of several media types `{media_type}` is taken", place)
        media_place = below(place, media_type)
        media = mapping(raw, "a media type", media_place)
        schema = reading.pool.read(media.get("schema", {}), below(media_place, "schema"), needs)
        return schema, media_type, read_example(reading, media, media_place)
    if "type" in value:
        reading.notices.add("the parameter is described as in Swagger 2.0: read so", at)
        return reading.pool.read(bare_schema(value), at, needs), None, None
    return {}, None, None


def bare_schema(value: dict[str, Any]) -> dict[str, Any]:
    """The schema keywords of a parameter that has no `schema` (Swagger 2.0)."""
    others = (
        "name",
        "in",
        "description",
        "required",
        "deprecated",
        "collectionFormat",
        "example",
        "allowEmptyValue",
    )
    return {keyword: item for keyword, item in value.items() if keyword not in others}
