"""Every section and field of a configuration stands in docs/configuration.md, with its default."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import pytest
from pydantic import BaseModel

from toolway.config.apisix import SECTIONS
from toolway.config.kinds import KINDS
from toolway.config.models import (
    Api,
    App,
    Consumer,
    ConsumerGroup,
    GatewaySettings,
    GatewayTls,
    GlobalRule,
    Identified,
    Model,
    OperationSettings,
    OperationTool,
    PluginConfig,
    PluginMetadata,
    Resource,
    Route,
    SecretManager,
    Service,
    Ssl,
    SslClient,
    Timeout,
    Upstream,
    UpstreamSettings,
)
from toolway.config.models.app import NoAuth, OAuthAuth, ServiceHttpAuth, UserHttpAuth
from toolway.config.models.checks import (
    ActiveChecks,
    ActiveHealthy,
    ActiveUnhealthy,
    Checks,
    PassiveChecks,
    PassiveHealthy,
    PassiveUnhealthy,
)
from toolway.config.models.consumer import Credential
from toolway.config.models.credentials import (
    BasicAuthCredential,
    HmacAuthCredential,
    JwtAuthCredential,
    KeyAuthCredential,
    MtlsAuthCredential,
)
from toolway.config.models.gateway import Admin, AdminKey, AdminTls, Dns, History, Limits, PathRules
from toolway.config.models.upstream import InlineUpstream, KeepalivePool, NodeEntry, UpstreamTls

from .pages import DOCS, Row, rows, section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE = DOCS / "configuration.md"

TABLES: Mapping[type[Model], str] = {
    GatewaySettings: "gateway",
    Admin: "admin",
    AdminKey: "keys of the Admin API",
    AdminTls: "TLS of the Admin API",
    GatewayTls: "TLS at the listeners",
    Dns: "dns",
    History: "history",
    Limits: "limits",
    PathRules: "path",
    Api: "apis",
    OperationSettings: "operations of an api",
    OperationTool: "tool",
    App: "apps",
    Consumer: "consumers",
    Credential: "credentials",
    KeyAuthCredential: "key-auth of a consumer",
    BasicAuthCredential: "basic-auth of a consumer",
    JwtAuthCredential: "jwt-auth of a consumer",
    HmacAuthCredential: "hmac-auth of a consumer",
    MtlsAuthCredential: "mtls-auth of a consumer",
    Route: "routes",
    Service: "services",
    Upstream: "upstreams",
    NodeEntry: "nodes as a list",
    Timeout: "timeout",
    Checks: "checks",
    ActiveChecks: "active",
    ActiveHealthy: "active.healthy",
    ActiveUnhealthy: "active.unhealthy",
    PassiveChecks: "passive",
    PassiveHealthy: "passive.healthy",
    PassiveUnhealthy: "passive.unhealthy",
    KeepalivePool: "keepalive_pool",
    UpstreamTls: "tls",
    InlineUpstream: "An upstream inside another resource",
    PluginConfig: "plugin_configs",
    ConsumerGroup: "consumer_groups",
    PluginMetadata: "plugin_metadata",
    SecretManager: "Secrets of a manager",
    GlobalRule: "global_rules",
    Ssl: "ssls",
    SslClient: "client of ssls",
}
AUTHS: Mapping[str, type[Model]] = {
    "none": NoAuth,
    "user_http": UserHttpAuth,
    "service_http": ServiceHttpAuth,
    "oauth": OAuthAuth,
}
SHARED = {Resource: "Fields of every resource", Identified: "Fields of every resource"}
"""Fields that are told once for all resources."""


def own_fields(model: type[Model]) -> set[str]:
    """The fields that the model's own table has: without those that it shares with others."""
    names = set(model.model_fields)
    if issubclass(model, Identified):
        names -= set(Identified.model_fields)
    elif issubclass(model, Resource):
        names -= set(Resource.model_fields)
    if model is InlineUpstream:
        names -= set(UpstreamSettings.model_fields)
    return names


def check_table(model: type[Model], names: set[str], listed: list[Row]) -> None:
    assert sorted(row.key for row in listed) == sorted(names), model.__name__
    for row in listed:
        kind, default = row.cells[1], row.cells[2]
        assert kind, row.key
        assert default == written_default(model, row.key), f"{model.__name__}.{row.key}"


def written_default(model: type[Model], name: str) -> str:
    field = model.model_fields[name]
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None:
        return "none"
    if isinstance(default, NoAuth):
        return f"`{json.dumps(default.model_dump())}`"
    if isinstance(default, BaseModel):
        return "`{}`"
    return f"`{json.dumps(default)}`"


def models_below(model: Any) -> Iterator[type[Model]]:
    """The model and all that its fields can hold."""
    if isinstance(model, type) and issubclass(model, Model):
        yield model
        for field in model.model_fields.values():
            yield from models_below(field.annotation)
    for argument in get_args(model):
        yield from models_below(argument)


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_a_table_has_the_fields_of_its_model(model: type[Model]) -> None:
    # Tables of fields have four columns, others fewer.
    listed = [row for row in rows(section(PAGE, TABLES[model])) if len(row.cells) == 4]
    check_table(model, own_fields(model), listed)


def test_fields_of_every_resource_are_told_once() -> None:
    listed = rows(section(PAGE, "Fields of every resource"))
    check_table(Identified, set(Identified.model_fields), listed)


def test_each_kind_of_auth_has_its_table() -> None:
    parts = "\n".join(section(PAGE, "auth")).split("\n`type: ")[1:]
    listed = {part.partition("`")[0]: rows(part.splitlines()) for part in parts}
    assert set(listed) == set(AUTHS)
    for kind, model in AUTHS.items():
        check_table(model, set(model.model_fields), listed[kind])


def test_no_model_is_left_out() -> None:
    roots = (GatewaySettings, *(kind.entry for kind in KINDS.values()))
    reached = {model for root in roots for model in models_below(root)}
    assert reached <= set(TABLES) | set(AUTHS.values())


def test_every_section_is_listed() -> None:
    sections = {kind.section for kind in KINDS.values() if kind.section}
    assert {row.key for row in rows(section(PAGE, "The sections"))} == {*sections, "gateway"}


def test_what_is_not_supported_yet_is_listed() -> None:
    told = "\n".join(section(PAGE, "Differences from Apache APISIX"))
    names = {name for model in TABLES for name in model.not_supported} | SECTIONS
    assert not {name for name in names if f"`{name}`" not in told}
