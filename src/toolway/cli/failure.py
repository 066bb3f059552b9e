"""How a command ends otherwise than well: with one line for the user and an exit status."""

from __future__ import annotations


class Failure(Exception):  # noqa: N818  # Half of them are the user's usage, which is no error of the program.
    """The command could not do what it was asked to."""

    status = 1


class Misuse(Failure):
    """The command was not asked rightly: the arguments do not fit, or not to what is there."""

    status = 2
