"""How `toolway import` shows its report to people: what was taken, and what not and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.cli.output import answers, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHOWN_MOST = 40
"""Operations that are listed; of a large document the rest is counted."""


def print_report(report: Mapping[str, Any]) -> None:
    """Prints what `toolway.openapi.report` made."""
    console = answers()
    for line in _lines(report):
        console.print(visible(line))


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    operations, set_aside, notices = report["operations"], report["set_aside"], report["notices"]
    yield f"{report['title']} {report['api_version']}  (version {report['version']} of the format)"
    yield f"servers: {', '.join(report['servers']) or 'none that is absolute'}"
    yield ""
    yield f"{len(operations)} operations taken"
    for operation in operations[:SHOWN_MOST]:
        yield f"  {operation['method']:<7} {operation['path']}  {operation['id']}"
    if len(operations) > SHOWN_MOST:
        yield f"  and {len(operations) - SHOWN_MOST} more; --output json lists them all"
    if set_aside:
        yield ""
        yield f"{len(set_aside)} operations set aside"
        for aside in set_aside:
            yield f"  {aside['operation']}: {aside['reason']}  (at {aside['at']})"
    if notices:
        yield ""
        yield f"{len(notices)} notices"
        for notice in notices:
            yield f"  {notice['message']}  (at {notice['at']})"
    schemes = [f"{name} ({scheme.get('type', '?')})" for name, scheme in report["security_schemes"].items()]
    yield ""
    yield f"security schemes: {', '.join(schemes) or 'none'}"
    for wanted in report["upstream_credentials"]:
        yield f"  {wanted['operations']} operations want {wanted['wants']}: {wanted['yaml']}"
    yield f"parameters: {_counted(report['parameters'])}"
    yield f"bodies: {_counted(report['bodies'])}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"
