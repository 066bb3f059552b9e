"""Consumers and global rules. Keys and passwords go into the snapshot as digests and hashes: the engine only
compares them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolway.compile.precedence import merged
from toolway.config.anonymous import warnings_of
from toolway.config.kinds import KINDS
from toolway.config.models import CREDENTIALS, Proof

if TYPE_CHECKING:
    from toolway.compile.draft import Draft


def add_consumers(draft: Draft) -> None:
    """Adds the configuration's consumers with their credentials."""
    for consumer in draft.configuration.consumers:
        for proof in consumer.proofs:
            weakness = proof.config.weakness()
            if weakness is not None:
                draft.warn("weak-secret", weakness, f"{proof.pointer}/secret")
        own = {name: settings for name, settings in consumer.plugins.items() if name not in CREDENTIALS}
        layers = [(own, f"{consumer.pointer}/plugins")]
        group = draft.configuration.consumer_groups.get(consumer.group_id or "")
        if group is not None:
            layers.insert(0, (group.plugins, f"{group.pointer}/plugins"))
        found = merged(layers)
        entry = {
            "username": consumer.username,
            "group": consumer.group_id,
            "labels": dict(sorted(consumer.labels.items())),
            **_roles(consumer.roles, group.roles if group else []),
            "plugins": found.plugins,
            "credentials": [_credential(proof) for proof in consumer.proofs if not proof.is_disabled],
        }
        draft.add("consumers", entry, consumer.pointer, found.origins)


def _roles(own: list[str], shared: list[str]) -> dict[str, list[str]]:
    roles = sorted({*own, *shared})
    return {"roles": roles} if roles else {}


def _credential(proof: Proof) -> dict[str, object]:
    entry: dict[str, object] = {"id": proof.id, "plugin": proof.plugin, "config": proof.config.compiled()}
    return entry if proof.expires_at is None else {**entry, "expires_at": proof.expires_at}


def add_global_rules(draft: Draft) -> None:
    """Adds the configuration's global rules."""
    for rule in draft.configuration.global_rules:
        found = merged([(rule.plugins, f"{rule.pointer}/plugins")])
        draft.add("global_rules", {"id": rule.id, "plugins": found.plugins}, rule.pointer, found.origins)


def report_missing_consumers(draft: Draft) -> None:
    """Warns of anonymous consumers that are not there. A part of a configuration cannot tell."""
    if draft.only is not None:
        return
    usernames = {consumer.username for consumer in draft.configuration.consumers}
    data = draft.configuration.source.data
    for section in (kind.section for kind in KINDS.values() if kind.section):
        for index, value in enumerate(data.get(section) or ()):
            for warning in warnings_of(value, f"/{section}/{index}", usernames.__contains__):
                draft.warn(warning.code, warning.message, warning.pointer)
