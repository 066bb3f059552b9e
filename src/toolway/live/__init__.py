"""The live configuration: resources of a store made to run, and each change of them as it comes.

A change compiles what it touches and nothing else, is tried by the engine, written to the store, and swapped
in, in this order; whatever refuses it leaves everything as it was. `LiveGateway` is the one who does it.
"""

from __future__ import annotations

from toolway.live.conflict import Conflict
from toolway.live.gateway import LiveGateway

__all__ = ["Conflict", "LiveGateway"]
