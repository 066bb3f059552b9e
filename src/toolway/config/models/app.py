"""Apps: what an LLM client is shown, which is a selection of operations and the words around it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from toolway.config.models.base import Host, Identifier, Model, Plugins, Resource, Roles, matching, refuse


def _base_url(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if scheme not in ("http", "https") or not separator or not rest or any(mark in rest for mark in "?# @"):
        raise refuse("wrong-value", "expected an absolute URL", 'such as "https://api.example.com"')
    return value.rstrip("/")


RolePattern = Annotated[str, matching(r"[^!:]+:.+", "a pattern `api:operation`, each side a glob")]


class NoAuth(Model):
    """Anyone may call."""

    type: Literal["none"]


class UserHttpAuth(Model):
    """The user gives a key."""

    type: Literal["user_http"]
    authorization_type: Literal["bearer", "basic"] = "bearer"


class ServiceHttpAuth(Model):
    """The client's operator holds one key for all its users."""

    type: Literal["service_http"]
    authorization_type: Literal["bearer", "basic"] = "bearer"
    verification_tokens: dict[str, str] = Field(default_factory=dict)


class OAuthAuth(Model):
    """OAuth: `client_url` is the page for the browser, `authorization_url` gives the tokens."""

    type: Literal["oauth"]
    client_url: str
    authorization_url: str
    scope: str = ""
    authorization_content_type: str = "application/json"
    verification_tokens: dict[str, str] = Field(default_factory=dict)


Auth = Annotated[NoAuth | UserHttpAuth | ServiceHttpAuth | OAuthAuth, Field(discriminator="type")]


class App(Resource):
    """An app. Texts that are not given are made from the documents."""

    id: Identifier
    host: Host | None = None
    hosts: Annotated[list[Host], Field(min_length=1)] | None = None
    """Where the app's files are served; the first app of a file is also at any other host."""
    base_url: Annotated[str, AfterValidator(_base_url)] | None = None
    """Where clients reach the gateway. Default: `https://` and the host, or `http://localhost` and the port.
    """
    name_for_human: str | None = None
    name_for_model: str | None = None
    description_for_human: str | None = None
    description_for_model: str | None = None
    logo: Annotated[str, StringConstraints(min_length=1)] | None = None
    """A file, relative to the configuration; none: one is generated."""
    contact_email: str | None = None
    legal_info_url: str | None = None
    auth: Auth = NoAuth(type="none")
    version: str | None = None
    plugins: Plugins = Field(default_factory=dict)
    """Hold for requests to the MCP endpoint, beside those of the operations that tools call."""
    operations: list[Annotated[str, StringConstraints(min_length=1)]]
    """`api:glob` selects, `!api:glob` removes, in this order. What is not selected is not shown."""
    roles: dict[RolePattern, Roles] = Field(default_factory=dict)
    """By pattern, `api:glob`: the roles of which callers of these tools need one. Later patterns win."""
    allowed_origins: list[str] = Field(default_factory=list)
    """Origins of browsers that may use the MCP endpoint, besides the app's own and the known clients'."""
    max_result_characters: Annotated[int, Field(ge=1000, le=10_000_000)] = 100_000

    def manifest_auth(self) -> dict[str, Any]:
        """The auth object of the manifest."""
        return self.auth.model_dump()
