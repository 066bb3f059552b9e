"""Draws the report as SVG: CPU time of each server at 64 connections as a multiple of nginx's bare proxy.

Written by hand, without scripts or fonts of its own, for light and dark pages alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from benches.load.figures import BUDGET_CONNECTIONS

if TYPE_CHECKING:
    from benches.load.figures import Report, Result

LABEL_WIDTH, BAR_WIDTH, VALUE_WIDTH = 190, 420, 110
BAR_HEIGHT, BAR_GAP, ROW_GAP, HEAD, FOOT = 16, 5, 34, 78, 64
LONGEST_RATIO = 4.0
"""Where the scale ends; longer bars are cut, and their number says how long they are."""

_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 17px; font-weight: 600; }
  .row { font-weight: 600; paint-order: stroke; stroke: #ffffff; stroke-width: 4; }
  .quiet { fill: #59636e; font-size: 12px; }
  .bar { fill: #a5adb8; }
  .toolway { fill: #0a66c2; }
  .grid { stroke: #d1d9e0; }
  .one { stroke: #59636e; stroke-dasharray: 3 3; }
  .cut { stroke: #ffffff; stroke-width: 3; }
  .ground { fill: #ffffff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .row { stroke: #0d1117; }
    .quiet { fill: #9198a1; }
    .bar { fill: #59636e; }
    .toolway { fill: #4493f8; }
    .grid { stroke: #3d444d; }
    .one { stroke: #9198a1; }
    .cut { stroke: #0d1117; }
    .ground { fill: #0d1117; }
  }
"""


def chart(report: Report, titles: dict[str, str]) -> str:
    """The picture as text. `titles` says what each row is; rows that were not under load have no place."""
    groups: dict[str, list[Result]] = {}
    for result in report.results:
        if result.connections == BUDGET_CONNECTIONS and result.ratio is not None:
            groups.setdefault(result.row, []).append(result)
    width = LABEL_WIDTH + BAR_WIDTH + VALUE_WIDTH
    parts: list[str] = []
    y = HEAD
    for row, results in groups.items():
        parts.append(_text(16, y + 12, f"{row}: {titles.get(row, row)}", "row"))
        y += 22
        for result in results:
            parts.append(_bar(result, y))
            y += BAR_HEIGHT + BAR_GAP
        y += ROW_GAP - 22
    height = y + FOOT
    grid = [
        _line(at, HEAD - 8, y - ROW_GAP + 22, "one" if at == 1 else "grid")
        + _text(_x(at), HEAD - 14, f"{at}x", "quiet", "middle")
        for at in range(int(LONGEST_RATIO) + 1)
    ]
    machine = ", ".join(value for name in ("processor", "cores", "kernel") if (value := _told(report, name)))
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
        f'  width="{width}" height="{height}" role="img" aria-labelledby="title">',
        '<title id="title">CPU time per request beside nginx as a bare proxy</title>',
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{width}" height="{height}" rx="6"/>',
        _text(16, 28, "CPU time per request, as a multiple of nginx as a bare proxy", "title"),
        _text(
            16, 48, f"{BUDGET_CONNECTIONS} connections, one worker on one core; shorter is better", "quiet"
        ),
    ]
    foot = [_text(16, height - 34, machine, "quiet"), _text(16, height - 16, versions, "quiet")]
    return "\n".join([*head, *grid, *parts, *foot, "</svg>"]) + "\n"


def _told(report: Report, name: str) -> str:
    value = report.machine.get(name, "")
    return {"cores": f"{value} cores", "kernel": f"Linux {value}"}.get(name, value) if value else ""


def _x(ratio: float) -> float:
    return LABEL_WIDTH + BAR_WIDTH * min(ratio, LONGEST_RATIO) / LONGEST_RATIO


def _bar(result: Result, y: int) -> str:
    ratio = result.ratio or 0.0
    kind = "bar toolway" if result.server == "toolway" else "bar"
    middle = y + BAR_HEIGHT - 4
    parts = [
        _text(LABEL_WIDTH - 8, middle, result.server, "", "end"),
        f'<rect class="{kind}" x="{LABEL_WIDTH}" y="{y}" rx="2"',
        f'  width="{_x(ratio) - LABEL_WIDTH:.1f}" height="{BAR_HEIGHT}"/>',
        _text(_x(ratio) + 8, middle, f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"),
    ]
    if ratio > LONGEST_RATIO:
        # The bar goes on beyond the scale.
        cut = _x(ratio) - 22
        parts.append(f'<path class="cut" d="M{cut} {y + BAR_HEIGHT + 2}l8 {-BAR_HEIGHT - 4}"/>')
    return "\n".join(parts)


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    placed = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:g}" y="{y:g}"{named}{placed}>{escape(text)}</text>'


def _line(ratio: float, top: float, bottom: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{_x(ratio):g}" x2="{_x(ratio):g}" y1="{top:g}" y2="{bottom:g}"/>'
