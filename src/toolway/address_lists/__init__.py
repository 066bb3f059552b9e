"""Address lists: networks that others publish, such as those that OpenAI's products call from.

Read from files and URLs, remembered, and looked at again; nothing here knows of configurations or plugins.
"""

from __future__ import annotations

from toolway.address_lists.lists import AddressListError, AddressLists
from toolway.address_lists.published import PUBLISHED

__all__ = ["PUBLISHED", "AddressListError", "AddressLists"]
