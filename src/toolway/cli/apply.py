"""`toolway apply`: makes a running gateway what a file says."""

from __future__ import annotations

from pathlib import Path

from toolway.cli.admin_options import (
    DEFAULT_OWNER,
    DEFAULT_URL,
    AdminUrl,
    Authorities,
    Certificate,
    CertificateKey,
    DesiredFile,
    KeyFile,
    Owner,
    admin_client,
)
from toolway.cli.output import Output, OutputFormat
from toolway.cli.plan import read, sent, tell


def apply(
    file: DesiredFile = Path("toolway.yaml"),
    admin: AdminUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    ca: Authorities = None,
    cert: Certificate = None,
    cert_key: CertificateKey = None,
    owner: Owner = DEFAULT_OWNER,
    output: Output = OutputFormat.text,
) -> None:
    """Make, change and delete what `plan` shows, at once or not at all."""
    document = read(file)
    with admin_client(admin, key_file, ca, cert, cert_key) as client:
        found = sent(document, "applying", lambda: client.apply(document.resources, owner))
    tell(found, output, is_done=True)
