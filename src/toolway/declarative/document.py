"""Files as the Admin API takes them: what stands outside of the file is put in.

`${NAME}` is filled in here, from the environment of whoever applies. `$env://`, `$file://` and `$secret://`
stay references, which the gateway follows.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from toolway.config import load
from toolway.config.kinds import KINDS
from toolway.openapi.limits import Limits
from toolway.openapi.source import Sources, is_url
from toolway.problem import ConfigurationError, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from toolway.config import Source

_MAXIMUM_LOGO_BYTES = 2 << 20
_TO_FILE = re.compile(r"[^#]")


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration file, ready to be sent."""

    source: Source = field(repr=False)
    resources: dict[str, list[Any]] = field(repr=False)
    """By section, without `gateway`."""
    count: int
    has_gateway: bool
    """Whether it has settings of a gateway process, which are not sent."""

    def at_places(self, problems: list[Problem]) -> list[Problem]:
        """Problems that the Admin API told, at their places in the file."""
        return [self._at_place(problem) for problem in problems]

    def _at_place(self, problem: Problem) -> Problem:
        place = self.source.place(problem.pointer)
        if place is None:
            return replace(problem, file=self.source.file)
        return replace(problem, file=self.source.file, line=place.line, column=place.column)


def read_document(path: Path) -> Document:
    """Reads a file of `toolway.yaml`'s form, YAML or JSON. Raises ConfigurationError."""
    source = load(path)
    data = source.data
    problems = list(source.problems)
    if not isinstance(data, dict):
        raise ConfigurationError([source.problem("wrong-type", "expected a mapping of sections", "")])
    sections = [kind.section for kind in KINDS.values() if kind.section]
    resources: dict[str, list[Any]] = {}
    for name, items in data.items():
        if name == "gateway" or items is None:
            continue
        if name not in sections:
            message = f'the section "{name}" is not known'
            hint = f"known sections: {', '.join(sorted(sections))}"
            problems.append(source.problem("unknown-field", message, f"/{name}", hint=hint, at_key=True))
        elif not isinstance(items, list):
            problems.append(source.problem("wrong-type", "expected a list", f"/{name}"))
        else:
            resources[name] = items
    for name, put_in in (("apis", _with_spec), ("apps", _with_logo)):
        if name in resources:
            made = [
                put_in(item, source, f"/{name}/{index}", problems)
                for index, item in enumerate(resources[name])
            ]
            resources[name] = made
    if problems:
        raise ConfigurationError(problems)
    count = sum(len(items) for items in resources.values())
    return Document(source, resources, count, "gateway" in data)


def _with_spec(item: Any, source: Source, pointer: str, problems: list[Problem]) -> Any:
    """An api with its document in it; one behind a URL is fetched by the gateway."""
    spec = item.get("spec") if isinstance(item, dict) else None
    if not isinstance(spec, str) or is_url(spec):
        return item
    try:
        document = Sources(spec, source.folder, Limits(), allow_private=False).data[""]
    except ConfigurationError as error:
        problems += [
            source.problem("spec-unreadable", f"the document cannot be used: {problem}", f"{pointer}/spec")
            for problem in error.problems
        ]
        return item
    if _leads_out(document):
        message = "the document leads to other files, which the gateway does not have"
        hint = "bundle it into one file"
        problems.append(source.problem("spec-unreadable", message, f"{pointer}/spec", hint=hint))
    return {**item, "spec": document}


def _with_logo(item: Any, source: Source, pointer: str, problems: list[Problem]) -> Any:
    """An app with its logo in it, as a data URL (RFC 2397)."""
    logo = item.get("logo") if isinstance(item, dict) else None
    if not isinstance(logo, str) or logo.startswith("data:"):
        return item
    try:
        with (source.folder / logo).open("rb") as file:
            image = file.read(_MAXIMUM_LOGO_BYTES + 1)
        reason = (
            f"it has more than {_MAXIMUM_LOGO_BYTES:,} bytes" if len(image) > _MAXIMUM_LOGO_BYTES else None
        )
    except (OSError, ValueError) as error:
        image, reason = b"", str(error)
    if reason is not None:
        message = f"the logo cannot be used: {reason}"
        problems.append(source.problem("logo-unreadable", message, f"{pointer}/logo"))
        return item
    return {**item, "logo": f"data:image/*;base64,{base64.b64encode(image).decode()}"}


def _leads_out(document: Any) -> bool:
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            reference = value.get("$ref")
            if isinstance(reference, str) and _TO_FILE.match(reference):
                return True
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return False
