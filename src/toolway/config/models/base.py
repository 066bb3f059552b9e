"""What all resources have in common: how strict they are, ids, labels, and the small types that several of
them use.

Every model refuses unknown fields and converts nothing. A field or value that Apache APISIX has and Toolway
does not serve yet is refused as such (`not-supported-yet`), so that nobody takes it for a slip of the pen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\]")
_LABEL_MAXIMUM = 256


def refuse(code: str, message: str, hint: str | None = None) -> PydanticCustomError:
    """An error that a validator raises, with a code of the table, in the words that the user reads."""
    # Braces are pydantic's placeholders; the texts here are finished, so they go in as one value.
    return PydanticCustomError(code, "{said}", {"said": message, "hint": hint})


def not_yet(*values: str) -> BeforeValidator:
    """Refuses `values`, which APISIX knows, as not supported yet."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and value in values:
            raise refuse("not-supported-yet", f'"{value}" is not supported yet')
        return value

    return BeforeValidator(check)


@dataclass(frozen=True, slots=True)
class Matching:
    """Refuses texts that `pattern` does not match as a whole; the schema of the field has the pattern too."""

    pattern: str
    expected: str
    """In words, what it matches."""
    hint: str | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The field's own check, and then this one."""
        compiled = re.compile(self.pattern)

        def check(value: str) -> str:
            if not compiled.fullmatch(value):
                raise refuse("wrong-value", f"expected {self.expected}", self.hint)
            return value

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The field's own schema with the pattern, which JSON Schema does not anchor by itself."""
        return {**handler(schema), "pattern": f"^({self.pattern})$"}


def matching(pattern: str, expected: str, hint: str | None = None) -> Matching:
    """Refuses texts that `pattern` does not match as a whole; `expected` says in words what it matches."""
    return Matching(pattern, expected, hint)


def _without_doubles(value: list[Any]) -> list[Any]:
    if len(set(value)) != len(value):
        raise refuse("wrong-value", "expected no entry twice")
    return value


Unique = AfterValidator(_without_doubles)
"""Refuses a list that has an entry twice; the field also says `uniqueItems` in its schema."""


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value) or len(value) > 253:
        raise refuse(
            "wrong-value", "expected a host name, without scheme, port and path", 'such as "api.example.com"'
        )
    return value.lower()


def split_address(address: str) -> tuple[str, int] | None:
    """`host:port` or `[v6]:port` as host (without brackets) and port; none where it is neither."""
    host, separator, port = address.rpartition(":")
    if not separator or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        return None
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not bare or (":" in bare and bare == host) or not re.fullmatch(r"[A-Za-z0-9_.:%-]+", bare):
        return None
    return bare, int(port)


def _address(value: str) -> str:
    if split_address(value) is None:
        raise refuse("wrong-value", 'expected an address, "host:port"', 'such as "127.0.0.1:9080"')
    return value


Identifier = Annotated[
    str,
    BeforeValidator(_as_text),
    matching(r"[A-Za-z0-9_.-]{1,64}", "at most 64 letters, digits, - _ and ."),
    Field(json_schema_extra={"type": ["string", "integer"]}),
]
"""Letters, digits, `-`, `_` and `.`, at most 64; a whole number is taken as its digits."""

Host = Annotated[str, AfterValidator(_host)]
"""A host, exact or `*.example.com`, in lower case."""

Address = Annotated[str, AfterValidator(_address)]
"""`host:port`; IPv6 addresses in brackets."""

Role = Annotated[str, matching(r"[^\s,]{1,100}", "at most 100 characters without blanks and commas")]
"""What a caller is to the operations that ask for it."""

Roles = Annotated[list[Role], Unique, Field(json_schema_extra={"uniqueItems": True})]

Labels = dict[str, Annotated[str, StringConstraints(max_length=_LABEL_MAXIMUM)]]

Plugins = dict[str, dict[str, Any]]
"""Settings by plugin name; checked against the engine's schemas, not here."""


class Model(BaseModel):
    """A mapping of the file with fixed fields."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        arbitrary_types_allowed=False,
        # What checks a kind takes memory and time to build, and most configurations have few of the kinds.
        defer_build=True,
    )

    not_supported: ClassVar[frozenset[str]] = frozenset()
    """Fields that APISIX has here and Toolway does not serve yet."""


class Resource(Model):
    """A resource of its own, with a place in the file."""

    # A slot, since pydantic's private attributes cost a tenth of all that parsing does.
    __slots__ = ("_pointer",)

    name: str | None = None
    desc: str | None = None
    labels: Labels = Field(default_factory=dict)
    create_time: int | None = None
    """Kept by APISIX in what it exports; without effect."""
    update_time: int | None = None

    @property
    def pointer(self) -> str:
        """JSON pointer of the resource in its source."""
        return getattr(self, "_pointer", "")

    def placed(self, pointer: str) -> None:
        """Sets the pointer, once, when the resource is parsed."""
        object.__setattr__(self, "_pointer", pointer)


class Identified(Resource):
    """A resource with an id; where the file gives none, one is made from its content."""

    id: Identifier = ""

    def identity(self) -> Any:
        """The plain data that an id is made from."""
        return self.model_dump(mode="python", exclude={"id", "create_time", "update_time"})

    def identified(self, identifier: str) -> None:
        """Sets the made id, once, when the resource is parsed."""
        object.__setattr__(self, "id", identifier)
