"""Bodies that come with an `Idempotency-Key`: sent again, they get the answer of the first time.

The effect is the same without a key, since lines are known by their ids; what the key adds is the
same answer. A crash between the commit and the keeping of the answer is the one gap: then lines of
the body are told as duplicates.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable

from starlette.types import Scope

from detector.accounts.replies import Replies, Reply
from detector.adapters import machine
from detector.ledger import LedgerError
from detector.web.problems import Problem
from detector.web.who import who_in

HEADER, AGAIN = b"idempotency-key", "Idempotency-Replayed"
KEY_CHARS_MAX = 255
_log = logging.getLogger("oriole.web")


class Once:
    """Answers by key. Without a place to keep them keys are not looked at."""

    def __init__(
        self, replies: Replies | None, now: Callable[[], int] = machine.wall_us
    ) -> None:  # fmt: skip
        self._replies, self._now = replies, now
        self._busy: set[str] = set()
        self.replayed = 0

    def name(self, scope: Scope) -> str | None:
        """What a request is kept under: its sender's alone. Raises `Problem`."""
        keys = [value for name, value in scope["headers"] if name == HEADER]
        if not keys or self._replies is None:
            return None
        key = keys[0]
        if len(keys) > 1 or not 0 < len(key) <= KEY_CHARS_MAX or not key.isascii():
            raise Problem(400, "once_key", n=KEY_CHARS_MAX)
        return hashlib.sha256(who_in(scope).account.encode() + b"\0" + key).hexdigest()

    async def answer(
        self, name: str, body: bytes, judge: Callable[[], Awaitable[tuple[int, bytes]]]
    ) -> tuple[Reply, bool]:
        """What the body is answered, and whether it was before. Raises as `judge`, and `Problem`
        422 where the key was used for another body, 409 while the first is being judged."""
        if name in self._busy:
            raise Problem(409, "once_pending", retry_after_s=1)
        self._busy.add(name)
        try:
            digest = hashlib.sha256(body).digest()
            held = await self._find(name)
            if held is not None:
                if held.body != digest:
                    raise Problem(422, "once_other_body")
                self.replayed += 1
                return held, True
            status, told = await judge()
            return await self._keep(name, Reply(digest, self._now(), status, told)), False
        finally:
            self._busy.discard(name)

    async def _find(self, name: str) -> Reply | None:
        assert self._replies is not None
        return await asyncio.to_thread(self._replies.find, name, self._now())

    async def _keep(self, name: str, reply: Reply) -> Reply:
        assert self._replies is not None
        try:
            kept = await asyncio.to_thread(self._replies.keep, name, reply)
        except LedgerError as fault:  # what was judged is durable, whatever becomes of its answer
            _log.error("an answer could not be kept under its key", exc_info=fault)
            return reply
        return kept if kept.body == reply.body else reply
