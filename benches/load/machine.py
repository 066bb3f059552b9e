"""Describes the machine that a run was on, from /proc."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def describe() -> dict[str, str]:
    """Processor, cores, memory, kernel and system, as text; what cannot be told is left out."""
    found = {
        "processor": _field("/proc/cpuinfo", r"^model name\s*:\s*(.+)$")
        or platform.processor()
        or platform.machine(),
        "architecture": platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": _field("/proc/meminfo", r"^MemTotal:\s*(.+)$"),
        "kernel": platform.release(),
        "system": _field("/etc/os-release", r'^PRETTY_NAME="(.+)"$'),
        "python": platform.python_version(),
    }
    return {name: value for name, value in found.items() if value}


def _field(path: str, pattern: str) -> str:
    try:
        match = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        return ""
    return match[1].strip() if match else ""
