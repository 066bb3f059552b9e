"""Schemas of what is not a resource: refusals, revisions, plans and what they are asked with. Data only."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from toolway.config.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping


def _object(required: str, /, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def _list(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_KIND = {"type": "string", "enum": list(KINDS)}
_VALUE = {"type": ["object", "null"]}
_SECTIONS = [kind.section for kind in KINDS.values() if kind.section]

_REVISION = {
    "revision": {"type": "integer", "minimum": 1},
    "time": {"type": "number", "description": "Seconds since 1970."},
    "actor": {"type": "string", "description": "The name of the key that wrote."},
    "note": _TEXT,
    "size": {"type": "integer", "description": "How many resources it changed."},
}

SHAPES: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "Refusal": {
            "type": "object",
            "properties": {
                "error_msg": _TEXT,
                "message": {"type": "string", "description": "`Key not found`, as APISIX has it."},
                "description": {"type": "string", "description": "Why the key did not do."},
                "problems": _list(_ref("Problem")),
            },
            "required": ["error_msg"],
        },
        "Problem": _object(
            "code message pointer",
            code={"type": "string", "description": "Stable; listed in docs/errors.md."},
            message=_TEXT,
            pointer={"type": "string", "description": "JSON pointer (RFC 6901) into what was sent."},
            hint={"type": "string", "description": "How to mend it."},
        ),
        "Deleted": _object("deleted key", deleted={"const": "1"}, key=_TEXT),
        "Plugin": _object("priority schema", priority={"type": "integer"}, schema={"type": "object"}),
        "Valid": _object("valid", valid={"const": True}),
        "Imported": {
            "type": "object",
            "properties": {
                "key": _TEXT,
                "value": {"type": "object"},
                "createdIndex": _COUNT,
                "modifiedIndex": _COUNT,
                "report": {"type": "object", "description": "As `toolway import --output json` prints it."},
            },
            "required": ["key", "value", "report"],
        },
        "Import": {
            "type": "object",
            "description": "An OpenAPI document, or an api with the document or its URL as `spec`.",
        },
        "Revisions": _object(
            "total list", total=_COUNT, list=_list(_object(" ".join(_REVISION), **_REVISION))
        ),
        "Revision": _object(
            " ".join((*_REVISION, "changes")),
            **_REVISION,
            changes=_list(_object("kind id value", kind=_TEXT, id=_TEXT, value=_VALUE)),
        ),
        "Differences": _object(
            "before after differences",
            before=_COUNT,
            after=_COUNT,
            differences=_list(
                _object(
                    "kind id before after places",
                    kind=_TEXT,
                    id=_TEXT,
                    before=_VALUE,
                    after=_VALUE,
                    places=_list(_TEXT),
                )
            ),
        ),
        "RolledBack": _object("revision changes", revision=_COUNT, changes=_COUNT),
        "Bulk": _object(
            "changes",
            changes={
                "type": "array",
                "minItems": 1,
                "items": _object(
                    "kind id value",
                    kind=_KIND,
                    id={"type": "string", "minLength": 1, "description": "Of a credential: `USERNAME/ID`."},
                    value={"type": ["object", "null"], "description": "Null deletes."},
                    modifiedIndex={**_COUNT, "description": "What it must be now; 0: there must be none."},
                ),
            },
            note={"type": "string", "description": "What the history says of the write."},
            force={"type": "boolean", "description": "Deletes also what others use."},
        ),
        "Written": _object(
            "revision made changed deleted", revision=_COUNT, made=_COUNT, changed=_COUNT, deleted=_COUNT
        ),
        "Desired": _object(
            "resources",
            resources={
                "type": "object",
                "properties": {section: _list({"type": "object"}) for section in _SECTIONS},
                "additionalProperties": False,
                "description": "The sections of toolway.yaml, without `gateway`.",
            },
            owner={
                "type": "string",
                "minLength": 1,
                "description": "Only what the same owner applied is deleted. Default: toolway.",
            },
            base={**_COUNT, "description": "The revision that the plan was made for; 409 at another."},
        ),
        "Plan": _object(
            "revision changes unchanged",
            revision=_COUNT,
            changes=_list(
                _object(
                    "action kind id",
                    action={"type": "string", "enum": ["make", "change", "delete"]},
                    kind=_TEXT,
                    id=_TEXT,
                    differences=_list(_object("pointer", pointer=_TEXT, before={}, after={})),
                )
            ),
            unchanged=_COUNT,
        ),
    }
)
"""By name."""
