"""Where the larger documents lie that tests read: in the folder TOOLWAY_SHARED, or `shared` beside the
repository.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("TOOLWAY_SHARED", Path(__file__).parents[3] / "shared"))


def shared(name: str) -> Path:
    """The file or folder. Without it the test is skipped, but never in CI, where it fails."""
    path = SHARED / name
    if not path.exists():
        reason = f"{path} is not there; TOOLWAY_SHARED says where it is"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
