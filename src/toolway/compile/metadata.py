"""Plugin metadata in the settings of plugins: the engine gets settings alone, and nothing to look up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolway.config.models import METADATA, MetadataMissingError

if TYPE_CHECKING:
    from toolway.compile.draft import Draft


def apply_metadata(draft: Draft) -> None:
    """Puts the metadata into the settings of each plugin in the draft."""
    given = draft.configuration.plugin_metadata
    found = {name: given[name].settings if name in given else None for name in METADATA}
    settings = {name: each or METADATA[name]() for name, each in found.items()}
    for section, entries in (
        ("routes", draft.routes),
        ("consumers", draft.consumers),
        ("global_rules", draft.global_rules),
    ):
        for index, entry in enumerate(entries):
            plugins = entry.get("plugins") or {}
            for name in plugins.keys() & settings.keys():
                try:
                    plugins[name] = settings[name].applied(plugins[name])
                except MetadataMissingError as error:
                    pointer = draft.places[f"/{section}/{index}/plugins/{name}"]
                    draft.problem("unknown-reference", str(error), pointer + error.pointer)
