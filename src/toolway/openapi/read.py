"""From a specification to a Document: the whole way, step by step.

`source` opens it, `resolve` follows its references, `operations` reads its paths and `schema` its schemas.
The document as a whole is refused here only where nothing of it could be used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from toolway.openapi.limits import Limits
from toolway.openapi.model import Document
from toolway.openapi.operations import Shared, read_operations
from toolway.openapi.place import Notices, below
from toolway.openapi.reading import Reading
from toolway.openapi.resolve import Resolver
from toolway.openapi.schema import SchemaPool
from toolway.openapi.security import read_schemes
from toolway.openapi.servers import read_servers, swagger_servers
from toolway.openapi.shape import prose
from toolway.openapi.source import Kept, Sources
from toolway.problem import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

_SUPPORTED = re.compile(r"2\.0|3\.[01](\.[0-9A-Za-z.-]+)?")
_EXPECTED = "2.0, 3.0.x or 3.1.x"
_DIALECTS = ("https://spec.openapis.org/oas/3.1/dialect/", "https://json-schema.org/draft/2020-12/schema")


def read(
    spec: str | Path | dict[str, Any] | Kept,
    *,
    base: Path | None = None,
    limits: Limits | None = None,
    allow_private: bool = False,
) -> Document:
    """Reads a Swagger 2.0, OpenAPI 3.0 or 3.1 document in JSON or YAML, plain or packed by gzip.

    `spec` is a path (relative to `base`, else to the working directory), an http or https URL, what was kept
    of one, or the document itself, whose references to files are then looked up below `base`.
    `allow_private` lets redirects lead to addresses that are not public; the URL itself may always be such.
    Operations that cannot be used are set aside in the result; raises ConfigurationError where the document
    as a whole is unusable. Defaults of `limits` are those of Limits.
    """
    return _document(Sources(spec, base, limits or Limits(), allow_private))


def fetch_document(url: str, *, limits: Limits | None = None) -> tuple[Document, Kept]:
    """Reads the document at `url`, and tells what `read` needs to read it again. Raises as `read` does."""
    sources = Sources(url, None, limits or Limits(), allow_private=False)
    document = _document(sources)
    return document, Kept(sources.url or url, sources.data)


def _document(sources: Sources) -> Document:
    root, version = _checked(sources)
    notices = Notices({})
    modern = version.startswith("3.1")
    resolver = Resolver(sources, identifiers=modern)
    pool = SchemaPool(resolver, notices, siblings=modern)
    reading = Reading(version, root, resolver, pool, notices)
    _share_schemas(reading)
    _note_left_out(reading)
    if reading.swagger:
        servers, base_path = swagger_servers(reading)
    else:
        servers, base_path = read_servers(
            reading, root.get("servers", _default_servers(reading)), "#/servers"
        )
    schemes = read_schemes(reading)
    operations, set_aside = read_operations(reading, Shared(servers, schemes))
    for name, error in pool.broken.items():
        notices.add(f"the shared schema `{name}` cannot be used: {error.reason}", error.at)
    described = root.get("info")
    info = described if isinstance(described, dict) else {}
    return Document(
        version=version,
        title=prose(info.get("title")),
        api_version=prose(info.get("version")),
        description=prose(info.get("description")),
        servers=servers,
        base_path=base_path,
        operations=operations,
        schemas=pool.schemas,
        security_schemes=schemes,
        set_aside=set_aside,
        notices=tuple(notices.seen),
    )


def _checked(sources: Sources) -> tuple[dict[str, Any], str]:
    """The root and its version, where it is an OpenAPI document that can be read."""
    root = sources.data[""]
    if not isinstance(root, dict) or not ("openapi" in root or "swagger" in root):
        message = "this is not an OpenAPI document: it has neither `openapi` nor `swagger`"
        raise ConfigurationError([sources.problem("openapi-not-openapi", message, [])])
    field = "openapi" if "openapi" in root else "swagger"
    version = prose(root[field]).strip()
    if not _SUPPORTED.fullmatch(version) or (field == "swagger") != version.startswith("2"):
        message = f"the OpenAPI version `{version}` is not supported"
        raise ConfigurationError(
            [sources.problem("openapi-version", message, [field], f"expected {_EXPECTED}")]
        )
    paths = root.get("paths")
    if not isinstance(paths, dict) and not (paths is None and version.startswith("3.1")):
        message = "the document has no `paths`" if paths is None else "`paths` must be a mapping"
        raise ConfigurationError([sources.problem("openapi-no-paths", message, ["paths"])])
    return root, version


def _share_schemas(reading: Reading) -> None:
    """The document's own shared schemas come first in the pool, so that they keep their names."""
    if reading.swagger:
        described, at = reading.root.get("definitions"), "#/definitions"
    else:
        components = reading.root.get("components")
        described = components.get("schemas") if isinstance(components, dict) else None
        at = "#/components/schemas"
    for name, value in (described if isinstance(described, dict) else {}).items():
        reading.pool.share(value, below(at, name))


def _note_left_out(reading: Reading) -> None:
    """Notices for parts of the document that are no operations to call."""
    webhooks = reading.root.get("webhooks")
    for name in webhooks if isinstance(webhooks, dict) else ():
        reading.notices.add("webhooks are calls that the API makes: not taken", below("#/webhooks", name))
    dialect = reading.root.get("jsonSchemaDialect")
    if dialect is not None and not prose(dialect).startswith(_DIALECTS):
        reading.notices.add("schemas are read as JSON Schema 2020-12", "#/jsonSchemaDialect")


def _default_servers(reading: Reading) -> list[dict[str, str]]:
    """Without `servers`, the root of where the document was fetched from (OpenAPI 3.1 section 4.8.1)."""
    return [{"url": "/"}] if reading.url is not None else []
