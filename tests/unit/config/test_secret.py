"""Secrets: resolved where they are expected, and shown nowhere."""

from __future__ import annotations

import logging
import pickle
from typing import TYPE_CHECKING

import pytest

from toolway.config import Secret
from toolway.config.secret import SecretMissingError, SecretResolver, is_reference, redact, reveal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("shown", [str, repr, "{}".format, "{!r:>20}".format, lambda secret: f"{secret}"])
def test_a_secret_prints_as_redacted(shown: object) -> None:
    assert "sesame" not in shown(Secret("sesame"))  # type: ignore[operator]
    assert "[redacted]" in shown([Secret("sesame")])  # type: ignore[operator]


def test_a_secret_is_not_written_out() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret("sesame"))


def test_a_secret_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("key %s of %r", Secret("sesame"), {"key": Secret("sesame")})
    assert "sesame" not in caplog.text


def test_secrets_with_the_same_text_are_equal() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_one_newline_at_the_end_of_a_file_is_taken_off(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sesame\n\n")
    (tmp_path / "dos").write_bytes(b"sesame\r\n")
    resolver = SecretResolver({}, tmp_path)
    assert resolver.resolve("$file://key") == Secret("sesame\n")
    assert resolver.resolve("$file://dos") == Secret("sesame")
    assert resolver.resolve(f"$file://{tmp_path}/dos") == Secret("sesame")
    assert resolver.files == {tmp_path / "key", tmp_path / "dos"}


def test_a_text_that_is_no_reference_is_no_secret(tmp_path: Path) -> None:
    assert SecretResolver({}, tmp_path).resolve("$remote_addr") is None


@pytest.mark.parametrize(
    "reference", ["$env://NONE", "$env://EMPTY", "$file://none", "$file://.", "$file://a\0b", "$file://blob"]
)
def test_a_reference_that_leads_nowhere_is_told(tmp_path: Path, reference: str) -> None:
    (tmp_path / "blob").write_bytes(b"\xff\xfe")
    with pytest.raises(SecretMissingError):
        SecretResolver({"EMPTY": ""}, tmp_path).resolve(reference)


def test_plain_data_is_shown_redacted_and_given_revealed() -> None:
    data = {"set": [Secret("sesame"), {"a": Secret("b")}], "n": 1}
    assert redact(data) == {"set": ["[redacted]", {"a": "[redacted]"}], "n": 1}
    assert reveal(data) == {"set": ["sesame", {"a": "b"}], "n": 1}


def test_a_field_of_a_json_object_in_a_variable_is_read(tmp_path: Path) -> None:
    environment = {"JACK": '{"auth-key": "sesame", "port": 1, "empty": ""}', "TEXT": "plain-text"}
    resolver = SecretResolver(environment, tmp_path)
    for reference in ("$env://JACK/auth-key", "$ENV://JACK/auth-key"):
        assert resolver.resolve(reference) == Secret("sesame")
    for reference, message in {
        "$env://JACK/none": 'JACK is no JSON object with the field "none"',
        "$env://TEXT/k": 'TEXT is no JSON object with the field "k"',
        "$env://JACK/port": "is not a text",
        "$env://JACK/empty": "is empty",
        "$env://JOE/k": "JOE is not set",
    }.items():
        with pytest.raises(SecretMissingError, match=message) as told:
            resolver.resolve(reference)
        assert "sesame" not in str(told.value)
        assert "plain-text" not in str(told.value)


@pytest.mark.parametrize(
    "text", ["$env:/A", "env://A", "https://a", "$Secret", "", "$other://A", " $env://A"]
)
def test_a_text_that_is_no_reference_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    assert SecretResolver({"A": "a"}, tmp_path).resolve(text) is None
    assert not is_reference(text)
