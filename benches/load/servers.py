"""The configurations that are compared: the same upstream, keep-alive to it, one worker, no access log."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from processes import Server, free_port

if TYPE_CHECKING:
    from pathlib import Path

BODY = json.dumps({"speaker": 1, "sessions": [{"id": number, "title": "x" * 48} for number in range(9)]})
"""About 700 bytes of JSON."""

API_KEY = "benchmark-key"

_NGINX = """
daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.err;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {folder}/{name}-body;
proxy_temp_path {folder}/{name}-proxy; fastcgi_temp_path {folder}/{name}-f; uwsgi_temp_path {folder}/{name}-u;
scgi_temp_path {folder}/{name}-s;
{servers} }}
"""


def upstream(folder: Path, core: int) -> Server:
    """An nginx that answers every request with `BODY`."""
    port = free_port()
    answer = f"default_type application/json; return 200 '{BODY}';"
    servers = f"server {{ listen 127.0.0.1:{port}; location / {{ {answer} }} }}"
    return _nginx("upstream", servers, port, core, folder)


def nginx(folder: Path, core: int, upstream_port: int) -> Server:
    """nginx's bare proxy: the yardstick."""
    port = free_port()
    servers = (
        f"upstream bench {{ server 127.0.0.1:{upstream_port}; "
        "keepalive 512; keepalive_requests 100000000; }\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://bench; proxy_http_version 1.1; "
        'proxy_set_header Connection ""; proxy_set_header Host $host; } }'
    )
    return _nginx("nginx", servers, port, core, folder)


def toolway(folder: Path, core: int, upstream_port: int, *, plugins: bool) -> Server:
    """Toolway with one plain route, or with key-auth, limit-count and prometheus on it."""
    port = free_port()
    name = "toolway-plugins" if plugins else "toolway"
    route: dict[str, object] = {"id": "bench", "uri": "/*", "upstream_id": "bench"}
    if plugins:
        route["plugins"] = {
            "key-auth": {},
            "limit-count": {"count": 1_000_000_000, "time_window": 3600, "key": "consumer_name"},
            "prometheus": {},
        }
    configuration = {
        "gateway": {
            "listen": [f"127.0.0.1:{port}"],
            "workers": 1,
            "admin": None,
            "metrics": None,
            "access_log": None,
        },
        "upstreams": [
            {
                "id": "bench",
                "nodes": {f"127.0.0.1:{upstream_port}": 1},
                "keepalive_pool": {"size": 512, "requests": 100_000_000},
            }
        ],
        "routes": [route],
        "consumers": [{"username": "bench", "plugins": {"key-auth": {"key": API_KEY}}}],
    }
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(configuration))
    return Server(name, [sys.executable, "-m", "toolway", "serve", "-c", str(path)], port, core, folder)


def _nginx(name: str, servers: str, port: int, core: int, folder: Path) -> Server:
    path = folder / f"{name}.conf"
    path.write_text(_NGINX.format(folder=folder, name=name, servers=servers))
    return Server(name, ["nginx", "-c", str(path), "-p", str(folder)], port, core, folder)
