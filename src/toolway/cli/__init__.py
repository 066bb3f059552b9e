"""The command line: a file per command, each of which reads its arguments, calls one thing and prints.

`main` is the outermost edge of every run. No stack trace passes it unless TOOLWAY_DEBUG=1 is set. Statuses:
0 well, 1 failed, 2 bad usage or configuration, 3 a plan with changes.
"""

from __future__ import annotations

import gc
import os
import sys

import typer

from toolway.cli import apply, plan
from toolway.cli.call import call
from toolway.cli.check import check
from toolway.cli.compile import compile_configuration
from toolway.cli.demo import demo
from toolway.cli.dump import dump
from toolway.cli.export import export
from toolway.cli.failure import Failure
from toolway.cli.import_api import import_api
from toolway.cli.init import init
from toolway.cli.keys import keys
from toolway.cli.output import errors, print_problems
from toolway.cli.serve import serve
from toolway.cli.store import store
from toolway.cli.version import print_version
from toolway.problem import ConfigurationError

_COLLECTED_AT = (50_000, 20, 100)
"""Of the collector's generations: new objects, and then rounds of the generation before."""

application = typer.Typer(
    name="toolway",
    help="An API gateway for AI tools: from OpenAPI documents to tools that LLM clients can call.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
application.callback()(print_version)
application.command("init")(init)
application.command("import")(import_api)
application.command("check")(check)
application.command("compile")(compile_configuration)
application.command("serve")(serve)
application.command("call")(call)
application.command("export")(export)
application.command("dump")(dump)
application.command("plan", help=plan.HELP)(plan.plan)
application.command("apply", help=apply.HELP)(apply.apply)
application.command("demo")(demo)
application.add_typer(keys, name="keys")
application.add_typer(store, name="store")


def run(arguments: list[str]) -> int:
    """Runs a command line (without the program's name), prints what went wrong, and gives the exit status."""
    try:
        application(arguments, prog_name="toolway")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except Failure as failure:
        errors().print(f"toolway: {failure}")
        return failure.status
    except ConfigurationError as error:
        print_problems(error.problems)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # The outermost edge: one line instead of a stack trace.
        if os.environ.get("TOOLWAY_DEBUG") == "1":
            raise
        said = " ".join(f"{type(error).__name__}: {error}".split())
        errors().print(f"toolway: {said} (TOOLWAY_DEBUG=1 shows where)")
        return 1
    return 0


def main() -> None:
    """The entry point of `toolway` and `python -m toolway`."""
    # Large configurations are made of very many small objects that stay until they are compiled, and to look
    # through them for cycles again and again would take a third of the time.
    gc.freeze()
    gc.set_threshold(*_COLLECTED_AT)
    sys.exit(run(sys.argv[1:]))
