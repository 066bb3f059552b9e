"""The engine: everything that touches the wire. Built from `crates/python`."""

from typing import final

class EngineError(ValueError):
    """A snapshot or delta that cannot be built. `problems` is a list of (JSON pointer into it, message)."""

    problems: list[tuple[str, str]]

class StaleError(RuntimeError):
    """What was prepared is based on what no longer runs: prepare it again."""

@final
class Prepared:
    """A delta, built onto what ran then, and not in force. Dropping it drops what was built."""

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
    def prepare(self, delta: str) -> Prepared:
        """Builds a delta (JSON text) onto what runs now; nothing that it does not name is built again.

        `{"version": 1, "gateway"?: {...}, "put": {section: [entry]}, "remove": {section: [id]}}`: sections
        and entries are the snapshot's, and consumers go by username. `put` adds, or replaces what has the
        entry's id; a replaced route or global rule keeps its place in the order, a new one is last, and so is
        one whose id stands in `remove` as well. Removing what is not there changes nothing. Raises
        EngineError with all problems, also those that the delta would make elsewhere; nothing changes then.
        """
    def commit(self, prepared: Prepared) -> None:
        """Swaps in what was prepared, for all workers at once.

        Raises StaleError where something else was swapped in since it was prepared; nothing changes then.
        """
    def reopen_logs(self) -> None:
        """Opens the access log's file anew. Raises OSError where it cannot, and then the old one goes on."""
    def tell_address_lists(self, read: list[tuple[str, int]]) -> None:
        """Tells the metrics when lists of addresses were last read, by source, in seconds since 1970."""
    def drain(self, timeout: float) -> bool:
        """Stops accepting, waits at most `timeout` seconds for exchanges to end. Whether all did."""
    def call(self, app: str, tool: str, arguments: str, headers: list[tuple[str, str]]) -> str:
        """Runs tools/call in process: the result as JSON text. Raises KeyError for an unknown app or tool."""
    def tools(self, app: str, headers: list[tuple[str, str]]) -> str:
        """Runs tools/list in process: the entries, all pages of them, as JSON text.

        Raises KeyError for an unknown app, PermissionError with the refusal where the caller is refused.
        """
    def last_use(self, username: str, credential: str) -> int | None:
        """When a credential was last used, in seconds since 1970, to the minute; none: not yet."""

def check(snapshot: str) -> None:
    """Builds `snapshot` and drops it. Raises EngineError."""

def plugin_schemas() -> str:
    """JSON: {plugin name: {"priority": int, "schema": JSON Schema of its configuration}}."""

def version() -> str:
    """The engine's version."""
