"""Exports: an app in the formats that LLM clients read, as it is published now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolway.admin.answers import Answer, Refusal, not_found
from toolway.apps.actions import actions_document, dump_yaml
from toolway.apps.formats import FORMATS, exported

if TYPE_CHECKING:
    from toolway.admin.operation import Call, Context


def export(context: Context, call: Call) -> Answer:
    """An app in a format; `openapi` as YAML on request."""
    wanted = call.path["format"]
    if wanted not in FORMATS:
        raise Refusal(404, f"there is no format {wanted[:100]!r}; there are {', '.join(FORMATS)}")
    view = context.view(call.path["id"])
    if view is None:
        raise not_found()
    if wanted == "openapi" and call.query.get("yaml"):
        return Answer(200, dump_yaml(actions_document(view)), media_type="application/yaml")
    return Answer(200, exported(view, wanted))
