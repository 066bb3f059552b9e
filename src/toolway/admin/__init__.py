"""The Admin API: a gateway is looked at and changed while it serves, in the words of Apache APISIX.

`AdminServer` listens; `application` turns the tables of operations and kinds into routes, and `document` the
same tables into the OpenAPI document. What a write means is the live gateway's to say; nothing here compiles
or touches the engine.
"""

from __future__ import annotations

from toolway.admin.keys import Keys, WeakKeyError
from toolway.admin.server import AdminServer

__all__ = ["AdminServer", "Keys", "WeakKeyError"]
