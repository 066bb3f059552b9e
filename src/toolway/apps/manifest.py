"""ai-plugin.json, version 1: an app's identity as plugin clients read it, and what in it breaks their limits.

Texts are published as the view has them: configured ones are reported when they are too long, never cut. The
names and descriptions that `compile` derives from documents are fitted with the functions here. Source:
llm-clients requirements, section 1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from toolway.apps.text import clamp, tidy
from toolway.problem import Problem

if TYPE_CHECKING:
    from toolway.apps.model import AppView

MAX_NAME_FOR_MODEL = 50
MAX_NAME_FOR_HUMAN = 20
MAX_DESCRIPTION_FOR_MODEL = 8000
MAX_DESCRIPTION_FOR_HUMAN = 100

NAME_FOR_MODEL = re.compile(r"[A-Za-z0-9_]{1,50}")

AUTH_FIELDS: dict[str, tuple[str, ...]] = {
    "none": (),
    "user_http": ("authorization_type",),
    "service_http": ("authorization_type",),
    "oauth": ("client_url", "authorization_url", "scope", "authorization_content_type"),
}
"""The fields that each type of auth needs. verification_tokens may come later: it is shown while
registering.
"""

AUTHORIZATION_TYPES = ("bearer", "basic")


def manifest(view: AppView) -> dict[str, Any]:
    """The app's manifest, with every required field."""
    files = view.base_url + view.path_prefix
    return {
        "schema_version": "v1",
        "name_for_human": view.name_for_human,
        "name_for_model": view.name_for_model,
        "description_for_human": view.description_for_human,
        "description_for_model": view.description_for_model,
        "auth": dict(view.auth),
        "api": {
            "type": "openapi",
            "url": f"{files}/openapi.yaml",
            "has_user_authentication": view.auth.get("type") in ("user_http", "oauth"),
        },
        "logo_url": f"{files}/logo.png",
        "contact_email": view.contact_email,
        "legal_info_url": view.legal_info_url,
    }


def human_name(title: str) -> str:
    """A name_for_human from a document's title: at most 20 characters, whole words."""
    words = re.sub(r"[^\w &+.'-]+", " ", title).split()
    while len(words) > 1 and len(" ".join(words)) > MAX_NAME_FOR_HUMAN:
        words.pop()
    return " ".join(words)[:MAX_NAME_FOR_HUMAN].rstrip(" -&+") or "API"


def model_name(title: str) -> str:
    """A name_for_model from a document's title: lower case, underscores, at most 50 characters."""
    words = re.findall(r"[A-Za-z0-9]+", title.lower())
    while len(words) > 1 and len("_".join(words)) > MAX_NAME_FOR_MODEL:
        words.pop()
    return "_".join(words)[:MAX_NAME_FOR_MODEL] or "api"


def human_description(text: str) -> str:
    """A description_for_human from a document's description, on one line."""
    return clamp(" ".join(text.split()), MAX_DESCRIPTION_FOR_HUMAN)


def model_description(text: str) -> str:
    """A description_for_model from a document's description."""
    return clamp(text, MAX_DESCRIPTION_FOR_MODEL)


def problems(view: AppView) -> list[Problem]:
    """What clients would refuse in the manifest; `pointer` is the app's field, `/name_for_model`."""
    found = []
    if not NAME_FOR_MODEL.fullmatch(view.name_for_model):
        found.append(
            Problem(
                "manifest-name-for-model",
                f"name_for_model is {view.name_for_model!r}; clients take 1 to {MAX_NAME_FOR_MODEL} letters, "
                "digits and underscores",
                pointer="/name_for_model",
                hint=f"for example {model_name(view.name_for_model)!r}",
            )
        )
    found += _text("name_for_human", view.name_for_human, MAX_NAME_FOR_HUMAN)
    found += _text("description_for_model", view.description_for_model, MAX_DESCRIPTION_FOR_MODEL)
    found += _text("description_for_human", view.description_for_human, MAX_DESCRIPTION_FOR_HUMAN)
    found += _auth(view.auth)
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", view.contact_email):
        found.append(
            Problem(
                "manifest-contact-email",
                f"contact_email is {view.contact_email!r}; the manifest needs an address",
                pointer="/contact_email",
                hint="for example support@example.com",
            )
        )
    for field, value, example in (
        ("legal_info_url", view.legal_info_url, "https://www.example.com/legal"),
        ("base_url", view.base_url, "https://api.example.com"),
    ):
        if not _is_absolute(value):
            found.append(
                Problem(
                    f"manifest-{field.replace('_', '-')}",
                    f"{field} is {value!r}; the manifest needs an absolute http or https URL",
                    pointer=f"/{field}",
                    hint=f"for example {example}",
                )
            )
    return found


def _text(field: str, value: str, limit: int) -> list[Problem]:
    code, pointer = f"manifest-{field.replace('_', '-')}", f"/{field}"
    if not tidy(value):
        return [Problem(code, f"{field} is empty; clients refuse a manifest without it", pointer=pointer)]
    if len(value) > limit:
        message = f"{field} has {len(value)} characters; clients take at most {limit}"
        return [Problem(code, message, pointer=pointer, hint=f"it would fit as {clamp(value, limit)[:80]!r}")]
    return []


def _auth(auth: dict[str, Any]) -> list[Problem]:
    kind = auth.get("type")
    if kind not in AUTH_FIELDS:
        message = f"auth.type is {kind!r}; a manifest knows {', '.join(AUTH_FIELDS)}"
        return [Problem("manifest-auth", message, pointer="/auth/type")]
    found = [
        Problem(
            "manifest-auth",
            f"auth.{field} is missing; auth of type {kind} needs it",
            pointer=f"/auth/{field}",
        )
        for field in AUTH_FIELDS[kind]
        if auth.get(field) in (None, "")
    ]
    declared = auth.get("authorization_type")
    if declared and str(declared).lower() not in AUTHORIZATION_TYPES:
        message = f"auth.authorization_type is {declared!r}; clients know {' and '.join(AUTHORIZATION_TYPES)}"
        found.append(Problem("manifest-auth", message, pointer="/auth/authorization_type"))
    if kind == "oauth":
        found += [
            Problem("manifest-auth", f"auth.{field} is not an absolute URL", pointer=f"/auth/{field}")
            for field in ("client_url", "authorization_url")
            if auth.get(field) and not _is_absolute(str(auth[field]))
        ]
    return found


def _is_absolute(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
