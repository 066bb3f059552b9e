"""`toolway apply`: makes a running gateway what a file says."""

from __future__ import annotations

from toolway.cli.desired import command

HELP = "Make, change and delete what `plan` shows, at once or not at all."

apply = command("applying", lambda client, resources, owner: client.apply(resources, owner), is_done=True)
