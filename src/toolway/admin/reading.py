"""Reading: one resource, and lists of them by page and filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from toolway.admin.answers import Answer, Refusal, not_found
from toolway.admin.masking import shown
from toolway.admin.resources import RESOURCES

if TYPE_CHECKING:
    from toolway.admin.operation import Call, Context
    from toolway.admin.resources import ResourceKind
    from toolway.store import Filters, Resource

FILTERS = ("name", "label", "uri")
LEAST_PAGE, MOST_PAGE = 10, 500
PAGES_MOST = 10_000_000


def get_one(kind: ResourceKind, context: Context, call: Call) -> Answer:
    """One resource, with its modifiedIndex as entity tag."""
    resource = context.records.get(kind.name, kind.identifier(call.path))
    if resource is None:
        raise not_found()
    return Answer(200, entry(context, kind, resource), {"etag": f'"{resource.modified_index}"'})


def get_list(kind: ResourceKind, context: Context, call: Call) -> Answer:
    """All resources of a kind that the filters let through, in order of creation; a page where one is asked
    for.
    """
    filters = cast("Filters", {name: call.query[name] for name in FILTERS if name in call.query})
    if kind.below:
        filters["under"] = call.path["username"]
        if context.records.get("consumers", filters["under"]) is None:
            raise not_found()
    if "page_size" in call.query:
        page = call.query.get("page", 1)
        total, found = context.records.list(
            kind.name, page=page, page_size=call.query["page_size"], **filters
        )
    elif filters:
        total, found = context.records.list(kind.name, **filters)
    else:
        found = list(context.records.scan(kind.name))
        total = len(found)
    return Answer(200, {"total": total, "list": [entry(context, kind, resource) for resource in found]})


def entry(context: Context, kind: ResourceKind, resource: Resource) -> dict[str, Any]:
    """A resource as answers have it, without its secrets; beside a credential what is known of it."""
    return {
        **(_about_credential(context, resource) if kind.name == "credentials" else {}),
        "key": kind.key(resource.id),
        "value": shown(context.secret_places, kind.name, resource.value),
        "createdIndex": resource.created_index,
        "modifiedIndex": resource.modified_index,
    }


def _about_credential(context: Context, resource: Resource) -> dict[str, Any]:
    """The end of its key, where that is stored, and its last use, where there was one since the start."""
    username, _, identifier = resource.id.partition("/")
    plugins = resource.value.get("plugins")
    settings = plugins.get("key-auth") if isinstance(plugins, dict) else None
    found = {
        "key_hint": settings.get("key_hint") if isinstance(settings, dict) else None,
        "last_used_at": context.last_use(username, identifier),
    }
    return {name: value for name, value in found.items() if value is not None}


def page_size(text: str) -> int:
    """The size of a page. Raises Refusal in APISIX's words."""
    if not (text.isascii() and text.isdigit() and len(text) < 9 and LEAST_PAGE <= int(text) <= MOST_PAGE):
        raise Refusal(400, f"page_size must be between {LEAST_PAGE} and {MOST_PAGE}")
    return int(text)


def page_number(text: str) -> int:
    """The number of a page, from 1."""
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= PAGES_MOST):
        raise Refusal(400, f"page must be a whole number between 1 and {PAGES_MOST:,}")
    return int(text)


def kind_named(name: str) -> ResourceKind:
    """The kind that a path names. Raises Refusal (404)."""
    if name not in RESOURCES:
        raise Refusal(404, f'there is no kind "{name[:100]}"; there are {", ".join(RESOURCES)}')
    return RESOURCES[name]
