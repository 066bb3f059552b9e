"""The codes of everything that can be wrong with a configuration, in one table, and near names for hints.

A code is stable: programs may compare it, and the documentation lists the table. What a certain mistake says
is written where it is found; `Source.problem` joins message, code and place.
"""

from __future__ import annotations

import difflib
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

CODES = MappingProxyType(
    {
        "anonymous-consumer-missing": "No consumer has the name of an `anonymous_consumer`. A warning.",
        "address-list-unreadable": "A list of addresses cannot be read, and was not before.",
        "api-without-server": "An api has no upstream and its document no absolute http or https server.",
        "app-without-operations": "An app selects no operation, so that its clients see no tool. A warning.",
        "clash": "Two routes take the same requests; only one of them gets them. A warning.",
        "duplicate-credential": "Two consumers have the same key, so that a caller could be either.",
        "duplicate-id": "Two resources of one kind have the same id.",
        "duplicate-plugin": "Two global rules have the same plugin.",
        "engine-refused": "The engine cannot build what the configuration asks for.",
        "environment-missing": "An environment variable is not set and has no default.",
        "environment-syntax": "A `${...}` is not `${NAME}` or `${NAME:-default}`.",
        "exclusive-fields": "Fields that exclude each other are set together.",
        "file-too-large": "The configuration file has more bytes than Toolway reads.",
        "file-unreadable": "The configuration file cannot be read, or is not UTF-8.",
        "forbidden-field": "A field that the gateway sets by itself.",
        "logo-unreadable": "The logo of an app cannot be read, or is not a PNG, JPEG or SVG.",
        "missing-field": "A required field is not set.",
        "missing-upstream": "A route has neither an upstream nor plugins, and its service neither.",
        "not-supported-yet": "A field, value or plugin of Apache APISIX that Toolway does not serve yet.",
        "nothing-stored": "A `***` stands for a stored secret, and none is stored there.",
        "operation-set-aside": "An operation of an OpenAPI document could not be taken. A warning.",
        "plugin-configuration": "The settings of a plugin do not fit the plugin's schema.",
        "resource-in-use": "A resource that others use would be deleted.",
        "secret-missing": "A secret that `$env://`, `$file://` or `$secret://` refers to cannot be read.",
        "spec-unreadable": "The OpenAPI document of an api cannot be read.",
        "unknown-field": "A field that the resource does not have.",
        "unknown-metadata": "A field of plugin metadata that the plugin does not have. A warning.",
        "unknown-plugin": "A plugin that does not exist.",
        "unknown-reference": "An id that no resource has.",
        "unmatched-operation": "A pattern matches no operation of the api.",
        "unmatched-selection": "A pattern of an app selects or removes no operation of any api.",
        "upstream-without-credential": "Operations get no credential that their document wants. A warning.",
        "wrong-expression": "An expression in `vars` that cannot be read.",
        "weak-secret": "A secret is shorter than its algorithm makes use of. A warning.",
        "wrong-type": "A value of another type than the field takes.",
        "wrong-value": "A value of the right type that the field does not take.",
        "yaml-duplicate-key": "A mapping has the same key twice.",
        "yaml-key": "A key of a mapping is not a plain text or number.",
        "yaml-syntax": "The file is not well-formed YAML.",
        "yaml-tag": "A YAML tag that is not one of the JSON types.",
        "yaml-too-deep": "Collections are nested deeper than Toolway reads.",
        "yaml-too-large": "The file has too many values once its aliases are followed.",
    }
)
"""Code -> what it means, in alphabetical order."""


def near(name: str, choices: Iterable[str]) -> str | None:
    """A hint with the choice most like `name`, `did you mean "nodes"?`; none where nothing is like it."""
    found = difflib.get_close_matches(name, sorted(set(choices)), n=1, cutoff=0.6)
    return f'did you mean "{found[0]}"?' if found else None


def listing(choices: Iterable[object]) -> str:
    """Choices as a sentence has them: `a, b or c`."""
    words = [str(choice) for choice in choices]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
