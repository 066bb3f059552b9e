"""`toolway keys`: the API keys of consumers at a running gateway."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from toolway.cli.admin_options import (
    DEFAULT_URL,
    AdminUrl,
    Authorities,
    Certificate,
    CertificateKey,
    KeyFile,
    admin_client,
)
from toolway.cli.failure import Misuse
from toolway.cli.output import Output, OutputFormat, errors, print_json, print_text, visible

if TYPE_CHECKING:
    from toolway.declarative.keys import KnownKey, MadeKey

_SPAN = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_HEADS = ("CONSUMER", "ID", "KEY", "CREATED", "EXPIRES", "LAST USED")

Consumer = Annotated[str, typer.Argument(help="The consumer's username.", show_default=False)]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id.", show_default=False)]
Expires = Annotated[
    str | None,
    typer.Option(
        "--expires",
        metavar="WHEN",
        help="When the key ends: 90d, 12h, or a time such as 2027-01-31T12:00:00Z.",
        show_default=False,
    ),
]

keys = typer.Typer(
    help="Make, list, replace and revoke API keys of consumers.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@keys.command("create")
def create_key(
    consumer: Consumer,
    identifier: Annotated[
        str | None, typer.Option("--id", help="The key's id; one is made by default.", show_default=False)
    ] = None,
    expires: Expires = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no gateway: print what to put into a file.")
    ] = False,
    admin: AdminUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    ca: Authorities = None,
    cert: Certificate = None,
    cert_key: CertificateKey = None,
    output: Output = OutputFormat.text,
) -> None:
    """Make a key for a consumer and print it, this once."""
    from toolway.declarative import keys as ring

    expires_at = _moment(expires)
    if offline:
        _print_for_file(consumer, *ring.for_file(identifier, expires_at), output)
        return
    with admin_client(admin, key_file, ca, cert, cert_key) as client:
        made = ring.create(client, consumer, identifier, expires_at)
    _print_made(made, output)


@keys.command("list")
def list_keys(
    consumer: Annotated[
        str | None, typer.Argument(help="The consumer's username; all by default.", show_default=False)
    ] = None,
    admin: AdminUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    ca: Authorities = None,
    cert: Certificate = None,
    cert_key: CertificateKey = None,
    output: Output = OutputFormat.text,
) -> None:
    """List the keys: whose they are, when they end, and when they were last used."""
    from toolway.declarative import keys as ring

    with admin_client(admin, key_file, ca, cert, cert_key) as client:
        found = list(ring.listed(client, consumer))
    if output is OutputFormat.json:
        print_json([asdict(each) for each in found])
        return
    lines = [_HEADS, *map(_line, found)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADS))]
    for line in lines:
        print_text("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


@keys.command("rotate")
def rotate_key(
    consumer: Consumer,
    identifier: KeyId,
    overlap: Annotated[
        str, typer.Option("--overlap", metavar="SPAN", help="For how long the old key still does.")
    ] = "24h",
    expires: Expires = None,
    admin: AdminUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    ca: Authorities = None,
    cert: Certificate = None,
    cert_key: CertificateKey = None,
    output: Output = OutputFormat.text,
) -> None:
    """Make a key in place of another, which ends when the overlap has passed."""
    from toolway.declarative import keys as ring

    span = _span(overlap)
    if span is None:
        raise Misuse(f'--overlap takes a span, such as 24h or 7d, not "{overlap}"')
    with admin_client(admin, key_file, ca, cert, cert_key) as client:
        made = ring.rotate(client, consumer, identifier, span, _moment(expires))
    _print_made(made, output)


@keys.command("revoke")
def revoke_key(
    consumer: Consumer,
    identifier: KeyId,
    disable: Annotated[
        bool, typer.Option("--disable", help="Keep the key, which proves nothing from now on.")
    ] = False,
    admin: AdminUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    ca: Authorities = None,
    cert: Certificate = None,
    cert_key: CertificateKey = None,
) -> None:
    """Revoke a key: no request that comes from now on gets in with it."""
    from toolway.declarative import keys as ring

    with admin_client(admin, key_file, ca, cert, cert_key) as client:
        ring.revoke(client, consumer, identifier, keep=disable)
    errors().print(f"{consumer}/{identifier} is {'disabled' if disable else 'revoked'}")


def _print_made(made: MadeKey, output: OutputFormat) -> None:
    if output is OutputFormat.json:
        print_json(asdict(made))
        return
    end = f", until {made.expires_at}" if made.expires_at else ""
    errors().print(f"{made.consumer}/{made.id}{end}. The key is shown this once:")
    print_text(made.key)


def _print_for_file(consumer: str, key: str, entry: dict[str, object], output: OutputFormat) -> None:
    if output is OutputFormat.json:
        print_json({"key": key, "consumer": consumer, "credential": entry})
        return
    from toolway.declarative.dumping import as_yaml

    errors().print(f"For `credentials` of the consumer {consumer}. The key is shown this once:")
    print_text(f"# {key}\n{as_yaml([entry])}")


def _line(known: KnownKey) -> tuple[str, ...]:
    return tuple(
        visible(text)
        for text in (
            known.consumer,
            known.id,
            f"...{known.hint}" if known.hint else "-",
            _told(known.created_at),
            "disabled" if known.is_disabled else known.expires_at or "-",
            _told(known.last_used_at),
        )
    )


def _told(seconds: int | None) -> str:
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _span(text: str) -> timedelta | None:
    match = _SPAN.fullmatch(text)
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None


def _moment(text: str | None) -> str | None:
    """A time as credentials have it, of a time or a span from now. Raises Misuse."""
    if text is None:
        return None
    from toolway.declarative.keys import moment

    span = _span(text)
    try:
        when = datetime.now(UTC) + span if span is not None else datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        when = None
    if when is None or when.tzinfo is None:
        raise Misuse(f'--expires takes a span, such as 90d, or a time with its offset, not "{text}"')
    return moment(when)
