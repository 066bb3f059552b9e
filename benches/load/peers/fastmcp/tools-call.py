"""FastMCP on the OpenAPI document: one process, no sessions, JSON answers, a key as a static bearer token."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2
import uvicorn
from fastmcp import FastMCP
from fastmcp.server.auth.providers.jwt import StaticTokenVerifier

document = json.loads(Path("@FOLDER@/tools-call.json").read_text())
limits = httpx2.Limits(max_connections=512, max_keepalive_connections=512, keepalive_expiry=60)
upstream = httpx2.AsyncClient(base_url="http://127.0.0.1:@UPSTREAM@", limits=limits, timeout=60)
keys = StaticTokenVerifier({"bench-key": {"client_id": "bench", "scopes": []}})
server = FastMCP.from_openapi(document, client=upstream, name="bench", auth=keys)
application = server.http_app(json_response=True, stateless_http=True)
uvicorn.run(application, host="127.0.0.1", port=int("@LISTEN@"), access_log=False, log_level="error")
