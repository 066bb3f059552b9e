"""Security schemes as OpenAPI 3.1 Security Scheme Objects, and the requirements that name them.

Only read, never enforced: that is the business of plugins on the operation's route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.openapi.place import UnusableError, below
from toolway.openapi.shape import mapping, name, prose, sequence, words

if TYPE_CHECKING:
    from toolway.openapi.reading import Reading

_FLOWS = {
    "accessCode": "authorizationCode",
    "application": "clientCredentials",
    "implicit": "implicit",
    "password": "password",
}


def read_schemes(reading: Reading) -> dict[str, dict[str, Any]]:
    """The document's security schemes by name; one that cannot be read is left out with a notice."""
    if reading.swagger:
        described, at = reading.root.get("securityDefinitions"), "#/securityDefinitions"
    else:
        components = reading.root.get("components")
        described = components.get("securitySchemes") if isinstance(components, dict) else None
        at = "#/components/securitySchemes"
    schemes: dict[str, dict[str, Any]] = {}
    for label, raw in (described if isinstance(described, dict) else {}).items():
        place = below(at, label)
        try:
            value, place = reading.resolver.follow(raw, place)
            scheme = mapping(value, "a security scheme", place)
            name(scheme.get("type"), "the type of a security scheme", place)
            schemes[label] = _from_swagger(scheme) if reading.swagger else scheme
        except UnusableError as error:
            reading.notices.add(f"{error.reason}: left out", error.at)
    return schemes


def read_requirements(
    reading: Reading, value: Any, at: str, schemes: dict[str, dict[str, Any]]
) -> tuple[dict[str, list[str]], ...]:
    """Alternatives of schemes with scopes. Raises UnusableError: a requirement misread would open an
    operation.
    """
    requirements = []
    for index, raw in enumerate(sequence(value, "`security`", at)):
        place = below(at, index)
        if not isinstance(raw, dict):
            raise UnusableError("a security requirement must be a mapping", place)
        for label in raw:
            if label not in schemes:
                reading.notices.add(f"the security scheme `{label}` is not described", place)
        requirements.append({label: list(words(scopes)) for label, scopes in raw.items()})
    return tuple(requirements)


def _from_swagger(scheme: dict[str, Any]) -> dict[str, Any]:
    translated = {key: item for key, item in scheme.items() if key in ("type", "name", "in", "description")}
    if scheme["type"] == "basic":
        translated.update(type="http", scheme="basic")
    elif scheme["type"] == "oauth2":
        flow: dict[str, Any] = {key: scheme[key] for key in ("authorizationUrl", "tokenUrl") if key in scheme}
        flow["scopes"] = scheme.get("scopes") if isinstance(scheme.get("scopes"), dict) else {}
        translated["flows"] = {_FLOWS.get(prose(scheme.get("flow")), "implicit"): flow}
    return translated
