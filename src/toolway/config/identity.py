"""Ids of what has none: made from content, so that they outlive a change of order."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from toolway.config.secret import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolway.config.models import Identified


def identifier_of(section: str, resource: Identified) -> str:
    """The id of a resource of the section, which two of the same content have both."""
    return _made(section, resource.identity())


def identifier_of_value(section: str, model: type[Identified], value: Mapping[str, Any]) -> str:
    """The same of a resource as it is written; of one that is wrong, whatever it says."""
    try:
        return identifier_of(section, model.model_validate(value))
    except ValidationError:
        return _made(section, value)


def _made(section: str, content: Any) -> str:
    text = json.dumps(redact(content), sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{section.removesuffix('s').replace('_', '-')}-{digest}"
