"""Text of a new toolway.yaml, and of an api's entry in one that is there.

For `toolway init` and `toolway import`: pure functions from an imported document to text with comments. An
existing file keeps every character that it has; an entry is put after the last one of its list.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import yaml

from toolway.apps.manifest import human_description, human_name, model_description, model_name
from toolway.openapi.credentials import suggestions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolway.openapi.model import Document, Operation

SELECTED_MOST = 30
"""Operations that GPT Actions take of one document; a new app selects no more."""

_HEAD = """\
# The configuration of a Toolway gateway. `toolway check` tells every mistake in it with its place, and
# `toolway serve` runs it; a change to this file is live within a second of being saved.
#
# ${NAME} is an environment variable, ${NAME:-value} one with a default; $env://NAME and $file://PATH are
# secrets.

gateway:
  listen: ["0.0.0.0:9080"]
  # Metrics for Prometheus at /apisix/prometheus/metrics; for this machine alone.
  metrics: "127.0.0.1:9091"
  # Liveness at /status, readiness at /status/ready, health of nodes at /v1/healthcheck; the same.
  control: "127.0.0.1:9090"

# OpenAPI documents. Each operation becomes a route; what is said here is added to the document.
apis:
"""

_EXAMPLE_API = """\
  - id: example
    # A path relative to this file, or a URL.
    spec: openapi.yaml
    # Put before the document's paths at the gateway; left out: none.
    # prefix: /example
    # Where requests go; left out: to the document's first server.
    # upstream: {nodes: {"127.0.0.1:8080": 1}}
    # Plugins for all of its operations.
    plugins:
      limit-count: {count: 60, time_window: 60, key_type: var, key: remote_addr, rejected_code: 429}
    # Plugins and words for some of them, by a glob over operation ids or by "METHOD /path".
    # operations:
    #   "POST /orders":
    #     plugins: {key-auth: {hide_credentials: true}}
    #     tool: {description: Places an order at once., consequential: true}
"""

_CONSUMERS = """
# Callers with a key for the routes that have the plugin key-auth; they send it in the header `apikey`.
# consumers:
#   - username: assistant
#     plugins: {key-auth: {key: $env://ASSISTANT_KEY}}

# Plugins for every request.
global_rules:
  - id: everywhere
    plugins:
      request-id: {}
      prometheus: {}
"""

_APP = """
# What LLM clients are shown at /.well-known/ai-plugin.json, /openapi.yaml and /mcp: what is selected.
apps:
  - id: {id}
    # The public address of this gateway. ChatGPT wants https.
    base_url: ${{TOOLWAY_BASE_URL:-http://localhost:9080}}
    name_for_human: {name_for_human}
    name_for_model: {name_for_model}
    description_for_human: {description_for_human}
    description_for_model: {description_for_model}
    contact_email: support@example.com
    legal_info_url: https://example.com/legal
    auth: {{type: none}}
    operations:
"""


class ScaffoldError(Exception):
    """The text cannot be extended; the message says why and what to do instead."""


def identifier(text: str) -> str:
    """An api's or app's id out of a title or file name: `Conference API` becomes `conference-api`."""
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return slug[:40].strip("-") or "api"


def configuration_text(spec: str | None = None, document: Document | None = None) -> str:
    """A whole toolway.yaml with comments: around `document` at `spec`, or an example without one."""
    if spec is None or document is None:
        selection = '      # "api:glob" selects, "!api:glob" removes, in this order.\n      - "example:*"\n'
        texts = ("example", "Example", "What people read about it.", "What the model reads about it.")
        return _HEAD + _EXAMPLE_API + _CONSUMERS + _app(*texts) + selection
    api_id = identifier(document.title)
    description = document.description.strip() or document.title or api_id
    entry = _indented(api_entry(api_id, spec, document), 2)
    app = _app(api_id, document.title or api_id, description, description)
    return _HEAD + entry + _CONSUMERS + app + _selection(api_id, document.operations)


def api_entry(api_id: str, spec: str, document: Document, prefix: str = "") -> str:
    """An item of `apis`, as lines without indentation that start with `- id:`."""
    title = _comment(f"{document.title} {document.api_version}")
    count = len(document.operations)
    aside = f", {len(document.set_aside)} set aside" if document.set_aside else ""
    lines = [
        f"- id: {_scalar(api_id)}",
        f"  # {title}: {count} operation{'' if count == 1 else 's'} ({_format(document.version)}){aside}.",
        f"  spec: {_scalar(spec)}",
    ]
    if prefix:
        lines.append(f"  prefix: {_scalar(prefix)}")
    if document.servers:
        server = _comment(document.servers[0])
        lines.append(f"  # Requests go to the document's first server, {server}; an upstream here would win.")
        lines.append('  # upstream: {nodes: {"127.0.0.1:8080": 1}}')
    else:
        lines.append("  # The document names no server of its own: say where the API is.")
        lines.append('  upstream: {nodes: {"127.0.0.1:8080": 1}}')
    for suggestion in suggestions(document, api_id)[:1]:
        lines.append(f"  # It wants {_comment(suggestion.wants)}. This shows it one, whatever clients send:")
        if "pass_through" in suggestion.settings:
            lines[-1] = f"  # It wants {_comment(suggestion.wants)}. This lets it through:"
        lines.append(f"  # {suggestion.yaml}")
    return "\n".join(lines) + "\n"


def with_api(text: str, entry: str, api_id: str) -> str:
    """The configuration `text` with `entry` put at the end of its `apis`. Raises ScaffoldError."""
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ScaffoldError(f"the file is not YAML, so nothing was added to it: {error}") from error
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise ScaffoldError("the file is not a mapping, so nothing was added to it")
    for key, value in root.value if root is not None else ():
        if key.value == "apis":
            return _extended(text, key, value, entry, api_id)
    body, end = _before_end_mark(text)
    return f"{body.rstrip()}\n\napis:\n{_indented(entry, 2)}{end}".lstrip("\n")


def _format(version: str) -> str:
    return f"{'Swagger' if version.startswith('2') else 'OpenAPI'} {version}"


def _extended(text: str, key: yaml.Node, value: yaml.Node, entry: str, api_id: str) -> str:
    if isinstance(value, yaml.SequenceNode) and not value.flow_style:
        for item in value.value:
            if ("id", api_id) in _texts(item):
                raise ScaffoldError(f'there already is an api "{api_id}"; choose another id with --id')
        last, column = _last_line(value, text), value.start_mark.column
    elif isinstance(value, yaml.ScalarNode) and value.tag == "tag:yaml.org,2002:null" and not value.value:
        last, column = key.end_mark.line, 2
    elif isinstance(value, yaml.SequenceNode) and not value.value:
        cut = text[: value.start_mark.index].rstrip() + text[value.end_mark.index :]
        return _inserted(cut, key.end_mark.line, _indented(entry, 2))
    else:
        raise ScaffoldError("`apis` is not a block list (one `- id:` an entry), so nothing was added to it")
    lines = text.splitlines()
    # Comments that are further in than the list's dashes belong to its last entry.
    while last + 1 < len(lines) and re.match(rf" {{{column + 1},}}#", lines[last + 1]):
        last += 1
    return _inserted(text, last, _indented(entry, column))


def _inserted(text: str, line: int, addition: str) -> str:
    lines = text.splitlines(keepends=True)
    if not lines[line].endswith("\n"):
        lines[line] += "\n"
    return "".join([*lines[: line + 1], addition, *lines[line + 1 :]])


def _last_line(node: yaml.Node, text: str) -> int:
    """The line where the content of `node` ends; a block collection's end mark is that of the next token."""
    if isinstance(node, (yaml.SequenceNode, yaml.MappingNode)) and not node.flow_style and node.value:
        last = node.value[-1]
        return max(_last_line(part, text) for part in (last if isinstance(last, tuple) else (last,)))
    line: int = node.end_mark.line
    if not isinstance(node, yaml.ScalarNode) or node.style not in ("|", ">"):
        return line
    lines = text.splitlines()
    # A block text's end mark stands behind its last line and the empty ones that follow.
    line = min(line, len(lines)) - (0 if line < len(lines) and node.end_mark.column else 1)
    while line > node.start_mark.line and not lines[line].strip():
        line -= 1
    return line


def _texts(node: yaml.Node) -> Iterator[tuple[str, str]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode):
                yield key.value, value.value


def _before_end_mark(text: str) -> tuple[str, str]:
    # APISIX's standalone files end with #END, and APISIX reads no file without it.
    found = re.search(r"^#END[ \t]*\n?\Z", text, re.MULTILINE)
    return (text[: found.start()], text[found.start() :]) if found else (text, "")


def _app(app_id: str, name: str, for_human: str, for_model: str) -> str:
    return _APP.format(
        id=_scalar(app_id),
        name_for_human=_scalar(human_name(name)),
        name_for_model=_scalar(model_name(name)),
        description_for_human=_scalar(human_description(for_human)),
        description_for_model=_scalar(model_description(for_model)),
    )


def _selection(api_id: str, operations: tuple[Operation, ...]) -> str:
    reading = [operation for operation in operations if operation.method in ("GET", "HEAD")]
    shown = {operation.id for operation in reading[:SELECTED_MOST]}
    lines = ["# What only reads is selected. Take away a # to show an operation that changes something, too."]
    if not shown:
        lines.append('- "!*:*"')
    for operation in operations:
        mark = "" if operation.id in shown else "# "
        lines.append(f'{mark}- "{api_id}:{operation.id}"  # {operation.method} {_comment(operation.path)}')
    return _indented("\n".join(lines) + "\n", 6)


def _scalar(text: str) -> str:
    # What is left is what both YAML and JSON take in quotes; a document may hold anything.
    clean = "".join(sign for sign in text if sign.isprintable() or sign == "\n")
    escaped = clean.replace("${", "$${")
    if re.fullmatch(r"[A-Za-z/][A-Za-z0-9_./-]*", escaped) and yaml.safe_load(escaped) == escaped:
        return escaped
    return json.dumps(escaped, ensure_ascii=False)


def _comment(text: str) -> str:
    """`text` on one line; YAML refuses control characters even in comments."""
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())


def _indented(text: str, columns: int) -> str:
    return "".join(" " * columns + line for line in text.splitlines(keepends=True))
