"""Runs the demo: two APIs, the gateway in front of them, the play, and then a gateway to try by hand.

The APIs run in threads of this process, the gateway as its own process. All of it ends with this one: at the
end of the play with `once`, else at Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import logging
import signal
import tempfile
from contextlib import ExitStack, contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolway.config.made_key import made_key
from toolway.demo import conference, shop
from toolway.demo.gateway_process import GatewayStartError, free_port, gateway_process
from toolway.demo.play import KEY_HEADER, Stage
from toolway.demo.player import play
from toolway.demo.screen import Screen
from toolway.demo.serving import served

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from rich.console import Console

DEFAULT_PORT = 9080
METRICS_PORT = 9091


def run(console: Console, *, once: bool, port: int | None = None, base_url: str | None = None) -> int:
    """Runs the demo on `port`, or on 9080 or the next free one. Gives the exit status.

    0: the play went as it should (and the demo was ended by its user); 1: it did not, or could not be played.
    `base_url` is the public address that published documents name, such as a tunnel's.
    """
    screen = Screen(console)
    # The MCP client logs what it also raises; the play tells it once.
    logging.getLogger("mcp").addHandler(logging.NullHandler())
    try:
        with _stopped_by_sigterm(), ExitStack() as stack:
            return _run(screen, stack, once=once, port=port, base_url=base_url)
    except KeyboardInterrupt:
        screen.say()
        screen.say("Stopped.")
        return 0 if screen.finished and not screen.failures else 1
    except GatewayStartError as error:
        screen.failed(f"the gateway did not start: {error}")
    except OSError as error:
        screen.failed(f"the demo could not start: {error}")
    return 1


def _run(screen: Screen, stack: ExitStack, *, once: bool, port: int | None, base_url: str | None) -> int:
    conference_port = stack.enter_context(served(conference.application(), "conference"))
    shop_port = stack.enter_context(served(shop.application(), "shop"))
    chosen = _gateway_port(screen, port)
    metrics_port = free_port(METRICS_PORT, taken=frozenset({chosen}))
    origin = f"http://127.0.0.1:{chosen}"
    stage = Stage(origin, (base_url or origin).rstrip("/"), made_key(), made_key())
    environment = {
        "DEMO_PORT": str(chosen),
        "DEMO_METRICS_PORT": str(metrics_port),
        "DEMO_CONFERENCE_PORT": str(conference_port),
        "DEMO_SHOP_PORT": str(shop_port),
        "DEMO_BASE_URL": stage.base_url,
        "DEMO_API_KEY": stage.key,
        "DEMO_VISITOR_KEY": stage.visitor_key,
    }
    screen.say(f"Conference API  http://127.0.0.1:{conference_port}  (ordinary, knows nothing of AI)")
    screen.say(f"Shop API        http://127.0.0.1:{shop_port}  (takes orders from anyone who reaches it)")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="toolway-demo-")))
    access_log = folder / "access.log"
    configuration = stack.enter_context(as_file(files("toolway.demo"))) / "toolway.yaml"
    process = stack.enter_context(gateway_process(configuration, environment, access_log, screen.say))
    screen.say(f"Gateway         {origin}  (toolway serve -c {configuration})", "bold")
    good = play(screen, stage)
    screen.finished = True
    screen.say()
    if good:
        screen.say(f"All {screen.steps} steps went as they should.", "bold green")
    else:
        screen.say(f"{screen.failures} of the steps did not go as they should; see above.", "bold red")
    if not once:
        _guide(screen, stage, metrics_port, access_log)
        _wait(screen, process)
    return 0 if good and not screen.failures else 1


def _gateway_port(screen: Screen, wanted: int | None) -> int:
    if wanted is not None:
        if free_port(wanted) != wanted:
            raise OSError(f"port {wanted} is taken; choose another with --port")
        return wanted
    port = free_port(DEFAULT_PORT)
    if port != DEFAULT_PORT:
        screen.say(f"Port {DEFAULT_PORT} is taken, so the gateway listens on {port}.", "yellow")
    return port


def _guide(screen: Screen, stage: Stage, metrics_port: int, access_log: Path) -> None:
    url = stage.base_url
    # With the key it shows what a buyer may call.
    document = f"{url}/openapi.yaml?{KEY_HEADER}={stage.key}"
    lines = (
        "",
        "The gateway stays up. Open in a browser:",
        f"  {stage.origin}/.well-known/ai-plugin.json   what the plugin is",
        f"  {stage.origin}/openapi.yaml                 what it can do",
        f"  {stage.origin}/speaker/1/sessions           a call through the gateway",
        f"  http://127.0.0.1:{metrics_port}/apisix/prometheus/metrics   what went through it",
        "",
        "Try the guarded order, without and with the keys of this run:",
        f"  curl -i {stage.origin}/shop/orders -H 'content-type: application/json' \\",
        '    -d \'{"name": "Me", "items": [{"product_id": "rubber-duck"}]}\'',
        f"  the same with  -H '{KEY_HEADER}: {stage.key}', which may place orders",
        f"  or with        -H '{KEY_HEADER}: {stage.visitor_key}', which may not",
        "",
        "Paste into ChatGPT:",
        f"  GPT Actions     Create a GPT, Configure, Actions, Import from URL:  {document}",
        f"                  Authentication: API key, custom header {KEY_HEADER}, the key above",
        f"  MCP connector   Settings, Connectors, Create, MCP server URL:  {url}/mcp",
    )
    for line in lines:
        screen.say(line)
    if not url.startswith("https://"):
        screen.say(
            "  ChatGPT reaches public https addresses only. Open a tunnel to the gateway's port and start the"
            "\n  demo again with its address, so that the documents name it:  toolway demo --base-url https://...",
            "yellow",
        )
    screen.say()
    screen.say(f"The access log is {access_log}. Ctrl-C ends the demo.")


def _wait(screen: Screen, process: subprocess.Popen[str]) -> None:
    status = process.wait()
    screen.failed(f"the gateway ended by itself with status {status}")


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    def stop(_signal: int, _frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
