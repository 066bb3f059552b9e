"""Parsing: a source to a configuration, or to all of its problems at once.

First each resource is checked on its own by its model, then its plugins, then what lies between resources
(`references`). Of a resource that is wrong, plugins and references are checked as they are written.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from toolway.config.apisix import SECTIONS as APISIX_SECTIONS
from toolway.config.configuration import Configuration
from toolway.config.errors import near
from toolway.config.identity import identifier_of
from toolway.config.kinds import KINDS
from toolway.config.models import (
    CREDENTIALS,
    Api,
    App,
    Consumer,
    ConsumerGroup,
    GatewaySettings,
    GlobalRule,
    Identified,
    Model,
    PluginConfig,
    PluginMetadata,
    Proof,
    Resource,
    Route,
    SecretManager,
    Service,
    Ssl,
)
from toolway.config.plugins import PluginChecker, PluginSchemas
from toolway.config.references import check_references
from toolway.config.secret import Secret, SecretMissingError, SecretResolver, is_reference
from toolway.config.source import Source, pointer_to
from toolway.config.telling import advice, kind_of, problems_of
from toolway.config.tls import check_tls
from toolway.problem import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolway.config.models.credentials import CredentialSettings

_SECTIONS: Mapping[str, type[Resource]] = {
    kind.section: kind.entry for kind in KINDS.values() if kind.section
}
_PEM = ("cert", "key", "client_ca")
_MAY_HIDE = frozenset({"plugins", "tls", "operations", "credentials", "upstream"})
"""Fields of resources below which references to secrets are resolved."""
M = TypeVar("M", bound=Model)
R = TypeVar("R", bound=Resource)


def parse(
    source: Source,
    *,
    plugin_schemas: Mapping[str, Mapping[str, Any]],
    gateway: GatewaySettings | None = None,
) -> Configuration:
    """Checks `source`; `plugin_schemas` is what the engine's `plugin_schemas()` says, decoded.

    `PluginSchemas` are for one who parses often. `gateway` are settings that hold in place of a section of
    that name.

    Reads the secrets that are referred to. Raises ConfigurationError with every problem, in the order of the
    file.
    """
    parser = _Parser(source, plugin_schemas, gateway)
    configuration = parser.configuration()
    if parser.problems:
        raise ConfigurationError(_in_order(parser.problems))
    return configuration


def _in_order(problems: list[Problem]) -> list[Problem]:
    unique = dict.fromkeys(problems)
    return sorted(unique, key=lambda problem: (problem.line or 0, problem.column or 0))


def _hides(value: Any) -> bool:
    """Whether references to secrets may be in a value; most have none, and there may be very many."""
    if isinstance(value, str):
        return value.startswith("$")
    if isinstance(value, dict):
        return any(map(_hides, value.values()))
    return isinstance(value, list) and any(map(_hides, value))


def _of_file(value: Any) -> Any:
    if not isinstance(value, str) or not value or value.startswith("-----") or is_reference(value):
        return value
    return f"$file://{value}"


class _Parser:
    def __init__(
        self,
        source: Source,
        plugin_schemas: Mapping[str, Mapping[str, Any]],
        gateway: GatewaySettings | None,
    ) -> None:
        self._source = source
        self._given = gateway
        if not isinstance(plugin_schemas, PluginSchemas):
            plugin_schemas = PluginSchemas(plugin_schemas)
        self._schemas = plugin_schemas
        self._plugins = PluginChecker(source, plugin_schemas)
        self._secrets = SecretResolver(source.environment, source.folder, source.is_confined, source.managed)
        self.problems: list[Problem] = list(source.problems)
        # Where the source itself has a problem the value is a stand-in, of which nothing more is said.
        self._silent = {problem.pointer for problem in source.problems}

    def configuration(self) -> Configuration:
        data = self._source.data
        if not isinstance(data, dict):
            self._add("wrong-type", f"expected a mapping of sections, found {kind_of(data)}", "")
            return Configuration(self._source)
        self._check_sections(data)
        # First the managers, for everything else may refer to what they keep.
        managers = self._resources(SecretManager, data.get("secrets"), "/secrets")
        self._secrets.managers = {manager.id: manager.settings for manager in managers}
        gateway = self._given or self._settings(data.get("gateway") or {})
        found: dict[str, list[Any]] = {
            name: self._resources(model, data.get(name), pointer_to(name))
            for name, model in _SECTIONS.items()
            if model is not SecretManager
        }
        found["secrets"] = managers
        for name, resources in found.items():
            self._identify(resources, name)
        configuration = Configuration(
            self._source,
            gateway or GatewaySettings(),
            upstreams={upstream.id: upstream for upstream in found["upstreams"]},
            services={service.id: service for service in found["services"]},
            plugin_configs={config.id: config for config in found["plugin_configs"]},
            consumer_groups={group.id: group for group in found["consumer_groups"]},
            routes=tuple(found["routes"]),
            consumers=tuple(found["consumers"]),
            global_rules=tuple(found["global_rules"]),
            apis=tuple(found["apis"]),
            apps=tuple(found["apps"]),
            ssls={ssl.id: ssl for ssl in found["ssls"]},
            secrets={manager.id: manager for manager in found["secrets"]},
            plugin_metadata={metadata.id: metadata for metadata in found["plugin_metadata"]},
            files=frozenset(self._secrets.files),
        )
        for problem in (*check_references(configuration, found, data), *check_tls(configuration, data)):
            self._note(problem)
        return configuration

    def _check_sections(self, data: dict[str, Any]) -> None:
        known = [*_SECTIONS, "gateway"]
        for name in data:
            pointer = pointer_to(name)
            if name in APISIX_SECTIONS:
                self._add("not-supported-yet", f'"{name}" is not supported yet', pointer, at_key=True)
            elif name not in known:
                message = f'the section "{name}" is not known'
                hint = near(name, known) or f"known sections: {', '.join(sorted(known))}"
                self._add("unknown-field", message, pointer, hint, at_key=True)

    def _resources(self, model: type[R], items: Any, pointer: str) -> list[R]:
        if items is None:
            return []
        if not isinstance(items, list):
            message = f"expected a list, found {kind_of(items)}"
            self._add(
                "wrong-type", message, pointer, advice("a list", items) or "begin each entry with a dash"
            )
            return []
        found = []
        for index, item in enumerate(items):
            below = f"{pointer}/{index}"
            resolved = item
            if isinstance(item, dict):
                is_secret = model in (Ssl, SecretManager)
                resolved = self._unveiled(item, below) if is_secret else self._resolved(item, below)
            resource = self._model(model, resolved, below)
            if resource is not None:
                resource.placed(below)
                self._check_plugins(resource)
                found.append(resource)
            elif isinstance(resolved, dict):
                self._check_plugins_of_wrong(model, resolved, below)
        return found

    def _model(self, model: type[M], data: Any, pointer: str) -> M | None:
        try:
            return model.model_validate(data)
        except ValidationError as error:
            for problem in problems_of(error, model, data, pointer, self._source):
                self._note(problem)
            return None

    def _resolved(self, data: dict[str, Any], pointer: str) -> dict[str, Any]:
        """A copy with the references to secrets in settings of plugins and of TLS resolved."""
        copy = dict(data)
        for name, value in data.items():
            if name not in _MAY_HIDE:
                continue
            below = f"{pointer}/{name}"
            if name == "plugins":
                copy[name] = self._schemas.veiled(self._unveiled(value, below))
            elif name == "tls":
                copy[name] = self._unveiled(value, below)
            elif name in ("operations", "credentials") and isinstance(value, dict):
                copy[name] = {
                    key: self._resolved(item, below + pointer_to(key)) if isinstance(item, dict) else item
                    for key, item in value.items()
                }
            elif name == "upstream" and isinstance(value, dict):
                copy[name] = self._resolved(value, below)
            elif name == "credentials" and isinstance(value, list):
                copy[name] = [
                    self._resolved(item, f"{below}/{index}") if isinstance(item, dict) else item
                    for index, item in enumerate(value)
                ]
        return copy

    def _settings(self, data: Any) -> GatewaySettings | None:
        """The gateway's settings with secrets read; in TLS, unlike elsewhere, a text that is no PEM is a
        path.
        """
        if isinstance(data, dict):
            data = {**data}
            if "tls" in data:
                data["tls"] = self._listener_tls(data["tls"], "/gateway/tls")
            admin = data.get("admin")
            if isinstance(admin, dict):
                data["admin"] = admin = {**admin}
                if "tls" in admin:
                    admin["tls"] = self._listener_tls(admin["tls"], "/gateway/admin/tls")
                if "keys" in admin:
                    admin["keys"] = self._unveiled(admin["keys"], "/gateway/admin/keys")
        return self._model(GatewaySettings, data, "/gateway")

    def _listener_tls(self, tls: Any, pointer: str) -> Any:
        if not isinstance(tls, dict):
            return tls
        read = {name: _of_file(value) if name in _PEM else value for name, value in tls.items()}
        return self._unveiled(read, pointer)

    def _unveiled(self, value: Any, pointer: str) -> Any:
        """The value with its references to secrets resolved; itself where it has none."""
        if not _hides(value):
            return value
        if isinstance(value, dict):
            return {key: self._unveiled(item, pointer + pointer_to(key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._unveiled(item, f"{pointer}/{index}") for index, item in enumerate(value)]
        try:
            return self._secrets.resolve(value) or value
        except SecretMissingError as error:
            self._add("secret-missing", str(error), pointer)
            self._silent.add(pointer)
            return Secret("missing")

    def _check_plugins(self, resource: Resource) -> None:
        pointer = resource.pointer
        if isinstance(resource, Consumer):
            at = f"{pointer}/plugins"
            self._note_all(self._plugins.check(resource.plugins, at, besides=CREDENTIALS))
            resource.proved_by(tuple(self._proofs(resource)))
            return
        if isinstance(resource, PluginMetadata):
            self._note_all(self._plugins.check_metadata(resource.id, resource.model_extra or {}, pointer))
        if isinstance(resource, (Route, Service, PluginConfig, ConsumerGroup, GlobalRule, Api, App)):
            self._note_all(self._plugins.check(resource.plugins, f"{pointer}/plugins"))
        if isinstance(resource, Api):
            for pattern, settings in resource.operations.items():
                at = f"{pointer}/operations{pointer_to(pattern)}/plugins"
                self._note_all(self._plugins.check(settings.plugins, at))

    def _check_plugins_of_wrong(self, model: type[Resource], data: dict[str, Any], pointer: str) -> None:
        """The plugins of a resource in which something else is wrong, so that all its mistakes are told."""
        plugins = data.get("plugins")
        if "plugins" in model.model_fields and isinstance(plugins, dict):
            mappings = {name: settings for name, settings in plugins.items() if isinstance(settings, dict)}
            besides = CREDENTIALS if model is Consumer else ()
            self._note_all(self._plugins.check(mappings, f"{pointer}/plugins", besides=besides))

    def _proofs(self, consumer: Consumer) -> list[Proof]:
        """The credentials of a consumer, of which what is wrong is noted and left out."""
        proofs = []
        for name, settings in consumer.plugins.items():
            if name in CREDENTIALS:
                at = f"{consumer.pointer}/plugins{pointer_to(name)}"
                meta = settings.get("_meta", {})
                is_disabled = isinstance(meta, dict) and bool(meta.get("disable"))
                config = self._proof(name, settings, at)
                if config is not None:
                    identifier = f"{consumer.username}:{name}"
                    proofs.append(Proof(identifier, name, config, at, is_disabled=is_disabled))
        for index, credential in enumerate(consumer.credentials):
            for name, settings in credential.plugins.items():
                at = f"{consumer.pointer}/credentials/{index}/plugins{pointer_to(name)}"
                if name not in CREDENTIALS:
                    self._note(self._plugins.no_credential(name, at, CREDENTIALS))
                    continue
                config = self._proof(name, settings, at)
                if config is not None:
                    is_disabled = credential.status == 0
                    proofs.append(Proof(credential.id, name, config, at, credential.expiry(), is_disabled))
        return proofs

    def _proof(self, name: str, settings: Mapping[str, Any], at: str) -> CredentialSettings | None:
        plain = {key: value for key, value in settings.items() if key != "_meta"}
        return self._model(CREDENTIALS[name], plain, at)

    def _identify(self, resources: list[Any], section: str) -> None:
        """Makes the ids that the file does not give: from content, so that they outlive a change of order."""
        made: Counter[str] = Counter()
        for resource in resources:
            if not isinstance(resource, Identified) or resource.id:
                continue
            identifier = identifier_of(section, resource)
            made[identifier] += 1
            resource.identified(identifier if made[identifier] == 1 else f"{identifier}-{made[identifier]}")

    def _add(
        self, code: str, message: str, at: str, hint: str | None = None, *, at_key: bool = False
    ) -> None:
        self._note(self._source.problem(code, message, at, hint=hint, at_key=at_key))

    def _note_all(self, problems: list[Problem]) -> None:
        for problem in problems:
            self._note(problem)

    def _note(self, problem: Problem) -> None:
        if problem.pointer not in self._silent:
            self.problems.append(problem)
