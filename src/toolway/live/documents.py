"""Documents and logos of the resources that are compiled: what apis and apps name beside the store.

An OpenAPI document behind a URL is fetched when its api is written and kept in the store, as a resource of
the kind `documents` with the api's id, so that a gateway starts without the network and all gateways have the
same. Paths of this machine mean nothing in a store, but for logos in a folder of their own.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from toolway import openapi
from toolway.openapi import Kept
from toolway.problem import ConfigurationError, Problem
from toolway.reading import logo_of_url, read_logo
from toolway.store import Change

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from toolway.config.models import Api, App
    from toolway.live.state import State
    from toolway.openapi.model import Document

logger = logging.getLogger("toolway.live")

KIND = "documents"
"""The kind in the store: {"spec": the URL as configured, "url": where it was found, "parts": by name}."""

_REMEMBERED = 8


class Documents:
    """Reads documents, the last few of which it remembers by their content."""

    def __init__(self, logos: Path) -> None:
        self._logos = logos
        self._read: OrderedDict[str, Document] = OrderedDict()

    def of(self, api: Api, state: State) -> Document:
        """The document of an api. Raises ConfigurationError, with pointers into the document."""
        if isinstance(api.spec, dict):
            return self._remembered(api.spec, api.spec)
        kept = state.get(KIND, api.id)
        if kept is None or kept["spec"] != api.spec:
            raise ConfigurationError([_refused("it is neither a URL that was read nor the document itself")])
        return self._remembered(kept, Kept(kept["url"], kept["parts"]))

    def logo(self, app: App) -> bytes | None:
        """The logo of an app; none: one is to be made. Raises OSError and ValueError."""
        if app.logo is None:
            return None
        if app.logo.startswith("data:"):
            return logo_of_url(app.logo)
        path = self._logos / app.logo
        if not path.resolve().is_relative_to(self._logos.resolve()):
            raise ValueError("it is outside the gateway's folder of logos")
        return read_logo(path)

    def fetched(self, changes: Sequence[Change], state: State) -> list[Change]:
        """The changes of documents that go with `changes`, where these have none: what their apis' URLs hold
        now.

        Where a URL cannot be read, the document that was kept of it goes on. Raises ConfigurationError where
        there is none.
        """
        found: list[Change] = []
        problems: list[Problem] = []
        given = {change.id for change in changes if change.kind == KIND}
        for change in changes:
            if change.kind != "apis" or change.id in given:
                continue
            spec = (change.value or {}).get("spec")
            kept = state.get(KIND, change.id)
            if not isinstance(spec, str) or not openapi.is_url(spec):
                found += [Change(KIND, change.id, None)] if kept is not None else []
                continue
            try:
                _, fetched = openapi.fetch_document(spec)
            except ConfigurationError as error:
                if kept is not None and kept["spec"] == spec:
                    logger.warning("%s; the document of the api %s is the one read before", error, change.id)
                    continue
                problems += _at(change.id, error)
            else:
                value = {"spec": spec, "url": fetched.url, "parts": dict(fetched.parts)}
                found.append(Change(KIND, change.id, value))
        if problems:
            raise ConfigurationError(problems)
        return found

    def _remembered(self, content: Any, spec: dict[str, Any] | Kept) -> Document:
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        document = self._read.pop(digest, None) or openapi.read(spec)
        self._read[digest] = document
        if len(self._read) > _REMEMBERED:
            self._read.popitem(last=False)
        return document


def _refused(why: str) -> Problem:
    return Problem("spec-unreadable", why, hint="give an http or https URL, or the document")


def _at(api: str, error: ConfigurationError) -> Iterator[Problem]:
    for problem in error.problems:
        message = f"the document cannot be used: {problem}"
        yield Problem("spec-unreadable", message, pointer=f"/apis/{api}/spec")
