"""The operations of each kind, made from its row: one function for all kinds, so that none is special."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from toolway.admin import importing, reading, writing
from toolway.admin.operation import Operation, component
from toolway.admin.parameters import (
    FORCE,
    IF_MATCH,
    IF_NONE_MATCH,
    LABEL,
    NAME,
    PAGE,
    PAGE_SIZE,
    TTL,
    URI,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolway.admin.operation import Schema
    from toolway.admin.resources import ResourceKind


@dataclass(frozen=True, slots=True)
class _Words:
    """What the operations of a kind are told with."""

    kind: ResourceKind

    @property
    def one(self) -> str:
        """One of them: `a route`."""
        word = self.kind.singular
        return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"

    @property
    def answer(self) -> Schema:
        """The schema of one of them in an answer."""
        return component(f"{self.kind.name}.one")

    @property
    def written(self) -> dict[int, tuple[str, Schema | None]]:
        """What a PUT answers."""
        word = self.kind.singular
        return {
            200: (f"The {word} was replaced.", self.answer),
            201: (f"The {word} was made.", self.answer),
        }

    @property
    def changed(self) -> dict[int, tuple[str, Schema | None]]:
        """What a PATCH answers."""
        return {200: (f"The {self.kind.singular} as it is now.", self.answer)}

    @property
    def on_item(self) -> dict[str, Any]:
        """What holds for all operations on one of them."""
        kind = self.kind
        return {"kind": kind, "tag": kind.name, "path": kind.item, "patterns": dict(kind.parts)}

    @property
    def on_all(self) -> dict[str, Any]:
        """What holds for all operations on the list of them."""
        patterns = dict(self.kind.parts[:1]) if self.kind.below else {}
        return {**self.on_item, "path": self.kind.collection, "patterns": patterns}


def operations_of(kind: ResourceKind) -> Iterator[Operation]:
    """All that can be done with resources of a kind."""
    words = _Words(kind)
    yield from _on_all(kind, words)
    yield from _on_item(kind, words)
    yield from _patches(kind, words)


def _on_all(kind: ResourceKind, words: _Words) -> Iterator[Operation]:
    yield Operation(
        f"list_{kind.name}",
        "GET",
        summary=f"List {kind.name.replace('_', ' ')}.",
        run=partial(reading.get_list, kind),
        answers={200: ("The list.", component(f"{kind.name}.list"))},
        parameters=(PAGE, PAGE_SIZE, NAME, LABEL, URI),
        refusals=(400, 404) if kind.below else (400,),
        **words.on_all,
    )
    yield _put(f"put_{kind.name}", words, f"Make or replace {words.one} that says its own id.", "write_id")
    if kind.name == "apis":
        yield _import(words)
    elif kind.makes_ids:
        yield Operation(
            f"post_{kind.name}",
            "POST",
            summary=f"Make {words.one}; the gateway chooses its id.",
            run=partial(writing.post, kind),
            answers={201: words.written[201]},
            parameters=(TTL,),
            body=component(f"{kind.name}.write"),
            writes=True,
            **words.on_all,
        )


def _put(identifier: str, words: _Words, summary: str, body: str) -> Operation:
    """PUT of one: at its own path, or at that of all where the `body` has the id."""
    kind = words.kind
    return Operation(
        identifier,
        "PUT",
        summary=summary,
        run=partial(writing.put, kind),
        answers=words.written,
        parameters=(IF_MATCH, IF_NONE_MATCH, TTL),
        body=component(f"{kind.name}.{body}"),
        refusals=(400, 409),
        writes=True,
        **(words.on_item if body == "write" else words.on_all),
    )


def _on_item(kind: ResourceKind, words: _Words) -> Iterator[Operation]:
    yield Operation(
        f"get_{kind.name}",
        "GET",
        summary=f"Get {words.one}.",
        run=partial(reading.get_one, kind),
        answers={200: (f"The {kind.singular}.", words.answer)},
        parameters=(TTL,),
        refusals=(400, 404),
        **words.on_item,
    )
    yield _put(f"put_{kind.name}_id", words, f"Make or replace {words.one}.", "write")
    if kind.makes_ids:
        yield Operation(
            f"post_{kind.name}_id",
            "POST",
            summary=f"Refused, as in APISIX: {words.one} with an id of its own is made by PUT.",
            run=partial(writing.post, kind),
            answers={},
            body={},
            writes=True,
            **words.on_item,
        )
    yield Operation(
        f"delete_{kind.name}",
        "DELETE",
        summary=f"Delete {words.one}.",
        run=partial(writing.delete, kind),
        answers={200: (f"The {kind.singular} is gone.", component("Deleted"))},
        parameters=(FORCE, IF_MATCH),
        refusals=(400, 404, 409),
        writes=True,
        **words.on_item,
    )


def _patches(kind: ResourceKind, words: _Words) -> Iterator[Operation]:
    shared: dict[str, Any] = {
        "answers": words.changed,
        "parameters": (IF_MATCH, TTL),
        "refusals": (400, 404, 409),
        "writes": True,
    }
    yield Operation(
        f"patch_{kind.name}",
        "PATCH",
        summary=f"Merge fields into {words.one} (RFC 7396).",
        run=partial(writing.patch, kind),
        body={"type": "object"},
        **shared,
        **words.on_item,
    )
    yield Operation(
        f"patch_{kind.name}_part",
        "PATCH",
        summary=f"Replace what stands at a path within {words.one}, or take it away by null.",
        run=partial(writing.patch_part, kind),
        body={},
        **shared,
        **{**words.on_item, "path": f"{kind.item}/{{path}}"},
    )


def _import(words: _Words) -> Operation:
    return Operation(
        "import_api",
        "POST",
        summary="Import an OpenAPI document, given inline or by its URL, and report on it.",
        run=importing.import_api,
        answers={
            201: ("The api was made; `report` tells what was taken of the document.", component("Imported"))
        },
        body=component("Import"),
        refusals=(400, 409),
        writes=True,
        **words.on_all,
    )
