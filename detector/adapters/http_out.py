"""HTTP out (httpx2): one bounded request, no redirect followed, and what became of it in words.

Addresses are resolved once, each is checked, and the connection is made to the checked one: a name
that is resolved again cannot lead elsewhere meanwhile.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit, urlunsplit

import httpx2

from detector.delivery import Outcome

TIMEOUT_S = 10.0
ANSWER_BYTES_MAX = 64 << 10
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Answer:
    """A gateway's answer: status, headers and the beginning of its body."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def retry_after_s(self) -> int | None:
        """How long the gateway asks to wait, as far as it says so in seconds."""
        told = self.headers.get("retry-after", "")
        return min(int(told), 86_400) if told.isascii() and told.isdigit() else None


class HttpOut:
    """Requests of one channel to one address."""

    def __init__(
        self, url: str, allow_private: Sequence[str] = (), timeout_s: float = TIMEOUT_S
    ) -> None:
        self.url = url
        self._parts = urlsplit(url)
        self._allowed: list[Network] = [ipaddress.ip_network(one) for one in allow_private]
        self._client = httpx2.AsyncClient(
            follow_redirects=False, timeout=timeout_s, trust_env=False
        )

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()

    async def request(
        self, method: str, *, url: str = "", headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> Answer | Outcome:  # fmt: skip
        """The answer, or why there is none."""
        parts = urlsplit(url or self.url)
        address = await self._address(parts.hostname or "", parts.port or _port(parts.scheme))
        if isinstance(address, Outcome):
            return address
        host = f"[{address}]" if ":" in address else address
        netloc = f"{host}:{parts.port}" if parts.port else host
        target = urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))
        told = {"host": parts.netloc.rpartition("@")[2], **(headers or {})}
        extensions = {"sni_hostname": parts.hostname} if parts.scheme == "https" else {}
        try:
            async with self._client.stream(
                method, target, headers=told, content=content, extensions=extensions
            ) as response:
                body = b""
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > ANSWER_BYTES_MAX:
                        break
                return Answer(response.status_code, dict(response.headers), body)
        except httpx2.ConnectError:
            return Outcome("retry", "no_connection", "the gateway cannot be reached")
        except (httpx2.ConnectTimeout, httpx2.PoolTimeout):
            return Outcome("retry", "no_connection", "the gateway does not accept connections")
        except httpx2.TransportError as fault:
            return Outcome("unknown", "no_answer", type(fault).__name__)

    async def _address(self, host: str, port: int) -> str | Outcome:
        """The address to connect to, once every one of the name was found fit."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            return Outcome("retry", "no_such_host", "the gateway's name cannot be resolved")
        addresses = [str(one[4][0]) for one in found]
        if not addresses or not all(self.fit(one) for one in addresses):
            return Outcome("refused", "private_address", "the target lies in a private range")
        return addresses[0]

    def fit(self, address: str) -> bool:
        """May this address be connected to."""
        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        if any(ip in network for network in self._allowed if network.version == ip.version):
            return True
        return ip.is_global and not ip.is_multicast


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
