"""The snapshot while it is being made: its lists, where each entry came from, and what is wrong or odd."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from toolway.compile.settling import settled
from toolway.config.source import pointer_to

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from toolway.config import Configuration
    from toolway.problem import Problem

Section = Literal["ssls", "upstreams", "routes", "consumers", "global_rules", "apps", "apis"]


@dataclass(slots=True)
class Draft:
    """Filled by the modules of this package in turn."""

    configuration: Configuration
    main_app: str | None = None
    """The app that is also at hosts which no app names."""
    only: Collection[str] | None = None
    """Pointers of the resources whose entries are kept; none: those of all."""
    address_lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Networks by the source that plugins name."""
    ssls: list[dict[str, Any]] = field(default_factory=list)
    upstreams: list[dict[str, Any]] = field(default_factory=list)
    routes: list[dict[str, Any]] = field(default_factory=list)
    consumers: list[dict[str, Any]] = field(default_factory=list)
    global_rules: list[dict[str, Any]] = field(default_factory=list)
    apps: list[dict[str, Any]] = field(default_factory=list)
    apis: list[dict[str, Any]] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def wants(self, pointer: str) -> bool:
        """Whether entries are kept that are made from the resource at `pointer`, or from a part of it."""
        return self.only is None or "/".join(pointer.split("/", 3)[:3]) in self.only

    def add(
        self,
        section: Section,
        entry: dict[str, Any],
        pointer: str,
        origins: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        """Adds `entry`, made from the resource at `pointer`, where that is wanted.

        `origins` are the pointers of its plugins by name; `fields` those of what has another name in the
        source, by pointer into the entry.
        """
        if not self.wants(pointer):
            return
        entries: list[dict[str, Any]] = getattr(self, section)
        if entry.get("plugins"):
            entry = {**entry, "plugins": settled(self, entry["plugins"], origins or {})}
        here = f"/{section}/{len(entries)}"
        self.places[here] = pointer
        for plugin, origin in (origins or {}).items():
            self.places[f"{here}/plugins{pointer_to(plugin)}"] = origin
        for inner, origin in (fields or {}).items():
            self.places[here + inner] = origin
        entries.append(entry)

    def problem(
        self, code: str, message: str, pointer: str, *, hint: str | None = None, at_key: bool = False
    ) -> None:
        """Notes what keeps the snapshot from being served."""
        problem = self.configuration.source.problem(code, message, pointer, hint=hint, at_key=at_key)
        # What several entries are made from has its problems once.
        if problem not in self.problems:
            self.problems.append(problem)

    def warn(
        self, code: str, message: str, pointer: str, *, hint: str | None = None, at_key: bool = False
    ) -> None:
        """Notes what works otherwise than its writer may think."""
        problem = self.configuration.source.problem(code, message, pointer, hint=hint, at_key=at_key)
        self.warnings.append(replace(problem, kind="warning"))
