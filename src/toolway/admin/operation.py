"""Operations: a method and a path of the Admin API with all that is known of them.

A table of operations makes both the routes and the OpenAPI document, so that neither has what the other has
not. What an operation does is a function of the context and the call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from toolway.admin.answers import Answer, Refusal
from toolway.store import MasterKeyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from toolway.admin.resources import ResourceKind
    from toolway.apps.model import AppView
    from toolway.store import Change, Difference, Filters, Key, Resource, Revision, SecretPlaces

Schema = Mapping[str, Any]
Run = Callable[["Context", "Call"], Answer]

NO_BODY = object()
"""The body of a call that came without one."""


class Records(Protocol):
    """Where resources are read: the store, or the file in file mode."""

    def revision(self) -> int: ...
    def get(self, kind: str, id: str, /) -> Resource | None: ...  # noqa: A002
    def list(
        self, kind: str, *, page: int = 1, page_size: int | None = None, **filters: Unpack[Filters]
    ) -> tuple[int, Sequence[Resource]]: ...
    def scan(self, kind: str) -> Iterator[Resource]: ...
    def referrers(self, kind: str, id: str, /) -> Sequence[Key]: ...  # noqa: A002


class History(Protocol):
    """What was written when."""

    def revisions(self, page: int, page_size: int) -> tuple[int, Sequence[Revision]]: ...
    def revision_at(self, number: int) -> Revision: ...
    def diff(self, first: int, second: int) -> Sequence[Difference]: ...
    def restore(self, number: int) -> Sequence[Change]: ...


class Writer(Protocol):
    """What makes a change live: the live gateway."""

    def write(
        self,
        changes: Iterable[Change],
        *,
        actor: str,
        note: str = "",
        expect: Mapping[Key, int] | None = None,
        force: bool = False,
    ) -> int: ...
    def check(self, changes: Iterable[Change]) -> None: ...


def _unopened(*_: str) -> Any:
    raise MasterKeyError("this gateway has no store, and so no master key that could open it")


@dataclass(frozen=True, slots=True)
class Context:
    """What operations work with."""

    records: Records
    plugin_schemas: Mapping[str, Any]
    """As the engine tells them: name -> {"priority", "schema"}."""
    secret_places: SecretPlaces
    """JSON pointers of what is secret in a value of a kind."""
    view: Callable[[str], AppView | None]
    """An app as it is published now, by its id."""
    check: Callable[[Iterable[Change]], None]
    """Whether changes could be made; raises ConfigurationError."""
    opened: Callable[[str, str, str, str], Any] = _unopened
    """Opens a secret that was sealed by the store: kind, id, pointer, text. Raises MasterKeyError."""
    writer: Writer | None = None
    """None: nothing can be written here."""
    history: History | None = None
    last_use: Callable[[str, str], int | None] = lambda _username, _credential: None
    """When a credential of a consumer was last used here, in seconds since 1970."""
    expires: Callable[[], None] = lambda: None
    """Told that something was written which expires."""
    read_only: str = ""
    """Why nothing can be written, where that is so."""

    def writing(self) -> Writer:
        """The writer. Raises Refusal where there is none."""
        if self.writer is None:
            raise Refusal(405, self.read_only, headers={"allow": "GET, HEAD"})
        return self.writer


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let in, its parts read by the operation's own description."""

    path: Mapping[str, str]
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = NO_BODY
    actor: str = ""

    def object(self) -> dict[str, Any]:
        """The body, which has to be an object."""
        if self.body is NO_BODY:
            raise Refusal(400, "missing configurations")
        if not isinstance(self.body, dict):
            raise Refusal(400, "invalid configuration: expected an object")
        return dict(self.body)

    def fields(self, *known: str) -> dict[str, Any]:
        """The body, which has to be an object of known fields."""
        body = self.object()
        unknown = [name for name in body if name not in known]
        if unknown:
            said = f"/{unknown[0][:100]}: the field is not known; known are {', '.join(known)}"
            raise Refusal(400, f"invalid configuration: {said}")
        return body


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query or a header."""

    name: str
    description: str
    schema: Schema
    read: Callable[[str], Any] = str
    """Makes a value of the text; ValueError says what was expected."""
    place: str = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation."""

    id: str
    method: str
    path: str
    summary: str
    run: Run
    answers: Mapping[int, tuple[str, Schema | None]]
    """What it gives where it goes well: status -> description and schema; none: no JSON."""
    kind: ResourceKind | None = None
    parameters: tuple[Parameter, ...] = ()
    body: Schema | None = None
    """None: a body is not looked at."""
    body_required: bool = True
    refusals: tuple[int, ...] = (400,)
    """Statuses of refusals besides those that every operation has."""
    writes: bool = False
    """Whether it changes something, for which a key with the role admin is needed."""
    tag: str = ""
    patterns: Mapping[str, str] = field(default_factory=dict)
    """What the parts of the path look like."""


def component(name: str) -> dict[str, str]:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}
