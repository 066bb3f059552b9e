"""Compiling: a checked configuration and its OpenAPI documents to the snapshot that the engine runs.

Pure: what has to be read (documents, logos) is passed in, and the same input gives the same snapshot, byte by
byte. The engine is not needed; that it can build the result is for `toolway.gateway` to find out.
"""

from __future__ import annotations

from toolway.compile.callers import headers_of_caller
from toolway.compile.compiled import Compiled
from toolway.compile.compiling import compile  # noqa: A004  # The word of the design for this step.

__all__ = ["Compiled", "compile", "headers_of_caller"]
