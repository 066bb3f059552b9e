"""What lies between resources: ids told once, references that lead somewhere, fields that exclude each other.

Runs after each resource has been checked on its own. A reference to a resource that is itself wrong is not
reported again: the file has it, and it will be there once it is mended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolway.config.errors import near
from toolway.config.models import Api, Consumer, Resource, Route, Service
from toolway.config.source import Source, pointer_to

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from toolway.config.configuration import Configuration
    from toolway.problem import Problem

_SECTION = {
    "upstream_id": "upstreams",
    "service_id": "services",
    "plugin_config_id": "plugin_configs",
    "group_id": "consumer_groups",
}


def check_references(
    configuration: Configuration, found: Mapping[str, Iterable[Any]], data: Mapping[str, Any]
) -> Iterator[Problem]:
    """All problems between the resources `found` (by section) of the file's `data`."""
    source = configuration.source
    for section, resources in found.items():
        yield from _doubled_ids(source, section, resources)
    written = {section: _written_ids(data.get(section)) for section in _SECTION.values()}
    for section in ("routes", "services", "apis", "consumers"):
        for index, item in enumerate(_list(data.get(section))):
            if isinstance(item, dict):
                yield from _dangling(source, item, f"/{section}/{index}", written)
    users: list[Resource] = [*configuration.routes, *configuration.services.values(), *configuration.apis]
    for resource in users:
        yield from _exclusive(source, resource)
    for app in configuration.apps:
        yield from _both(source, app, "host", "hosts")
    for route in configuration.routes:
        yield from _targetless(configuration, route)
    yield from _doubled_keys(source, configuration.consumers)


def _list(items: Any) -> list[Any]:
    return items if isinstance(items, list) else []


def _written_ids(items: Any) -> set[str]:
    return {str(item["id"]) for item in _list(items) if isinstance(item, dict) and "id" in item}


def _doubled_ids(source: Source, section: str, resources: Iterable[Resource]) -> Iterator[Problem]:
    field = "username" if section == "consumers" else "id"
    first: dict[str, Resource] = {}
    for resource in resources:
        identifier = getattr(resource, field)
        if identifier in first:
            place = source.place(first[identifier].pointer)
            where = f"at {place.line}:{place.column}" if place else f"at {first[identifier].pointer}"
            message = f'the {field} "{identifier}" is taken by another of the {section}, {where}'
            yield source.problem("duplicate-id", message, f"{resource.pointer}/{field}")
        first.setdefault(identifier, resource)
        if isinstance(resource, Consumer):
            yield from _doubled_credential_ids(source, resource)


def _doubled_credential_ids(source: Source, consumer: Consumer) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, credential in enumerate(consumer.credentials):
        if credential.id in seen:
            message = f'the consumer has two credentials with the id "{credential.id}"'
            yield source.problem("duplicate-id", message, f"{consumer.pointer}/credentials/{index}/id")
        seen.add(credential.id)


def _dangling(
    source: Source, item: Mapping[str, Any], pointer: str, written: Mapping[str, set[str]]
) -> Iterator[Problem]:
    """References of a resource as it is written: whatever else is wrong with it, they are told."""
    for field, section in _SECTION.items():
        identifier = item.get(field)
        # What is no id at all is told by the model.
        if isinstance(identifier, bool) or not isinstance(identifier, (str, int)):
            continue
        identifier = str(identifier)
        if identifier in written[section]:
            continue
        message = f'none of the {section} has the id "{identifier}"'
        hint = near(identifier, written[section])
        if hint is None and written[section]:
            hint = f"known ids: {', '.join(sorted(written[section])[:10])}"
        yield source.problem("unknown-reference", message, f"{pointer}{pointer_to(field)}", hint=hint)


def _exclusive(source: Source, resource: Resource) -> Iterator[Problem]:
    if isinstance(resource, (Route, Service, Api)):
        yield from _both(source, resource, "upstream", "upstream_id")
    if not isinstance(resource, Route):
        return
    yield from _both(source, resource, "host", "hosts")
    yield from _both(source, resource, "uri", "uris")
    yield from _both(source, resource, "remote_addr", "remote_addrs")
    if resource.uri is None and resource.uris is None:
        message = 'expected the field "uri" or "uris"'
        yield source.problem("missing-field", message, resource.pointer)


def _both(source: Source, resource: Resource, one: str, other: str) -> Iterator[Problem]:
    if getattr(resource, one) is not None and getattr(resource, other) is not None:
        message = f'expected one of "{one}" and "{other}", found both'
        yield source.problem("exclusive-fields", message, f"{resource.pointer}/{other}", at_key=True)


def _targetless(configuration: Configuration, route: Route) -> Iterator[Problem]:
    if route.upstream is not None or route.upstream_id is not None:
        return
    service = configuration.services.get(route.service_id or "")
    if service is None and route.service_id is not None:
        return
    if service is not None and (service.upstream is not None or service.upstream_id is not None):
        return
    if route.pointer in configuration.source.closed:
        return
    # Plugins may answer by themselves.
    if route.plugins or route.plugin_config_id is not None or (service is not None and service.plugins):
        return
    where = "neither the route nor its service says" if service else "the route does not say"
    hint = (
        "set upstream_id, upstream or service_id"
        if service is None
        else "set upstream_id or upstream at one of them"
    )
    yield configuration.source.problem(
        "missing-upstream", f"{where} where requests go", route.pointer, hint=hint
    )


def _doubled_keys(source: Source, consumers: Iterable[Consumer]) -> Iterator[Problem]:
    first: dict[tuple[str, str], str] = {}
    for consumer in consumers:
        for proof in consumer.proofs:
            key = (proof.plugin, proof.config.identity())
            if key in first:
                owner = first[key]
                other = "this consumer" if owner == consumer.username else f'the consumer "{owner}"'
                field = proof.config.found_by
                message = f"{other} has the same {proof.plugin} {field} already"
                yield source.problem("duplicate-credential", message, f"{proof.pointer}/{field}")
            first.setdefault(key, consumer.username)
