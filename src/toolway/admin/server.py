"""The server: uvicorn on a listener of its own, in a thread of its own, with TLS where that is configured.

Raises before it listens where that would be unsafe: a key that can be guessed on an address that other
machines reach.
"""

from __future__ import annotations

import logging
import socket
import ssl
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from toolway.admin.application import application
from toolway.admin.connections import Connection
from toolway.admin.entrance import Entrance
from toolway.admin.hosts import Hosts, is_loopback
from toolway.admin.keys import Keys, WeakKeyError
from toolway.config.models.base import split_address

if TYPE_CHECKING:
    from toolway.admin.operation import Context
    from toolway.config.models.gateway import Admin, AdminTls

logger = logging.getLogger("toolway.admin")

_CONNECTIONS_MOST = 512
_IDLE_SECONDS = 30
_STOP_SECONDS = 5
_HEAD_BYTES = 65_536
_RETRY_SECONDS = 0.2
_BACKLOG = 128


class AdminServer:
    """Serves the Admin API from `start` to `stop`."""

    def __init__(self, context: Context, settings: Admin, keys: Keys, *, version: str) -> None:
        """Nothing listens yet. Raises WeakKeyError, and ValueError for a certificate that cannot be used."""
        self._host, self._port = split_address(settings.listen) or ("127.0.0.1", 9180)
        weakness = keys.weakness()
        if weakness is not None:
            if not is_loopback(self._host):
                raise WeakKeyError(
                    f"{weakness}, and the Admin API would be reached from other machines at "
                    f"{settings.listen}: give a longer key, or listen on 127.0.0.1"
                )
            logger.warning("%s; it is good for this machine alone", weakness)
        hosts = Hosts([self._host, *settings.hosts])
        inner = application(context, version=version)
        entrance = Entrance(inner, keys, hosts, body_bytes=settings.body_bytes)
        self._tls = _tls_context(settings.tls) if settings.tls is not None else None
        self._application = entrance
        self._server = self._uvicorn()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._listener: socket.socket | None = None

    @property
    def address(self) -> str:
        """The bound address, `host:port`, once it listens."""
        if self._listener is None:
            raise RuntimeError("the Admin API does not listen")
        host, port = self._listener.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def has_tls(self) -> bool:
        """Whether it is reached by https."""
        return self._tls is not None

    def start(self, *, patient: bool = False) -> None:
        """Listens, and serves from a thread. Raises OSError where the address cannot be had; `patient` waits
        for it instead, in that thread.
        """
        if not patient:
            self._listener = self._listening()
        self._thread = threading.Thread(target=self._serve, name="toolway-admin", daemon=True)
        self._thread.start()

    def _listening(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # With the protocol named, asyncio turns Nagle's algorithm off; else each answer waits 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((self._host, self._port))
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
        return listener

    def _serve(self) -> None:
        while self._listener is None and not self._stopping.is_set():
            try:
                self._listener = self._listening()
                logger.info("the Admin API listens on %s", self.address)
            except OSError:
                self._stopping.wait(_RETRY_SECONDS)
        if self._listener is not None and not self._stopping.is_set():
            self._server.run(sockets=[self._listener])

    def _uvicorn(self) -> uvicorn.Server:
        tls = self._tls
        config = uvicorn.Config(
            self._application,
            loop="asyncio",
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS_MOST,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=_STOP_SECONDS,
            h11_max_incomplete_event_size=_HEAD_BYTES,
            ssl_context_factory=None if tls is None else lambda _config, _default: tls,
        )
        return uvicorn.Server(config)

    def stop(self) -> None:
        """Stops accepting, and waits shortly for what is being answered."""
        self._stopping.set()
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS + 5)
            self._thread = None
        if self._listener is not None:
            self._listener.close()


def _tls_context(tls: AdminTls) -> ssl.SSLContext:
    """TLS 1.2 or later; with authorities for clients, they must show a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # The library reads a certificate's chain from files alone.
        with tempfile.TemporaryDirectory() as folder:
            cert, key = Path(folder, "cert.pem"), Path(folder, "key.pem")
            for path, secret in ((cert, tls.cert), (key, tls.key)):
                path.touch(mode=0o600)
                path.write_text(secret.reveal(), encoding="utf-8")
            context.load_cert_chain(cert, key)
        if tls.client_ca is not None:
            context.load_verify_locations(cadata=tls.client_ca.reveal())
            context.verify_mode = ssl.CERT_REQUIRED
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(f"the certificate of the Admin API cannot be used: {error}") from error
    return context
