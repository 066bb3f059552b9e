"""Importing: an OpenAPI document becomes an api, and the answer reports what was taken of it and what not.

The body is the document itself, or the fields of an api with the document or its URL as `spec`. Without an id
the api gets one of the document's title, and never replaces another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from toolway import openapi
from toolway.admin.answers import Answer, Refusal, invalid
from toolway.admin.resources import RESOURCES
from toolway.admin.writing import put
from toolway.openapi.source import is_url
from toolway.problem import ConfigurationError, Problem
from toolway.scaffold import identifier

if TYPE_CHECKING:
    from toolway.admin.operation import Call, Context
    from toolway.openapi.model import Document

_NUMBERED_MOST = 100


def import_api(context: Context, call: Call) -> Answer:
    """Makes an api of a document: 201 with the resource and the report."""
    context.writing()
    given = call.object()
    value = {"spec": given} if "openapi" in given or "swagger" in given else given
    document = _document(value.get("spec"))
    chosen = value.get("id")
    if chosen is None:
        chosen = _free(context, identifier(document.title))
    made = put(
        RESOURCES["apis"],
        context,
        replace(call, body={**value, "id": chosen}, headers={**call.headers, "if-none-match": "*"}),
    )
    return replace(made, body={**made.body, "report": openapi.report(document, str(chosen))})


def _document(spec: Any) -> Document:
    if not isinstance(spec, dict) and not (isinstance(spec, str) and is_url(spec)):
        message = "expected an OpenAPI document, or its http or https URL"
        raise invalid([Problem("wrong-value", message, pointer="/spec")])
    try:
        return openapi.read(spec)
    except ConfigurationError as error:
        said = [
            Problem("spec-unreadable", f"the document cannot be used: {problem}", pointer="/spec")
            for problem in error.problems
        ]
        raise invalid(said) from error


def _free(context: Context, wanted: str) -> str:
    for number in range(1, _NUMBERED_MOST):
        found = wanted if number == 1 else f"{wanted}-{number}"
        if context.records.get("apis", found) is None:
            return found
    raise Refusal(409, f'there are {_NUMBERED_MOST} apis called "{wanted}"; choose an id')
