"""Views: each app of the configuration resolved into what its clients are shown.

Operations are selected from all apis; texts that are not configured are made from the documents of the
selected operations, fitted to what clients take.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from toolway.apps import actions_check, curate, functions, manifest, variants
from toolway.apps.model import AppView, SelectedOperation
from toolway.compile.apis import path_of, plugins_of, roles_of, tool_of
from toolway.compile.callers import credential_headers
from toolway.config.models.base import split_address
from toolway.config.source import pointer_to

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolway.compile.draft import Draft
    from toolway.config.models import Api, App
    from toolway.openapi.model import Document, Operation


def hosts_of(app: App) -> list[str]:
    """The hosts of an app, without doubles."""
    return list(dict.fromkeys(app.hosts or ([app.host] if app.host else [])))


def view_of(draft: Draft, app: App, documents: Mapping[str, Document]) -> AppView:
    """The app's main view: at its host, or under `/apps/<id>` where no host leads to it."""
    operations = _selected(draft, app, documents)
    shown = list({id(selected.document): selected.document for selected in operations}.values())
    title = app.name_for_human or (shown[0].title if len(shown) == 1 else "") or app.name or app.id
    text = _description(shown) or f"{title}."
    is_reached = app.id == draft.main_app or bool(hosts_of(app))
    base_url = app.base_url or _base_url(draft, app)
    view = AppView(
        id=app.id,
        base_url=base_url,
        name_for_human=app.name_for_human or manifest.human_name(title),
        name_for_model=app.name_for_model or manifest.model_name(app.id),
        description_for_human=app.description_for_human or manifest.human_description(app.desc or text),
        description_for_model=app.description_for_model or manifest.model_description(app.desc or text),
        contact_email=app.contact_email or f"support@{urlsplit(base_url).hostname or 'localhost'}",
        legal_info_url=app.legal_info_url or f"{base_url}/",
        auth=app.manifest_auth(),
        version=app.version or (shown[0].api_version if len(shown) == 1 else "") or "1.0.0",
        operations=operations,
        path_prefix="" if is_reached else f"/apps/{app.id}",
    )
    _report(draft, app, view)
    return view


def _base_url(draft: Draft, app: App) -> str:
    hosts = [host for host in hosts_of(app) if not host.startswith("*")]
    if hosts:
        return f"https://{hosts[0]}"
    address = split_address(draft.configuration.gateway.listen[0])
    return f"http://localhost:{address[1] if address else 9080}"


def _description(documents: Sequence[Document]) -> str:
    return "\n\n".join(
        text for document in documents if (text := (document.description or document.title).strip())
    )


def _selected(draft: Draft, app: App, documents: Mapping[str, Document]) -> tuple[SelectedOperation, ...]:
    apis = {api.id: api for api in draft.configuration.apis if api.id in documents}
    available = {name: [operation.id for operation in documents[name].operations] for name in apis}
    for unmatched in curate.unmatched(app.operations, available):
        _tell_unmatched(
            draft, unmatched, f"{app.pointer}/operations/{unmatched.index}", "operation of any api"
        )
    selected = curate.select(app.operations, available)
    shown = {api: [operation for name, operation in selected if name == api] for api in available}
    for unmatched in curate.unmatched(list(app.roles), shown):
        at = f"{app.pointer}/roles{pointer_to(unmatched.pattern)}"
        _tell_unmatched(draft, unmatched, at, "operation that the app selects", at_key=True)
    by_id = {(name, operation.id): operation for name in apis for operation in documents[name].operations}
    return tuple(
        SelectedOperation(
            api_id=name,
            document=documents[name],
            operation=by_id[name, identifier],
            route_id=f"{name}:{identifier}",
            path=path_of(apis[name], by_id[name, identifier]),
            tool=tool_of(apis[name], by_id[name, identifier]),
            roles=_rules(app, apis[name], by_id[name, identifier]),
            credential_headers=_credential_headers(apis[name], documents[name], identifier),
        )
        for name, identifier in selected
    )


def _tell_unmatched(
    draft: Draft, unmatched: curate.Unmatched, at: str, what: str, *, at_key: bool = False
) -> None:
    message = f'"{unmatched.pattern}" matches no {what}'
    quoted = [f'"{name}"' for name in unmatched.near]
    hint = f"did you mean {' or '.join(quoted)}?" if quoted else 'write "api:operation", each side a glob'
    draft.problem("unmatched-selection", message, at, hint=hint, at_key=at_key)


def _rules(app: App, api: Api, operation: Operation) -> tuple[tuple[str, ...], ...]:
    """The rules that hold for an operation as a tool: the api's, and the app's own by its last pattern."""
    own = [
        tuple(roles)
        for pattern, roles in app.roles.items()
        if curate.select([pattern], {api.id: [operation.id]})
    ]
    rules = (roles_of(api, operation), own[-1] if own else None)
    return tuple(dict.fromkeys(rule for rule in rules if rule is not None))


def _credential_headers(api: Api, document: Document, identifier: str) -> tuple[str, ...]:
    operation = next(operation for operation in document.operations if operation.id == identifier)
    return credential_headers(plugins_of(api, operation).plugins)


def _report(draft: Draft, app: App, view: AppView) -> None:
    if not view.operations:
        message = f'the app "{app.id}" selects no operation'
        draft.warn("app-without-operations", message, f"{app.pointer}/operations")
    source = draft.configuration.source
    sources = (
        manifest.problems,
        actions_check.actions_problems,
        functions.function_problems,
        variants.variant_problems,
    )
    for problem in (problem for problems in sources for problem in problems(view)):
        pointer = app.pointer + problem.pointer
        place = source.place(pointer)
        line, column = (place.line, place.column) if place else (None, None)
        told = replace(problem, kind="warning", file=source.file, line=line, column=column, pointer=pointer)
        draft.warnings.append(told)
