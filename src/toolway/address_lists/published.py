"""The form in which OpenAI publishes addresses: an object with a list `prefixes`, of which each entry has an
`ipv4Prefix` or an `ipv6Prefix`.

A list decides who is let in, so one that is not wholly well-formed is refused as a whole, and so is one with
a network so large that it can only be a mistake.
"""

from __future__ import annotations

import ipaddress
import json
import zlib

PUBLISHED = ("https://openai.com/chatgpt-actions.json", "https://openai.com/chatgpt-connectors.json")
"""Where OpenAI publishes the addresses of GPT Actions and of MCP connectors."""

MAXIMUM_BYTES = 4_000_000
_MAXIMUM_PREFIXES = 20_000
_LARGEST = {4: 8, 6: 16}
"""The shortest prefix that is believed, by IP version."""
_KEYS = {"ipv4Prefix": 4, "ipv6Prefix": 6}
_GZIP = b"\x1f\x8b"


def prefixes_of(content: bytes) -> tuple[str, ...]:
    """The networks in a published file, perhaps packed by gzip, in order and each once. Raises ValueError."""
    try:
        data = json.loads(_unpacked(content))
    except RecursionError:
        raise ValueError("it is not JSON: it is nested too deeply") from None
    except (ValueError, zlib.error) as error:
        raise ValueError(f"it is not JSON: {error}") from error
    entries = data.get("prefixes") if isinstance(data, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError('it has no list "prefixes", or an empty one')
    if len(entries) > _MAXIMUM_PREFIXES:
        raise ValueError(f"it has more than {_MAXIMUM_PREFIXES:,} networks")
    return tuple(dict.fromkeys(_prefix(entry) for entry in entries))


def _unpacked(content: bytes) -> bytes:
    if content.startswith(_GZIP):
        content = zlib.decompressobj(wbits=31).decompress(content, MAXIMUM_BYTES + 1)
    if len(content) > MAXIMUM_BYTES:
        raise ValueError(f"it has more than {MAXIMUM_BYTES:,} bytes")
    return content


def _prefix(entry: object) -> str:
    given = [(key, entry[key]) for key in _KEYS if key in entry] if isinstance(entry, dict) else []
    if len(given) != 1:
        raise ValueError("an entry of it has not one ipv4Prefix or ipv6Prefix")
    key, text = given[0]
    network = ipaddress.ip_network(str(text), strict=False)
    if network.version != _KEYS[key]:
        raise ValueError(f"{text!r} in it is not of the version that its name says")
    if network.prefixlen < _LARGEST[network.version]:
        raise ValueError(f"{network} in it is larger than any network that one publisher has")
    return str(network)
