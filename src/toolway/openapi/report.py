"""What `toolway import` tells about a document: taken, set aside, noticed, counted.

Makes JSON data of a Document; printing it is the command's business.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from toolway.openapi.credentials import PLUGIN, suggestions

if TYPE_CHECKING:
    from toolway.openapi.model import Document, Operation


def report(document: Document, name: str | None = None) -> dict[str, Any]:
    """The report as JSON data. References of what it suggests have the api's `name`, or the document's title.

    Parameters are counted by `location:style` (`content` for those with a media type).
    """
    operations = document.operations
    parameters = Counter(
        f"{parameter.location}:{'content' if parameter.media_type else parameter.style}"
        for operation in operations
        for parameter in operation.parameters
    )
    bodies = Counter(
        content.media_type
        for operation in operations
        if operation.body is not None
        for content in operation.body.contents
    )
    return {
        "title": document.title,
        "version": document.version,
        "api_version": document.api_version,
        "servers": list(document.servers),
        "operations": [_entry(operation) for operation in operations],
        "set_aside": [asdict(aside) for aside in document.set_aside],
        "notices": [asdict(notice) for notice in document.notices],
        "security_schemes": document.security_schemes,
        "upstream_credentials": [
            {
                "schemes": list(suggestion.schemes),
                "operations": suggestion.operations,
                "wants": suggestion.wants,
                "plugins": {PLUGIN: suggestion.settings},
                "yaml": suggestion.yaml,
            }
            for suggestion in suggestions(document, name or document.title)
        ],
        "parameters": dict(sorted(parameters.items())),
        "bodies": dict(sorted(bodies.items())),
        "schemas": len(document.schemas),
    }


def _entry(operation: Operation) -> dict[str, Any]:
    return {
        "id": operation.id,
        "method": operation.method,
        "path": operation.path,
        "source_id": operation.source_id,
        "summary": operation.summary,
        "deprecated": operation.deprecated,
        "parameters": [
            {"name": parameter.name, "in": parameter.location, "required": parameter.required}
            for parameter in operation.parameters
        ],
        "body": [content.media_type for content in operation.body.contents] if operation.body else [],
        "security": list(operation.security),
        "at": operation.at,
    }
