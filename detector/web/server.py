"""Listening: uvicorn with bounds, and streams that end when the service does."""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from detector.web.api import Web
from detector.web.stream import ABORT

HEADER_BYTES_MAX = 64 * 1024
HEADER_TIMEOUT_S = 30.0
CONNECTIONS_MAX = 12_000
BACKLOG = 2_048
ASIDE_CONNECTIONS_MAX = 64
GRACE_S = 2  # uvicorn would wait without end for what is open


class Protocol(HttpToolsProtocol):
    """One connection: its headers must come in time and be small; it can be dropped."""

    header_timeout_s = HEADER_TIMEOUT_S

    def connection_made(self, transport: Any) -> None:
        """A client has come: it has so long to say what it wants."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(self.header_timeout_s, self._head_late)
        self._in_head = True

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._head_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes; what does not end its headers is counted."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEADER_BYTES_MAX and not self.transport.is_closing():
                self.send_400_response("The headers are too large.")

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: self.transport.abort}  # type: ignore[dict-item]
        self._head_timer.cancel()
        self._head_timer = self.loop.call_later(self.header_timeout_s, self._head_late)
        self._in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """All headers are there."""
        self._head_timer.cancel()
        self._in_head = False
        super().on_headers_complete()

    def _head_late(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


class Server(uvicorn.Server):
    """Set `should_exit` or send SIGINT or SIGTERM to end it; whoever runs it then goes on."""

    def __init__(self, app: FastAPI, web: Web, host: str, port: int) -> None:
        config = uvicorn.Config(
            app, host=host, port=port, loop="uvloop", http=Protocol, ws="none", lifespan="on",
            log_config=None, access_log=False, backlog=BACKLOG, limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=GRACE_S, timeout_keep_alive=30, server_header=False,
            proxy_headers=False,
        )  # fmt: skip
        super().__init__(config)
        self.web = web
        self.ready: Callable[[Server], None] = lambda server: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        try:
            await super().startup(sockets)
        except SystemExit:
            raise RuntimeError("the web did not start; the log says why") from None
        self.ready(self)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams and half bodies, then the rest."""
        self.web.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises signals again once it has ended, which would kill its caller's end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def leave(number: int, frame: FrameType | None) -> None:
            self.force_exit = self.should_exit and number == signal.SIGINT
            self.should_exit = True

        before = {one: signal.signal(one, leave) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


class Aside:
    """A small server in a thread of its own, beside whatever the process is for."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        """Raises `OSError` where it cannot listen."""
        self._sock = listen(host, port)
        self.port: int = self._sock.getsockname()[1]
        config = uvicorn.Config(
            app, log_config=None, access_log=False, ws="none", lifespan="off", server_header=False,
            limit_concurrency=ASIDE_CONNECTIONS_MAX, timeout_graceful_shutdown=GRACE_S,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="aside", daemon=True)

    def _run(self) -> None:
        self._server.run([self._sock])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.should_exit = True
        self._thread.join()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def raise_file_limit() -> None:
    """Let this process hold as many connections as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def serve(server: Server, sock: socket.socket, ready: Callable[[Server], None]) -> None:
    """Serve until a signal, or until `server.should_exit` is set."""
    server.ready = ready
    server.run([sock])
