"""The engine builds every golden snapshot: what is compiled here is what is read there."""

from __future__ import annotations

from pathlib import Path

import pytest

engine = pytest.importorskip("toolway._engine")

# Snapshots with certificates and hashes have [redacted] in their place here; tests/e2e has the engine take
# real ones.
ELSEWHERE = {"plugin_schemas", "credentials", "ssls", "ssls_alone"}
SNAPSHOTS = sorted(path for path in Path(__file__).parent.glob("*.json") if path.stem not in ELSEWHERE)


@pytest.mark.parametrize("snapshot", SNAPSHOTS, ids=lambda path: path.stem)
def test_the_engine_takes_the_snapshot(snapshot: Path) -> None:
    engine.check(snapshot.read_text())
