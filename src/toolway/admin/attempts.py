"""Failed attempts, slowed: after a few in a row, each wrong key from an address makes its answer come later.

Right keys are never slowed. While too many wrong ones of an address wait for their answers, further requests
from there are turned away unread, so that many connections at once are no way around the wait.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

FREE = 3
"""Wrong keys in a row that are answered at once: people mistype."""
FIRST_SECONDS = 0.1
LONGEST_SECONDS = 5.0
WAITING_MOST = 16
_FORGOTTEN_AFTER_SECONDS = 300.0
_ADDRESSES_MOST = 10_000


@dataclass(slots=True)
class _Record:
    failures: int = 0
    waiting: int = 0
    latest: float = 0.0


class Attempts:
    """Counts by address; an IPv6 network of 64 bits is one address. Times are seconds of any one clock."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def is_turned_away(self, address: str) -> bool:
        """Whether too many wrong keys of `address` wait already."""
        record = self._records.get(_group(address))
        return record is not None and record.waiting >= WAITING_MOST

    def failed(self, address: str, now: float) -> float:
        """Counts a wrong key; the seconds that its answer has to wait. `answered` follows."""
        group = _group(address)
        record = self._records.pop(group, None) or _Record()
        if now - record.latest > _FORGOTTEN_AFTER_SECONDS:
            record.failures = 0
        record.failures += 1
        record.waiting += 1
        record.latest = now
        self._records[group] = record
        if len(self._records) > _ADDRESSES_MOST:
            self._drop_one()
        if record.failures <= FREE:
            return 0.0
        return min(FIRST_SECONDS * 2.0 ** min(record.failures - FREE - 1, 16), LONGEST_SECONDS)

    def answered(self, address: str) -> None:
        """One that had to wait was answered."""
        record = self._records.get(_group(address))
        if record is not None:
            record.waiting -= 1

    def succeeded(self, address: str) -> None:
        """A right key came from there: what failed before is forgotten."""
        record = self._records.get(_group(address))
        if record is not None:
            record.failures = 0

    def _drop_one(self) -> None:
        """Forgets the address that failed longest ago and waits for nothing."""
        group = next((name for name, record in self._records.items() if not record.waiting), None)
        if group is not None:
            del self._records[group]


def _group(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
