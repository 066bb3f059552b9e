"""The table of all operations: those of each kind, made from its row, and those that there is one of.

Nothing else says what the Admin API has: `application` makes the routes of it, `document` the description.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from toolway.admin import changing, checking, exporting, history, importing, reading, writing
from toolway.admin.operation import Operation
from toolway.admin.parameters import (
    AGAINST,
    FORCE,
    IF_MATCH,
    IF_NONE_MATCH,
    LABEL,
    NAME,
    PAGE,
    PAGE_SIZE,
    TTL,
    URI,
    YAML,
)
from toolway.admin.resources import IDENTIFIER, PREFIX, RESOURCES
from toolway.apps.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolway.admin.operation import Schema
    from toolway.admin.resources import ResourceKind

_NUMBER = "[1-9][0-9]{0,14}"


def operations() -> tuple[Operation, ...]:
    """Every operation; where two paths match the same request, the first holds."""
    # Paths that say more come first: each would else be taken for a sub-path of a resource.
    kinds = sorted(RESOURCES.values(), key=lambda kind: not kind.below)
    return (*_others(), *(found for kind in kinds for found in _of_kind(kind)))


def _schema(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _of_kind(kind: ResourceKind) -> Iterator[Operation]:
    word, name = kind.singular, kind.name
    one = _schema(f"{name}.one")
    own: dict[str, Any] = {"kind": kind, "tag": name, "patterns": dict(kind.parts)}
    above = {**own, "patterns": dict(kind.parts[:1]) if kind.below else {}}
    article = "an" if word[0] in "aeiou" else "a"
    made = (f"The {word} was made.", one)
    replaced = (f"The {word} was replaced.", one)
    conditions = (IF_MATCH, IF_NONE_MATCH, TTL)
    yield Operation(
        f"list_{name}",
        "GET",
        kind.collection,
        f"List {name.replace('_', ' ')}.",
        partial(reading.get_list, kind),
        {200: ("The list.", _schema(f"{name}.list"))},
        parameters=(PAGE, PAGE_SIZE, NAME, LABEL, URI),
        refusals=(400, 404) if kind.below else (400,),
        **above,
    )
    yield Operation(
        f"put_{name}",
        "PUT",
        kind.collection,
        f"Make or replace {article} {word} that says its own id.",
        partial(writing.put, kind),
        {200: replaced, 201: made},
        parameters=conditions,
        body=_schema(f"{name}.write_id"),
        refusals=(400, 409),
        writes=True,
        **above,
    )
    if name == "apis":
        yield _import(above)
    elif kind.makes_ids:
        yield Operation(
            f"post_{name}",
            "POST",
            kind.collection,
            f"Make {article} {word}; the gateway chooses its id.",
            partial(writing.post, kind),
            {201: made},
            parameters=(TTL,),
            body=_schema(f"{name}.write"),
            writes=True,
            **above,
        )
    if kind.makes_ids:
        yield Operation(
            f"post_{name}_id",
            "POST",
            kind.item,
            f"Refused, as in APISIX: {article} {word} with an id of its own is made by PUT.",
            partial(writing.post, kind),
            {},
            body={},
            writes=True,
            **own,
        )
    yield Operation(
        f"get_{name}",
        "GET",
        kind.item,
        f"Get {article} {word}.",
        partial(reading.get_one, kind),
        {200: (f"The {word}.", one)},
        parameters=(TTL,),
        refusals=(400, 404),
        **own,
    )
    yield Operation(
        f"put_{name}_id",
        "PUT",
        kind.item,
        f"Make or replace {article} {word}.",
        partial(writing.put, kind),
        {200: replaced, 201: made},
        parameters=conditions,
        body=_schema(f"{name}.write"),
        refusals=(400, 409),
        writes=True,
        **own,
    )
    yield Operation(
        f"patch_{name}",
        "PATCH",
        kind.item,
        f"Merge fields into {article} {word} (RFC 7396).",
        partial(writing.patch, kind),
        {200: (f"The {word} as it is now.", one)},
        parameters=(IF_MATCH, TTL),
        body={"type": "object"},
        refusals=(400, 404, 409),
        writes=True,
        **own,
    )
    yield Operation(
        f"patch_{name}_part",
        "PATCH",
        f"{kind.item}/{{path}}",
        f"Replace what stands at a path within {article} {word}, or take it away by null.",
        partial(writing.patch_part, kind),
        {200: (f"The {word} as it is now.", one)},
        parameters=(IF_MATCH, TTL),
        body={},
        refusals=(400, 404, 409),
        writes=True,
        **own,
    )
    yield Operation(
        f"delete_{name}",
        "DELETE",
        kind.item,
        f"Delete {article} {word}.",
        partial(writing.delete, kind),
        {200: (f"The {word} is gone.", _schema("Deleted"))},
        parameters=(FORCE, IF_MATCH),
        refusals=(400, 404, 409),
        writes=True,
        **own,
    )


def _import(above: dict[str, Any]) -> Operation:
    return Operation(
        "import_api",
        "POST",
        RESOURCES["apis"].collection,
        "Import an OpenAPI document, given inline or by its URL, and report on it.",
        importing.import_api,
        {201: ("The api was made; `report` tells what was taken of the document.", _schema("Imported"))},
        body=_schema("Import"),
        refusals=(400, 409),
        writes=True,
        **above,
    )


def _others() -> Iterator[Operation]:
    any_object: Schema = {"type": "object"}
    yield Operation(
        "export_app",
        "GET",
        f"{PREFIX}/apps/{{id}}/export/{{format}}",
        "Get an app in a format that LLM clients read.",
        exporting.export,
        {200: ("The app in that format.", {})},
        parameters=(YAML,),
        refusals=(400, 404),
        tag="apps",
        patterns={"id": IDENTIFIER, "format": f"({'|'.join(FORMATS)})"},
    )
    yield Operation(
        "list_plugins",
        "GET",
        f"{PREFIX}/plugins/list",
        "List the names of all plugins in the order in which they run.",
        checking.list_plugins,
        {200: ("The names.", {"type": "array", "items": {"type": "string"}})},
        tag="plugins",
    )
    yield Operation(
        "get_plugins",
        "GET",
        f"{PREFIX}/plugins",
        "Get all plugins with their priorities and schemas.",
        checking.get_plugins,
        {200: ("By name.", {"type": "object", "additionalProperties": _schema("Plugin")})},
        tag="plugins",
    )
    for identifier, path in (
        ("get_plugin", "plugins/{name}"),
        ("get_plugin_schema", "schema/plugins/{name}"),
    ):
        yield Operation(
            identifier,
            "GET",
            f"{PREFIX}/{path}",
            "Get the schema of a plugin's settings.",
            checking.get_plugin_schema,
            {200: ("The JSON Schema.", any_object)},
            refusals=(400, 404),
            tag="plugins" if identifier == "get_plugin" else "schema",
            patterns={"name": IDENTIFIER},
        )
    yield Operation(
        "validate",
        "POST",
        f"{PREFIX}/schema/validate/{{kind}}",
        "Check whether a resource could be written, without writing it.",
        checking.validate,
        {200: ("It could.", _schema("Valid"))},
        body=any_object,
        refusals=(400, 404),
        tag="schema",
        patterns={"kind": "[a-z_]{1,64}"},
    )
    yield Operation(
        "get_schema",
        "GET",
        f"{PREFIX}/schema/{{kind}}",
        "Get the schema of a kind, by the name of its list or of one of them (`route`).",
        checking.get_schema,
        {200: ("The JSON Schema.", any_object)},
        refusals=(400, 404),
        tag="schema",
        patterns={"kind": "[a-z_]{1,64}"},
    )
    yield from _of_history()
    yield from _of_many()


def _of_history() -> Iterator[Operation]:
    numbered: dict[str, Any] = {
        "refusals": (400, 404),
        "tag": "revisions",
        "patterns": {"number": _NUMBER},
    }
    yield Operation(
        "list_revisions",
        "GET",
        f"{PREFIX}/revisions",
        "List revisions, the latest first.",
        history.list_revisions,
        {200: ("The revisions.", _schema("Revisions"))},
        parameters=(PAGE, PAGE_SIZE),
        refusals=(400, 404),
        tag="revisions",
    )
    yield Operation(
        "get_revision",
        "GET",
        f"{PREFIX}/revisions/{{number}}",
        "Get a revision with its changes.",
        history.get_revision,
        {200: ("The revision.", _schema("Revision"))},
        **numbered,
    )
    yield Operation(
        "diff_revisions",
        "GET",
        f"{PREFIX}/revisions/{{number}}/diff",
        "Compare a revision with another, by default the one before it.",
        history.diff_revisions,
        {200: ("What differs.", _schema("Differences"))},
        parameters=(AGAINST,),
        **numbered,
    )
    yield Operation(
        "roll_back",
        "POST",
        f"{PREFIX}/revisions/{{number}}/rollback",
        "Bring the state of a revision back, as a new revision.",
        history.roll_back,
        {200: ("It is back.", _schema("RolledBack"))},
        writes=True,
        **{**numbered, "refusals": (400, 404, 409)},
    )


def _of_many() -> Iterator[Operation]:
    yield Operation(
        "bulk",
        "POST",
        f"{PREFIX}/bulk",
        "Make many changes as one revision and one swap, or none of them.",
        changing.bulk,
        {200: ("All were made.", _schema("Written"))},
        body=_schema("Bulk"),
        refusals=(400, 404, 409),
        writes=True,
        tag="declarative",
    )
    for identifier, summary, run in (
        ("plan", "Tell what `apply` would change, field by field.", changing.plan),
        ("apply", "Make the resources of an owner what they should be, as one revision.", changing.apply),
    ):
        yield Operation(
            identifier,
            "POST",
            f"{PREFIX}/{identifier}",
            summary,
            run,
            {200: ("The changes.", _schema("Plan"))},
            body=_schema("Desired"),
            refusals=(400, 409),
            writes=identifier == "apply",
            tag="declarative",
        )
