"""Dumps: all that a gateway serves, as a configuration file that can be checked, read and applied again.

Secrets are `***`, which keeps what is stored where the dump is applied to the same gateway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from toolway.config.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from toolway.declarative.client import AdminClient

LABEL = "applied-by"
_TIMES = ("create_time", "update_time")


def dumped(
    client: AdminClient, progress: Callable[[str, int, int], None] | None = None
) -> dict[str, list[dict[str, Any]]]:
    """All sections that are not empty, in the order of the kinds."""

    def values(kind: str) -> list[dict[str, Any]]:
        def told(done: int, total: int) -> None:
            if progress is not None:
                progress(kind, done, total)

        return client.all(f"/{kind}", told)

    return sections_of(values, lambda username: client.all(f"/consumers/{username}/credentials"))


def sections_of(
    values: Callable[[str], Iterable[dict[str, Any]]],
    credentials: Callable[[str], Iterable[dict[str, Any]]],
) -> dict[str, list[dict[str, Any]]]:
    """The sections of a file with the `values` of each kind, and the `credentials` of each consumer in it."""
    found: dict[str, list[dict[str, Any]]] = {}
    for kind in KINDS.values():
        if kind.section is None:
            continue
        cleaned = [_cleaned(value, kind.id_field) for value in values(kind.name)]
        if kind.name == "consumers":
            cleaned = [_with(value, credentials(value["username"])) for value in cleaned]
        if cleaned:
            found[kind.section] = cleaned
    return found


def as_yaml(document: Any) -> str:
    """The document as YAML that `toolway` reads back as it is: a `${` in a text is no environment value."""
    return yaml.dump(
        _escaped(document),
        Dumper=yaml.CSafeDumper,
        sort_keys=False,
        allow_unicode=True,
        width=110,
        default_flow_style=False,
    )


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, dict):
        return {_escaped(name): _escaped(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value


def _cleaned(value: dict[str, Any], id_field: str) -> dict[str, Any]:
    """A value without what the gateway added, its id first."""
    kept = {name: item for name, item in value.items() if name not in _TIMES}
    labels = kept.get("labels")
    if isinstance(labels, dict):
        labels = {name: text for name, text in labels.items() if name != LABEL}
        if labels:
            kept["labels"] = labels
        else:
            del kept["labels"]
    return {id_field: kept.pop(id_field), **kept} if id_field in kept else kept


def _with(consumer: dict[str, Any], credentials: Iterable[dict[str, Any]]) -> dict[str, Any]:
    inside = [_cleaned(value, "id") for value in credentials]
    return {**consumer, "credentials": inside} if inside else consumer
