"""Declarative use of a running gateway: what `toolway dump`, `plan` and `apply` do with its Admin API.

`client` speaks to it, `document` makes requests of files, `dumping` files of answers. What has to change is
found by the Admin API, which alone knows the secrets that are there. `exporting` and `verifying` read a store
itself.
"""

from __future__ import annotations

from toolway.declarative.document import Document, read_document
from toolway.declarative.dumping import dumped
from toolway.declarative.exporting import exported
from toolway.declarative.verifying import Verified, verified

__all__ = ["Document", "Verified", "dumped", "exported", "read_document", "verified"]
