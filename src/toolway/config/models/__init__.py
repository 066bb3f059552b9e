"""The models: one file for each kind of resource. They check fields one by one; `parse` checks what lies
between.
"""

from __future__ import annotations

from toolway.config.models.api import Api, OperationSettings, OperationTool
from toolway.config.models.app import App
from toolway.config.models.base import Identified, Model, Plugins, Resource
from toolway.config.models.consumer import Consumer, ConsumerAlone, Credential, Proof
from toolway.config.models.consumer_group import ConsumerGroup
from toolway.config.models.credentials import CREDENTIALS
from toolway.config.models.gateway import Admin, AdminKey, AdminTls, GatewaySettings, GatewayTls
from toolway.config.models.global_rule import GlobalRule
from toolway.config.models.plugin_config import PluginConfig
from toolway.config.models.plugin_metadata import PluginMetadata
from toolway.config.models.route import Route
from toolway.config.models.secret_manager import SecretManager
from toolway.config.models.service import Service
from toolway.config.models.ssl import Ssl, SslClient
from toolway.config.models.upstream import Timeout, Upstream, UpstreamSettings, UpstreamTls

__all__ = [
    "CREDENTIALS",
    "Admin",
    "AdminKey",
    "AdminTls",
    "Api",
    "App",
    "Consumer",
    "ConsumerAlone",
    "ConsumerGroup",
    "Credential",
    "GatewaySettings",
    "GatewayTls",
    "GlobalRule",
    "Identified",
    "Model",
    "OperationSettings",
    "OperationTool",
    "PluginConfig",
    "PluginMetadata",
    "Plugins",
    "Proof",
    "Resource",
    "Route",
    "SecretManager",
    "Service",
    "Ssl",
    "SslClient",
    "Timeout",
    "Upstream",
    "UpstreamSettings",
    "UpstreamTls",
]
