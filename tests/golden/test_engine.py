"""The engine builds every golden snapshot: what is compiled here is what is read there."""

from __future__ import annotations

from pathlib import Path

import pytest

engine = pytest.importorskip("toolway._engine")

SNAPSHOTS = sorted(
    set(Path(__file__).parent.glob("*.json")) - {Path(__file__).parent / "plugin_schemas.json"}
)


@pytest.mark.parametrize("snapshot", SNAPSHOTS, ids=lambda path: path.stem)
def test_the_engine_takes_the_snapshot(snapshot: Path) -> None:
    engine.check(snapshot.read_text())
