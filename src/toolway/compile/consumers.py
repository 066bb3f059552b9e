"""Consumers and global rules. Keys go into the snapshot as digests: the engine only compares them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolway.compile.precedence import merged
from toolway.config.models import CREDENTIALS, Consumer, Proof

if TYPE_CHECKING:
    from toolway.compile.draft import Draft


def add_consumers(draft: Draft) -> None:
    """Adds the configuration's consumers with their credentials."""
    for consumer in draft.configuration.consumers:
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
            "plugins": found.plugins,
            "credentials": [
                _credential(proof) for proof in consumer.proofs if not _disabled(consumer, proof)
            ],
        }
        draft.add("consumers", entry, consumer.pointer, found.origins)


def _disabled(consumer: Consumer, proof: Proof) -> bool:
    settings = consumer.plugins.get(proof.plugin, {})
    return proof.pointer.startswith(f"{consumer.pointer}/plugins/") and bool(
        settings.get("_meta", {}).get("disable")
    )


def _credential(proof: Proof) -> dict[str, object]:
    return {"id": proof.id, "plugin": proof.plugin, "config": {"key_sha256": proof.config.digest()}}


def add_global_rules(draft: Draft) -> None:
    """Adds the configuration's global rules."""
    for rule in draft.configuration.global_rules:
        found = merged([(rule.plugins, f"{rule.pointer}/plugins")])
        draft.add("global_rules", {"id": rule.id, "plugins": found.plugins}, rule.pointer, found.origins)
