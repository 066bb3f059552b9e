"""Configuration: from a file to checked models, with every mistake told at once and at its place.

`load` reads YAML (or JSON, which is YAML) into a `Source`: plain data and where each value stands. `parse`
checks it and gives a `Configuration`, or raises `ConfigurationError` with all problems. What the models mean
for the engine is the work of `toolway.compile`.
"""

from __future__ import annotations

from toolway.config.configuration import Configuration
from toolway.config.errors import CODES
from toolway.config.parse import parse
from toolway.config.plugins import PluginSchemas
from toolway.config.secret import Secret
from toolway.config.source import Place, Source, load

__all__ = ["CODES", "Configuration", "Place", "PluginSchemas", "Secret", "Source", "load", "parse"]
