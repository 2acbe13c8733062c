"""Listening: uvicorn with bounds, and streams that end when the service does."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from detector.web.api import Web

CONNECTIONS_MAX = 12_000
BACKLOG = 2_048
GRACE_S = 2
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """Ends all streams before it waits for connections to close."""

    def __init__(self, app: FastAPI, web: Web, host: str, port: int) -> None:
        config = uvicorn.Config(
            app, host=host, port=port, loop="uvloop", http="httptools", ws="none", lifespan="on",
            log_config=None, access_log=False, backlog=BACKLOG, limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=GRACE_S, timeout_keep_alive=30, server_header=False,
        )  # fmt: skip
        super().__init__(config)
        self.web = web

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT end the serving; what comes after it still has to run, so they are
        not raised once more as uvicorn would."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {sig: signal.signal(sig, self.handle_exit) for sig in _SIGNALS}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close streams, then the rest."""
        if self.web.hub is not None:
            self.web.hub.close()
        await super().shutdown(sockets)


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

    async def run() -> None:
        task = asyncio.ensure_future(server.serve([sock]))
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        if server.started:
            ready(server)
        await task

    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(run())
