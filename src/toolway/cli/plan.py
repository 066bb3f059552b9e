"""`toolway plan`: what `toolway apply` would change, field by field."""

from __future__ import annotations

from toolway.cli.desired import command

HELP = "Show what `apply` would make, change and delete; status 3 where there is something."

plan = command("comparing", lambda client, resources, owner: client.plan(resources, owner), is_done=False)
