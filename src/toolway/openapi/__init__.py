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
from toolway.openapi.read import read
from toolway.openapi.report import report

__all__ = [
    "Body",
    "Content",
    "Document",
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
    "read",
    "report",
]
