"""The compiler's one entry: a draft is filled section by section and becomes the snapshot.

The order of sections and entries is the order of the file, then what is generated; routes of the user come
before operations, and these before what apps publish, so that equal matches are decided in that order.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolway.compile.apis import add_api
from toolway.compile.clashes import report_clashes
from toolway.compile.compiled import Compiled
from toolway.compile.consumers import add_consumers, add_global_rules, report_missing_consumers
from toolway.compile.credentials import report_credentials
from toolway.compile.draft import Draft
from toolway.compile.publishing import add_app
from toolway.compile.routes import add_routes
from toolway.compile.settling import warn_of_metadata
from toolway.compile.ssls import add_ssls
from toolway.compile.upstreams import Upstreams
from toolway.compile.views import view_of
from toolway.problem import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from toolway.apps.model import AppView
    from toolway.config import Configuration
    from toolway.config.models.gateway import Limits
    from toolway.openapi.model import Document

VERSION = 1
"""The version of the snapshot's format."""


def compile(  # noqa: A001  # The word of the design for this step.
    configuration: Configuration,
    documents: Mapping[str, Document],
    *,
    logos: Mapping[str, bytes] | None = None,
    connect_to: Mapping[str, str] | None = None,
    cores: int = 1,
    only: Collection[str] | None = None,
    main_app: str | None = None,
    address_lists: Mapping[str, Sequence[str]] | None = None,
) -> Compiled:
    """Compiles `configuration`.

    `documents` holds the document of each api by its id, `logos` the image of each app that has one of its
    own, and `address_lists` the networks of each source that plugins name. `connect_to` maps `host:port` of
    nodes to where connections go instead, as curl's --connect-to does. `cores` is the number of workers where
    none is configured. `only` are the pointers of the resources whose entries are wanted, for a configuration
    that is a part of a larger one; `main_app` is then the first app of the whole. Raises ConfigurationError
    with all problems, in the order of the file.
    """
    if main_app is None and configuration.apps:
        main_app = configuration.apps[0].id
    draft = Draft(configuration, main_app, only, address_lists or {})
    add_ssls(draft)
    upstreams = Upstreams(draft, connect_to or {})
    for upstream in configuration.upstreams.values():
        upstreams.add(upstream.id, upstream, upstream.pointer)
    add_routes(draft, upstreams)
    for api in configuration.apis:
        if api.id in documents and draft.wants(api.pointer):
            add_api(draft, upstreams, api, documents[api.id])
            report_credentials(draft, api, documents[api.id])
    views: list[AppView] = []
    for app in configuration.apps:
        if not draft.wants(app.pointer):
            continue
        view = view_of(draft, app, documents)
        views.append(view)
        add_app(draft, app, view, (logos or {}).get(app.id))
    add_consumers(draft)
    add_global_rules(draft)
    report_missing_consumers(draft)
    report_clashes(draft)
    warn_of_metadata(draft)
    if draft.problems:
        raise ConfigurationError(
            sorted(draft.problems, key=lambda problem: (problem.line or 0, problem.column or 0))
        )
    warnings = sorted(draft.warnings, key=lambda problem: (problem.line or 0, problem.column or 0))
    places = {"": "", "/gateway": "/gateway", **draft.places}
    return Compiled(configuration.source, _document(draft, cores), tuple(warnings), tuple(views), places)


def _limits(limits: Limits) -> dict[str, Any]:
    """The limits in the engine's units; what the file does not set is left to the engine's defaults."""
    found: dict[str, Any] = {
        "head_bytes": limits.head_bytes,
        "headers": limits.headers,
        "head_timeout_ms": round(limits.head_timeout * 1000),
        "mcp_body_bytes": limits.mcp_body_bytes,
    }
    for name, value in limits.model_dump(exclude={"head_timeout"}, exclude_defaults=True).items():
        is_time = name.endswith("_timeout")
        found[f"{name}_ms" if is_time else name] = round(value * 1000) if is_time else value
    return found


def _document(draft: Draft, cores: int) -> dict[str, Any]:
    settings = draft.configuration.gateway
    access_log = settings.access_log
    if access_log not in (None, "stdout"):
        access_log = str(draft.configuration.source.folder / Path(access_log or ""))
    tls_listen = settings.tls_listen(has_ssls=bool(draft.ssls))
    return {
        "version": VERSION,
        "gateway": {
            "listen": list(settings.listen),
            **({"tls_listen": tls_listen} if tls_listen else {}),
            "workers": settings.workers or cores,
            "metrics": settings.metrics,
            "control": settings.control,
            "access_log": access_log,
            **settings.set_values(),
            "limits": _limits(settings.limits),
            **({"dns": {"nameservers": list(settings.dns.nameservers)}} if settings.dns.nameservers else {}),
        },
        "upstreams": draft.upstreams,
        "routes": draft.routes,
        "consumers": draft.consumers,
        "global_rules": draft.global_rules,
        "apps": draft.apps,
        **({"apis": draft.apis} if draft.apis else {}),
        **({"ssls": draft.ssls} if draft.ssls else {}),
    }
