"""HTTP out (httpx2): one bounded request, no redirect followed, and what became of it in words.

Addresses are resolved once, each is checked, and the connection is made to a checked one: a name
that is resolved again cannot lead elsewhere meanwhile. Each request has a connection of its own: on
a shared one, a gateway that answers twice would answer the next message with the second.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import urlsplit, urlunsplit

import httpx2

from detector.adapters.reachable import Reachable
from detector.delivery import Outcome

TIMEOUT_S = 10.0  # to connect, and between two pieces of an answer
WHOLE = 1.5  # of that, for a whole answer: who sends it a byte at a time is cut off
CONNECTIONS_MAX = 100  # at a time, of one channel
ANSWER_BYTES_MAX = 64 << 10
RETRY_AFTER_S_MAX = 86_400
NO_REQUEST = Outcome("refused", "no_request", "what would be sent is no sound HTTP request")
Resolve = Callable[[str, int], Awaitable[list[str]]]


class Answer:
    """A gateway's answer: status, headers and the beginning of its body."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def retry_after_s(self) -> int | None:
        """How long the gateway asks to wait, as far as it says so in seconds."""
        told = self.headers.get("retry-after", "")
        known = told.isascii() and told.isdigit() and len(told) < 10
        return min(int(told), RETRY_AFTER_S_MAX) if known else None


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system's resolver gives them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class HttpOut:
    """Requests of one channel to one address."""

    def __init__(
        self, url: str, allow_private: Sequence[str] = (), timeout_s: float = TIMEOUT_S,
        ca_file: str = "", resolve: Resolve = resolve,
    ) -> None:  # fmt: skip
        self.url, self._timeout_s, self._resolve = url, timeout_s, resolve
        self.reach = Reachable(allow_private)
        self._client = httpx2.AsyncClient(
            follow_redirects=False, timeout=timeout_s, trust_env=False,
            limits=httpx2.Limits(max_keepalive_connections=0, max_connections=CONNECTIONS_MAX),
            verify=ssl.create_default_context(cafile=ca_file) if ca_file else True,
        )  # fmt: skip

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()

    async def request(
        self, method: str, *, url: str = "", headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> Answer | Outcome:  # fmt: skip
        """The answer, or why there is none. `url`: of the same host as the channel's."""
        parts = urlsplit(url or self.url)
        addresses = await self._addresses(parts.hostname or "", parts.port or _port(parts.scheme))
        if isinstance(addresses, Outcome):
            return addresses
        told = {
            "host": parts.netloc.rpartition("@")[2],
            "connection": "close",
            "accept-encoding": "identity",  # what is read is bounded as it arrives
            **(headers or {}),
        }
        extensions = {"sni_hostname": parts.hostname} if parts.scheme == "https" else {}
        answer: Answer | Outcome = Outcome("retry", "no_connection")
        for address in addresses:
            host = f"[{address}]" if ":" in address else address
            netloc = f"{host}:{parts.port}" if parts.port else host
            target = urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))
            try:
                request = self._client.build_request(
                    method, target, headers=told, content=content, extensions=extensions
                )
            except (httpx2.InvalidURL, ValueError):  # such as a header with Chinese in it
                return NO_REQUEST
            answer = await self._answer(request)
            if not isinstance(answer, Outcome) or answer.code != "no_connection":
                break
        return answer

    async def _answer(self, request: httpx2.Request) -> Answer | Outcome:
        """One request on one address. What takes too long in all has no answer."""
        try:
            async with asyncio.timeout(self._timeout_s * WHOLE):
                response = await self._client.send(request, stream=True)
                try:
                    body = b""
                    async for part in response.aiter_raw():
                        body += part
                        if len(body) > ANSWER_BYTES_MAX:
                            break
                    return Answer(response.status_code, dict(response.headers), body)
                finally:
                    await response.aclose()
        except httpx2.ConnectError as fault:
            return Outcome("retry", "no_connection", _why(fault))
        except (httpx2.ConnectTimeout, httpx2.PoolTimeout):
            return Outcome("retry", "no_connection", "the gateway does not accept connections")
        except (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol):
            return NO_REQUEST
        except httpx2.TransportError as fault:
            return Outcome("unknown", "no_answer", type(fault).__name__)
        except TimeoutError:
            return Outcome("unknown", "no_answer", "no whole answer in time")

    async def _addresses(self, host: str, port: int) -> list[str] | Outcome:
        """The addresses to connect to, once every one of the name was found fit."""
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await self._resolve(host, port)
        except (OSError, UnicodeError):  # TimeoutError is an OSError
            return Outcome("retry", "no_such_host", "the gateway's name cannot be resolved")
        if not found or not all(self.reach.fit(one) for one in found):
            return Outcome("refused", "private_address", "the target lies in a private range")
        return found


def _why(fault: httpx2.ConnectError) -> str:
    """Whether nobody listened, or its certificate was not believed."""
    seen: BaseException | None = fault
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return "its certificate is not trusted"
        seen = seen.__cause__ or seen.__context__
    return "the gateway cannot be reached"


def _port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def outcome_of(answer: Answer) -> Outcome | None:
    """What an HTTP status alone says; None for success."""
    code = str(answer.status)
    if 200 <= answer.status < 300:
        return None
    if answer.status in (408, 425, 429) or answer.status >= 500:
        return Outcome("retry", code, "", retry_after_s=answer.retry_after_s)
    if 300 <= answer.status < 400:
        return Outcome("refused", code, "redirects are not followed")
    return Outcome("refused", code)
