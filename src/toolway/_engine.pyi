"""The engine: everything that touches the wire. Built from `crates/python`."""

from typing import final

class EngineError(Exception):
    """A snapshot that cannot be built. `problems` is a list of (JSON pointer into the snapshot, message)."""

    problems: list[tuple[str, str]]

@final
class Engine:
    """One gateway process: workers, listeners and the snapshot that they serve."""

    def __new__(cls, snapshot: str) -> Engine:
        """Builds `snapshot` (JSON text) without listening. Raises EngineError."""
    def start(self, *, beside: bool = False) -> None:
        """Binds the listeners and starts the workers; `beside` shares addresses with a gateway that has them.

        Raises OSError where an address cannot be had.
        """
    def listen_addresses(self) -> list[str]:
        """The bound addresses, `host:port`, in the order of `gateway.listen`; empty before `start`."""
    def tls_listen_addresses(self) -> list[str]:
        """The bound addresses of TLS listeners, in the order of `gateway.tls_listen`."""
    def metrics_address(self) -> str | None:
        """The bound address of the metrics listener."""
    def control_address(self) -> str | None:
        """The bound address of the control listener."""
    def apply(self, snapshot: str) -> None:
        """Swaps `snapshot` in for all workers at once. Raises EngineError, and then nothing has changed."""
    def reopen_logs(self) -> None:
        """Opens the access log's file anew. Raises OSError where it cannot, and then the old one goes on."""
    def drain(self, timeout: float) -> bool:
        """Stops accepting, waits at most `timeout` seconds for exchanges to end. Whether all did."""
    def call(self, app: str, tool: str, arguments: str, headers: list[tuple[str, str]]) -> str:
        """Runs tools/call in process: the result as JSON text. Raises KeyError for an unknown app or tool."""

def check(snapshot: str) -> None:
    """Builds `snapshot` and drops it. Raises EngineError."""

def plugin_schemas() -> str:
    """JSON: {plugin name: {"priority": int, "schema": JSON Schema of its configuration}}."""

def version() -> str:
    """The engine's version."""
