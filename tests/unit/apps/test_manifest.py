"""ai-plugin.json and its limits."""

from __future__ import annotations

from typing import Any

import pytest

from toolway.apps.manifest import human_name, manifest, model_name, problems
from toolway.apps.text import clamp, phrase

from .views import assert_golden, demo_view, view

OAUTH = {
    "type": "oauth",
    "client_url": "https://id.example.com/authorize",
    "authorization_url": "https://id.example.com/token",
    "scope": "read write",
    "authorization_content_type": "application/json",
    "verification_tokens": {"openai": "abc"},
}


def test_the_manifest_has_every_required_field_and_points_below_the_apps_prefix() -> None:
    assert_golden("manifest", manifest(demo_view()))
    assert problems(demo_view()) == []


@pytest.mark.parametrize(
    ("auth", "user"),
    [
        ({"type": "none"}, False),
        ({"type": "user_http", "authorization_type": "bearer"}, True),
        (
            {"type": "service_http", "authorization_type": "basic", "verification_tokens": {"openai": "t"}},
            False,
        ),
        (OAUTH, True),
    ],
)
def test_every_kind_of_auth_is_published_as_configured(auth: dict[str, Any], user: bool) -> None:
    written = manifest(view(auth=auth))
    assert written["auth"] == auth
    assert written["api"]["has_user_authentication"] is user
    assert problems(view(auth=auth)) == []


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("name_for_model", "has blanks", "manifest-name-for-model"),
        ("name_for_model", "x" * 51, "manifest-name-for-model"),
        ("name_for_model", "trailing\n", "manifest-name-for-model"),
        ("name_for_human", "x" * 21, "manifest-name-for-human"),
        ("name_for_human", " ", "manifest-name-for-human"),
        ("description_for_human", "x" * 101, "manifest-description-for-human"),
        ("description_for_model", "x" * 8001, "manifest-description-for-model"),
        ("contact_email", "nobody", "manifest-contact-email"),
        ("legal_info_url", "/legal", "manifest-legal-info-url"),
        ("base_url", "api.example.com", "manifest-base-url"),
        ("auth", {"type": "magic"}, "manifest-auth"),
        ("auth", {"type": "user_http", "authorization_type": "digest"}, "manifest-auth"),
        ("auth", {**OAUTH, "client_url": ""}, "manifest-auth"),
        ("auth", {**OAUTH, "authorization_url": "/token"}, "manifest-auth"),
    ],
)
def test_what_clients_refuse_is_one_problem_at_its_field(field: str, value: Any, code: str) -> None:
    found = problems(view(**{field: value}))
    assert [problem.code for problem in found] == [code]
    assert found[0].pointer.startswith(f"/{field}")


def test_limits_themselves_are_allowed_and_a_configured_text_is_never_cut() -> None:
    full = view(
        name_for_model="x" * 50,
        name_for_human="x" * 20,
        description_for_human="x" * 100,
        description_for_model="x" * 8000,
    )
    assert problems(full) == []
    assert manifest(view(name_for_human="x" * 30))["name_for_human"] == "x" * 30


def test_derived_names_end_at_a_word_within_the_limits() -> None:
    assert human_name("Conference Organisation Service API") == "Conference"
    assert human_name("Line Messaging API (v2)") == "Line Messaging API"
    assert human_name("") == "API"
    assert model_name("Line Messaging API (v2)") == "line_messaging_api_v2"
    assert len(model_name("x" * 80)) == 50


def test_texts_are_clamped_after_a_sentence_or_at_a_word() -> None:
    assert clamp("One two three.  Four\tfive six.", 18) == "One two three."
    assert clamp("alpha beta gamma", 12) == "alpha beta…"
    assert clamp("alpha beta gamma", 16) == "alpha beta gamma"
    assert clamp("x" * 20, 10) == "x" * 9 + "…"


def test_identifiers_become_phrases() -> None:
    assert phrase("getSpeakerSessions") == "Get speaker sessions"
    assert phrase("get_user-by.ID") == "Get user by ID"
    assert phrase("listHTTPRoutes") == "List HTTP routes"
