"""What ChatGPT cannot do with an app's actions document, for `toolway check` to tell.

All are warnings, for the app's other formats are as good as ever. `pointer` is the app's field
that would be changed. Source: llm-clients requirements, section 2.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from toolway.apps.access import credential_header, is_custom
from toolway.apps.arguments import callers_parameters
from toolway.apps.names import tool_names
from toolway.apps.text import tidy
from toolway.problem import Problem

if TYPE_CHECKING:
    from toolway.apps.model import AppView, SelectedOperation

MAX_OPERATIONS = 30
MAX_OPERATION_TEXT = 299


def actions_problems(view: AppView) -> list[Problem]:
    """The limits that the app's actions document breaks and what it had to leave out."""
    found = [*_too_many(view), *_server(view), *_credentials(view), *_clashes(view)]
    for selected, name in zip(view.operations, tool_names(view), strict=True):
        found += _left_out(selected)
        found += _configured_texts(selected, name)
    return found


def _too_many(view: AppView) -> list[Problem]:
    if len(view.operations) <= MAX_OPERATIONS:
        return []
    several = len({selected.api_id for selected in view.operations}) > 1
    groups = Counter(_group(selected, several=several) for selected in view.operations)
    listed = ", ".join(f"{name} ({count})" for name, count in groups.items())
    return [
        Problem(
            "actions-too-many-operations",
            f"{len(view.operations)} operations are selected; ChatGPT takes {MAX_OPERATIONS} a document",
            pointer="/operations",
            hint=f"split by tag into apps with a host each: {listed}",
            kind="warning",
        )
    ]


def _group(selected: SelectedOperation, *, several: bool) -> str:
    tag = selected.operation.tags[0] if selected.operation.tags else "without a tag"
    return f"{selected.api_id}: {tag}" if several else tag


def _server(view: AppView) -> list[Problem]:
    if urlsplit(view.base_url).scheme == "https":
        return []
    return [
        Problem(
            "actions-server-not-https",
            f"base_url is {view.base_url}; ChatGPT takes an https server only",
            pointer="/base_url",
            hint="http is enough for trying out",
            kind="warning",
        )
    ]


def _credentials(view: AppView) -> list[Problem]:
    found = []
    headers = dict.fromkeys(
        selected.credential_headers[0].lower() for selected in view.operations if selected.credential_headers
    )
    if len(headers) > 1:
        found.append(
            Problem(
                "actions-several-credentials",
                f"operations want credentials in {', '.join(headers)}; ChatGPT sends one, "
                f"here {credential_header(view)}",
                pointer="/operations",
                hint="let the routes take the credential in one header, or split the app",
                kind="warning",
            )
        )
    header, kind = credential_header(view), view.auth.get("type", "none")
    if is_custom(header) and kind in ("user_http", "service_http", "oauth"):
        found.append(
            Problem(
                "actions-credential-mismatch",
                f"auth is {kind}, sent in Authorization, but operations want a credential in {header}",
                pointer="/auth",
                hint="set key-auth's header to Authorization, or auth to none and give ChatGPT the key",
                kind="warning",
            )
        )
    return found


def _clashes(view: AppView) -> list[Problem]:
    seen: dict[tuple[str, str, str], str] = {}
    found = []
    for selected in view.operations:
        operation = selected.operation
        key = (operation.method, selected.path, operation.fixed_query)
        first = seen.setdefault(key, selected.route_id)
        if first != selected.route_id:
            found.append(
                Problem(
                    "actions-same-place",
                    f"{selected.route_id} and {first} are both {operation.method} {selected.path}; "
                    "the document has the first selected",
                    pointer="/operations",
                    hint=f"give one of the apis a prefix, or leave one out with !{selected.route_id}",
                    kind="warning",
                )
            )
    return found


def _left_out(selected: SelectedOperation) -> list[Problem]:
    """Required parameters that GPT Actions cannot send; optional ones are left out without a word."""
    return [
        Problem(
            f"actions-required-{parameter.location}",
            f"{selected.route_id} needs the {parameter.location} {parameter.name}, which ChatGPT cannot send",
            pointer="/operations",
            hint=(
                f"leave it out with !{selected.route_id}"
                + (", or set it with proxy-rewrite's headers" if parameter.location == "header" else "")
            ),
            kind="warning",
        )
        for parameter in callers_parameters(selected)
        if parameter.required and parameter.location in ("header", "cookie")
    ]


def _configured_texts(selected: SelectedOperation, name: str) -> list[Problem]:
    found = []
    described = tidy(selected.tool.description or "")
    if len(described) > MAX_OPERATION_TEXT:
        found.append(
            Problem(
                "actions-description-too-long",
                f"the description of {selected.route_id} has {len(described)} characters; ChatGPT takes "
                f"{MAX_OPERATION_TEXT}, so that its document has only the first of them",
                pointer="/operations",
                kind="warning",
            )
        )
    if selected.tool.name and selected.tool.name != name:
        found.append(
            Problem(
                "tool-name-changed",
                f"the tool name {selected.tool.name!r} of {selected.route_id} is taken or not legal; "
                f"it is {name!r}",
                pointer="/operations",
                hint="a letter, then letters, digits, _ and -, at most 64, once in the app",
                kind="warning",
            )
        )
    return found
