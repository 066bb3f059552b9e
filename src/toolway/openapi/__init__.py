"""OpenAPI in: any supported document to one shape, with a report of what was taken and what was not.

`read` makes a `Document`; `report` tells about it. Applications of a document (routes, tools, published
documents) are made by `compile` and `apps`.
"""

from __future__ import annotations

from toolway.openapi.limits import Limits
from toolway.openapi.model import (
    Body,
    Content,
    Document,
    Location,
    Notice,
    Operation,
    Parameter,
    PropertyEncoding,
    Response,
    Schema,
    SetAside,
    Style,
)
from toolway.openapi.read import fetch_document, read
from toolway.openapi.report import report
from toolway.openapi.source import Kept, is_url

__all__ = [
    "Body",
    "Content",
    "Document",
    "Kept",
    "Limits",
    "Location",
    "Notice",
    "Operation",
    "Parameter",
    "PropertyEncoding",
    "Response",
    "Schema",
    "SetAside",
    "Style",
    "fetch_document",
    "is_url",
    "read",
    "report",
]
