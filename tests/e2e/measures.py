"""Reads the gateway's metrics, which are OpenMetrics text."""

from __future__ import annotations

import re


def samples(metrics: str, name: str) -> list[tuple[dict[str, str], float]]:
    """Labels and value of each sample of the metric `name`."""
    found = re.findall(rf"^{name}\{{(.*)\}} (\S+)$", metrics, re.MULTILINE)
    return [(dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels)), float(value)) for labels, value in found]
