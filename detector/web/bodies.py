"""Reading a request's body within bounds of size, time and number."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from detector.web.problems import Problem


@dataclass
class Bodies:
    """How large a body may be, how long it may take, how many are read at a time."""

    bytes_max: int = 8 << 20
    timeout_s: float = 30.0
    at_once_max: int = 64
    reading: int = 0

    async def read(self, request: Request) -> bytes:
        """The whole body. Raises `Problem`; the connection is then closed."""
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > self.bytes_max:
            raise self._too_large()
        if self.reading >= self.at_once_max:
            raise Problem(503, "too many bodies are being sent at once", 1, close=True)
        self.reading += 1
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._chunks(request)
        except TimeoutError:
            detail = f"the body did not come within {self.timeout_s:g} seconds"
            raise Problem(408, detail, close=True) from None
        except ClientDisconnect:
            raise Problem(400, "the body ended early", close=True) from None
        finally:
            self.reading -= 1

    async def _chunks(self, request: Request) -> bytes:
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self.bytes_max:
                raise self._too_large()
            chunks.append(chunk)
        return b"".join(chunks)

    def _too_large(self) -> Problem:
        return Problem(413, f"a body may hold {self.bytes_max} bytes; send several", close=True)
