"""Compares an answer of a demo API with what its OpenAPI document promises. For the tests of this folder."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import yaml

if TYPE_CHECKING:
    import httpx


class Contract:
    """A document of the demo, and whether answers keep to it."""

    def __init__(self, name: str) -> None:
        self.document = yaml.safe_load(files("toolway.demo").joinpath(name).read_text(encoding="utf-8"))

    def check(self, response: httpx.Response) -> None:
        """Fails unless the document describes the status and each property of the body."""
        declared = self._follow(self._operation(response.request)["responses"].get(str(response.status_code)))
        assert declared is not None, f"{response.request.url}: {response.status_code} is not in the document"
        media_type = response.headers["content-type"].partition(";")[0]
        schema = declared["content"][media_type]["schema"]
        jsonschema_rs.validator_for(_closed({**schema, "components": self.document["components"]})).validate(
            response.json()
        )

    def _operation(self, request: httpx.Request) -> Any:
        for path, item in self.document["paths"].items():
            if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", path), request.url.path):
                return item[request.method.lower()]
        raise AssertionError(f"{request.url.path} is not in the document")

    def _follow(self, value: Any) -> Any:
        if not isinstance(value, dict) or "$ref" not in value:
            return value
        found = self.document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return found


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if closed.get("type") == "object" and isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed
