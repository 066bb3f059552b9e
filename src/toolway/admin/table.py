"""The table of all operations: those of each kind, made from its row, and those that there is one of.

Nothing else says what the Admin API has: `application` makes the routes of it, `document` the description.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.admin import changing, checking, exporting, history
from toolway.admin.kind_operations import operations_of
from toolway.admin.operation import Operation, component
from toolway.admin.parameters import AGAINST, PAGE, PAGE_SIZE, YAML
from toolway.admin.resources import IDENTIFIER, PREFIX, RESOURCES
from toolway.apps.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolway.admin.operation import Schema

_NUMBER = "[1-9][0-9]{0,14}"


def operations() -> tuple[Operation, ...]:
    """Every operation; where two paths match the same request, the first holds."""
    # Paths that say more come first: each would else be taken for a sub-path of a resource.
    kinds = sorted(RESOURCES.values(), key=lambda kind: not kind.below)
    return (*_others(), *(found for kind in kinds for found in operations_of(kind)))


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
    yield from _of_plugins(any_object)
    yield from _of_schemas(any_object)
    yield from _of_history()
    yield from _of_many()


def _of_plugins(any_object: Schema) -> Iterator[Operation]:
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
        {200: ("By name.", {"type": "object", "additionalProperties": component("Plugin")})},
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


def _of_schemas(any_object: Schema) -> Iterator[Operation]:
    yield Operation(
        "validate",
        "POST",
        f"{PREFIX}/schema/validate/{{kind}}",
        "Check whether a resource could be written, without writing it.",
        checking.validate,
        {200: ("It could.", component("Valid"))},
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
        {200: ("The revisions.", component("Revisions"))},
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
        {200: ("The revision.", component("Revision"))},
        **numbered,
    )
    yield Operation(
        "diff_revisions",
        "GET",
        f"{PREFIX}/revisions/{{number}}/diff",
        "Compare a revision with another, by default the one before it.",
        history.diff_revisions,
        {200: ("What differs.", component("Differences"))},
        parameters=(AGAINST,),
        **numbered,
    )
    yield Operation(
        "roll_back",
        "POST",
        f"{PREFIX}/revisions/{{number}}/rollback",
        "Bring the state of a revision back, as a new revision.",
        history.roll_back,
        {200: ("It is back.", component("RolledBack"))},
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
        {200: ("All were made.", component("Written"))},
        body=component("Bulk"),
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
            {200: ("The changes.", component("Plan"))},
            body=component("Desired"),
            refusals=(400, 409),
            writes=identifier == "apply",
            tag="declarative",
        )
