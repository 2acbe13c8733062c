"""What every request passes: host and origin are ours, and headers keep browsers in bounds.

While there are no accounts the service listens on loopback alone. A page of another site may still
make a browser on this machine send requests here: so the host that a request names must be a name
of the loopback or one that the server was told, and a request that changes something must not come
from another origin. Behind a proxy that asks who comes, the host may be any; the origin must still
be the same.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detector.web.problems import Problem, answer

SAFE = ("GET", "HEAD", "OPTIONS")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    # with `no-referrer` browsers would send our own forms from the origin `null`, which is foreign
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_POLICY = (
    b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
    b" form-action 'self'; frame-ancestors 'none'"
)
_DOCS = _POLICY + b"; style-src 'self' 'unsafe-inline'"  # swagger-ui writes styles as it runs


def is_loopback(host: str) -> bool:
    """Is this a name or address of the machine itself alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """An ASGI application around another."""

    def __init__(
        self, app: ASGIApp, any_host: bool = False, hosts: Iterable[str] = (),
        tell: Callable[[Scope, int], None] = lambda scope, status: None,
    ) -> None:  # fmt: skip
        self.app, self._any_host, self._tell = app, any_host, tell
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._tell(scope, message["status"])
                policy = _DOCS if scope["path"] == "/api/docs" else _POLICY
                named = (b"content-security-policy", policy)
                message["headers"] = [*message["headers"], *_HEADERS, named]
            await send(message)

        fault = _fault(scope, self._any_host, self._hosts)
        if fault:
            await answer(fault, scope)(scope, receive, guarded)
            return
        try:
            await self.app(scope, receive, guarded)
        except Exception:
            self._tell(scope, 500)  # it is answered further out
            raise


def _fault(scope: Scope, any_host: bool, hosts: frozenset[str]) -> Problem | None:
    told = {name: value.decode("latin-1").lower() for name, value in scope["headers"]}
    host = told.get(b"host", "localhost")
    name = _name(host)
    if not (any_host or is_loopback(name) or name in hosts):
        return Problem(421, "host_foreign", close=True)
    if not scope["query_string"].isascii():
        return Problem(400, "query_not_ascii")
    if scope["method"] in SAFE:
        return None  # without leave by header no other site's page can read the answer
    origin = told.get(b"origin")
    foreign = origin is not None and origin.partition("://")[2] != host
    if foreign or told.get(b"sec-fetch-site") == "cross-site":
        return Problem(403, "origin_foreign", close=True)
    return None


def _name(host: str) -> str:
    """The host of `host:port`."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
