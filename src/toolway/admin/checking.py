"""What there is to configure and whether a configuration would do: plugins, schemas, validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolway.admin.answers import Answer, Refusal, invalid, not_found
from toolway.admin.resources import RESOURCES
from toolway.admin.schemas import Schemas
from toolway.admin.writing import change_of, check_possible, of_one
from toolway.problem import ConfigurationError

if TYPE_CHECKING:
    from toolway.admin.operation import Call, Context
    from toolway.admin.resources import ResourceKind

_CANDIDATE = "candidate"
"""The id of what is only checked and has none."""


def list_plugins(context: Context, _call: Call) -> Answer:
    """The names of all plugins in the order in which they run."""
    about = context.plugin_schemas
    return Answer(200, sorted(about, key=lambda name: (-about[name]["priority"], name)))


def get_plugins(context: Context, _call: Call) -> Answer:
    """All plugins by name, with priority and schema."""
    schemas = Schemas(context.plugin_schemas)
    found = {
        name: {"priority": about["priority"], "schema": schemas.alone(f"plugin.{name}")}
        for name, about in context.plugin_schemas.items()
    }
    return Answer(200, found)


def get_plugin_schema(context: Context, call: Call) -> Answer:
    """The schema of a plugin's settings."""
    name = call.path["name"]
    if name not in context.plugin_schemas:
        raise Refusal(404, f"there is no plugin {name[:100]!r}")
    return Answer(200, Schemas(context.plugin_schemas).alone(f"plugin.{name}"))


def get_schema(context: Context, call: Call) -> Answer:
    """The schema of a kind, by the name of its list or of one of them."""
    return Answer(200, Schemas(context.plugin_schemas).kind_alone(_kind(call).name))


def validate(context: Context, call: Call) -> Answer:
    """Whether a resource could be written as it is: references, plugins and all."""
    kind = _kind(call)
    value = call.object()
    given = value.get(kind.id_field)
    path = dict.fromkeys((name for name, _ in kind.parts), _CANDIDATE)
    if kind.name == "credentials":
        raise Refusal(400, "a credential is checked with its consumer: it has no kind of its own here")
    identifier = kind.identifier({} if given is not None else path, value)
    before = context.records.get(kind.name, identifier)
    change, wrong = change_of(kind, context, identifier, value, before)
    check_possible(context, change, wrong)
    try:
        context.check([change])
    except ConfigurationError as error:
        raise invalid(of_one(error.problems, kind.name, identifier)) from error
    return Answer(200, {"valid": True})


def _kind(call: Call) -> ResourceKind:
    wanted = call.path["kind"]
    for kind in RESOURCES.values():
        if wanted in (kind.name, kind.singular.replace(" ", "_")):
            return kind
    raise not_found()
