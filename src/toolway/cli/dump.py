"""`toolway dump`: all that a running gateway serves, as a configuration file."""

from __future__ import annotations

from toolway.cli.admin_options import (
    DEFAULT_URL,
    AdminUrl,
    Authorities,
    Certificate,
    CertificateKey,
    KeyFile,
    admin_client,
)
from toolway.cli.output import Output, OutputFormat, print_json, print_text
from toolway.cli.working import counting
from toolway.declarative import dumped
from toolway.declarative.dumping import as_yaml


def dump(
    admin: AdminUrl = DEFAULT_URL,
    key_file: KeyFile = None,
    ca: Authorities = None,
    cert: Certificate = None,
    cert_key: CertificateKey = None,
    output: Output = OutputFormat.text,
) -> None:
    """Print the resources of a running gateway as a configuration file, YAML or JSON, without secrets."""
    with admin_client(admin, key_file, ca, cert, cert_key) as client, counting() as progress:
        document = dumped(client, progress)
    if output is OutputFormat.json:
        print_json(document)
    else:
        print_text(as_yaml(document) if document else "{}\n")
