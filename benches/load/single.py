"""The rows of Toolway alone without a load: the import of a large document, and the demo's memory."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import toolway
from benches.load.figures import Report, Single, check
from benches.load.processes import Server, ServerError, free_port
from benches.load.rows import IDLE, IMPORT, TOOLWAY
from benches.load.run import note
from benches.load.servers import SERVER_CORE

OPERATIONS = 1000
IMPORT_SECONDS = 1.5
IDLE_MEGABYTES = 80


def run_import(rounds: int, folder: Path, report: Report) -> None:
    """Times `toolway import` of 1,000 operations: the whole command, as a user waits for it."""
    note(f"import: {OPERATIONS:,} operations, {rounds} times")
    path = folder / "large.json"
    path.write_text(json.dumps(document()))
    command = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-m", "toolway", "import", str(path)]
    times = []
    for _ in range(rounds):
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        times.append(time.monotonic() - began)
        if done.returncode:
            raise ServerError(f"toolway import failed:\n{done.stderr[-2000:]}")
    seconds = statistics.median(times)
    report.singles.append(Single(IMPORT, TOOLWAY, f"{OPERATIONS:,} operations", seconds, "s"))
    report.checks.append(check(IMPORT, f"import of {OPERATIONS:,} operations", seconds, IMPORT_SECONDS, "s"))


def run_idle(folder: Path, report: Report) -> None:
    """Serves the demo's configuration and looks at the memory once it listens."""
    note("idle-demo: the demo's gateway at rest")
    port = free_port()
    configuration = Path(toolway.__file__).parent / "demo" / "toolway.yaml"
    environment = {
        "DEMO_PORT": str(port),
        "DEMO_METRICS_PORT": str(free_port()),
        "DEMO_CONFERENCE_PORT": str(free_port()),
        "DEMO_SHOP_PORT": str(free_port()),
        "DEMO_BASE_URL": f"http://127.0.0.1:{port}",
        "DEMO_API_KEY": "bench-key",
        "DEMO_VISITOR_KEY": "bench-visitor-key",
    }
    own = folder / "idle-demo"
    own.mkdir()
    command = [sys.executable, "-m", "toolway", "serve", "-c", str(configuration)]
    server = Server(IDLE, command, port=port, core=SERVER_CORE, folder=own, environment=environment)
    try:
        megabytes = server.resident_bytes() / 1e6
    finally:
        server.stop()
    report.singles.append(Single(IDLE, TOOLWAY, "memory", megabytes, "MB"))
    report.checks.append(check(IDLE, "memory of the demo's gateway at rest", megabytes, IDLE_MEGABYTES, "MB"))


def document() -> dict[str, object]:
    """An OpenAPI document as large services have them: parameters, bodies, schemas with references."""
    paths: dict[str, object] = {}
    schemas: dict[str, object] = {}
    for number in range(OPERATIONS // 2):
        reference = {"$ref": f"#/components/schemas/Thing{number}"}
        content = {"application/json": {"schema": reference}}
        answer = {"200": {"description": "The thing.", "content": content}}
        identifier = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
        page = {
            "name": "page",
            "in": "query",
            "description": "From 1.",
            "schema": {"type": "integer", "minimum": 1},
        }
        paths[f"/things{number}/{{id}}"] = {
            "get": {
                "operationId": f"GetThing{number}",
                "summary": f"Thing {number} by its number.",
                "parameters": [identifier, page],
                "responses": answer,
            },
            "put": {
                "operationId": f"PutThing{number}",
                "summary": f"Changes thing {number}.",
                "parameters": [identifier],
                "requestBody": {"required": True, "content": content},
                "responses": answer,
            },
        }
        schemas[f"Thing{number}"] = {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "description": "What people call it."},
                "size": {"type": "number", "minimum": 0},
                "tags": {"type": "array", "items": {"type": "string"}},
                "next": {"$ref": f"#/components/schemas/Thing{(number + 1) % (OPERATIONS // 2)}"},
            },
        }
    return {
        "openapi": "3.0.3",
        "info": {"title": "Things", "version": "1"},
        "servers": [{"url": "https://things.example.com"}],
        "paths": paths,
        "components": {"schemas": schemas},
    }
