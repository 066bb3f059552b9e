"""What can go wrong with the store, in words for an operator. No message holds a secret or a password."""

from __future__ import annotations


class StoreError(Exception):
    """The store did not do what it was asked to. Nothing was changed."""


class StoreUnavailable(StoreError):  # noqa: N818  # A state of the database, named by the contract.
    """The database cannot be used now: the disk is full or read-only, the server is gone, access is refused.

    It may be well again later; the store then goes on by itself.
    """


class StoreInUse(StoreUnavailable):
    """Another process has the data folder."""


class StaleBase(StoreError):  # noqa: N818  # As above.
    """Another write came first: the store's revision is not the one that the write was made for."""

    def __init__(self, base: int, revision: int) -> None:
        self.base = base
        self.revision = revision
        """The store's revision when the write was refused."""
        super().__init__(f"the write was made for revision {base}, and the store is at revision {revision}")


class NewerSchema(StoreError):  # noqa: N818  # As above.
    """The database was written by a newer Toolway, whose schema this one does not know."""


class UnknownRevision(StoreError):  # noqa: N818  # As above.
    """The history has no such revision: there was none, or it is not kept any more."""

    def __init__(self, number: int, first: int, latest: int) -> None:
        """`first` and `latest` are the revisions that are kept."""
        if 0 < number < first:
            said = f"revision {number} is not kept any more; the history has {first} to {latest}"
        else:
            said = f"there is no revision {number}; the latest is {latest}"
        super().__init__(said)


class MasterKeyError(StoreError):
    """The master key is missing, malformed, readable by others, or not the one that sealed the secrets."""
