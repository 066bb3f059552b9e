"""The kinds of resources as the Admin API speaks of them: one row each, which everything here reads.

What a kind means (its model, what it refers to, what is secret in it) stands in `toolway.config.kinds`; a row
adds its paths and words. Routes, validation, the OpenAPI document and the documentation follow from the rows.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from toolway.admin.answers import Refusal
from toolway.config.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolway.config.kinds import Kind

PREFIX = "/apisix/admin"
"""Where the Admin API begins."""

IDENTIFIER = r"[A-Za-z0-9_.-]{1,64}"
USERNAME = r"[A-Za-z0-9_.-]{1,100}"
PLUGIN_NAME = IDENTIFIER
MANAGER = "[a-z]{1,32}"

_INVALID_ID = 'invalid configuration: property "{}" validation failed: object matches none of the required'


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """A kind: its name is that of its list, `routes`."""

    name: str
    parts: tuple[tuple[str, str], ...] = (("id", IDENTIFIER),)
    """The parts of an id, each a segment of the path, with what it looks like."""
    below: str = ""
    """Where in the path, after the first part, the kind stands: `credentials` of a consumer."""
    makes_ids: bool = False
    """Whether POST makes a resource with an id of the gateway's choice."""
    in_use: str = "this {singular}"
    """How a refusal to delete calls it."""

    @property
    def config(self) -> Kind:
        """What the configuration says of the kind."""
        return KINDS[self.name]

    @property
    def singular(self) -> str:
        """One of them in a sentence: `plugin config`."""
        return self.config.word

    @property
    def id_field(self) -> str:
        """The field of a value that has its id."""
        return self.config.id_field

    def value_id(self, identifier: str) -> str:
        """The id as the value has it; that of a credential is unique at its consumer only."""
        return identifier.rpartition("/")[2] if self.below else identifier

    @property
    def collection(self) -> str:
        """The path of all of them."""
        if self.below:
            return f"{PREFIX}/consumers/{{{self.parts[0][0]}}}/{self.below}"
        return f"{PREFIX}/{self.name}"

    @property
    def item(self) -> str:
        """The path of one."""
        own = self.parts[1:] if self.below else self.parts
        return self.collection + "".join(f"/{{{name}}}" for name, _ in own)

    def key(self, identifier: str) -> str:
        """The key of a resource, as APISIX has it in etcd."""
        if self.below:
            first, _, rest = identifier.partition("/")
            return f"/apisix/consumers/{first}/{self.below}/{rest}"
        return f"/apisix/{self.name}/{identifier}"

    def identifier(self, path: Mapping[str, str], value: Any = None, *, is_post: bool = False) -> str:
        """The id of what a call is about, out of its path and its value, which must not differ.

        Raises Refusal in APISIX's words.
        """
        above = [path[name] for name, _ in self.parts if self.below and name in path][:1]
        own = [path[name] for name, _ in self.parts[len(above) :] if name in path]
        given = value.get(self.id_field) if isinstance(value, dict) else None
        if is_post and (own or given is not None):
            raise Refusal(400, f"wrong {self.singular} id, do not need it")
        if given is not None:
            given = self._checked(given)
            if own and given != "/".join(own):
                raise Refusal(400, f"wrong {self.singular} id" if self.id_field == "id" else "wrong username")
        if not own:
            made = secrets.token_hex(10) if is_post else given
            if made is None:
                raise Refusal(400, f"missing {self.singular} {self.id_field}")
            own = made.split("/") if len(self.parts) - len(above) > 1 else [made]
        identifier = "/".join([*above, *own])
        if not self.config.id_pattern.fullmatch(identifier):
            raise Refusal(400, f"invalid {self.singular} id {identifier[:100]!r}")
        return identifier

    def _checked(self, given: Any) -> str:
        is_number = isinstance(given, int) and not isinstance(given, bool) and given > 0
        pattern = self.parts[-1][1] if self.below else self.config.id_pattern.pattern
        if not (is_number or isinstance(given, str)) or not re.fullmatch(pattern, str(given)):
            raise Refusal(400, _INVALID_ID.format(self.id_field))
        return str(given)


_USERNAME = (("username", USERNAME),)

RESOURCES: Mapping[str, ResourceKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            ResourceKind("routes", makes_ids=True),
            ResourceKind("services", makes_ids=True, in_use="this {singular} directly"),
            ResourceKind("upstreams", makes_ids=True),
            ResourceKind("consumers", _USERNAME),
            ResourceKind("credentials", (*_USERNAME, ("id", IDENTIFIER)), below="credentials"),
            ResourceKind("consumer_groups"),
            ResourceKind("plugin_configs"),
            ResourceKind("global_rules"),
            ResourceKind("ssls", makes_ids=True),
            ResourceKind("secrets", (("manager", MANAGER), ("id", IDENTIFIER))),
            ResourceKind("plugin_metadata", (("name", PLUGIN_NAME),)),
            ResourceKind("apis", makes_ids=True),
            ResourceKind("apps"),
        )
    }
)
"""Every kind by its name, in the order of the documentation."""
