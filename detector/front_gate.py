"""The gate of a scale-out (事前查询): the worker that has a case's shard answers for the door."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from detector.adapters.asks import Refused as NoAnswer
from detector.adapters.asks import ask_gate
from detector.cluster.layout import CASE, Layout, name_of, partitions_of
from detector.event import Refused
from detector.gate_limits import GateLimits
from detector.ledger import LedgerError
from detector.lines import known_fields, parse_own
from detector.live import Unjudged
from detector.owners import Owners
from detector.web.inside import SECRET, token

THREADS = 16


class Elsewhere:
    """Asks workers: implements `detector.live.Beforehand`."""

    def __init__(
        self, layout: Layout, owners: Owners, limits: Callable[[], GateLimits], secret: bytes,
        now: Callable[[], int] | None,
    ) -> None:  # fmt: skip
        self._layout, self._owners, self._limits, self._now = layout, owners, limits, now
        self._headers = {SECRET: token(secret)}
        self._pool = ThreadPoolExecutor(THREADS, "gate")

    @property
    def limits(self) -> GateLimits:
        """What the district in force says."""
        return self._limits()

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def ask(self, line: bytes) -> bytes:
        """The verdict as the worker tells it; see `detector.live.Beforehand`."""
        shard = self._shard_of(line)
        at = {} if self._now is None else {"at": str(self._now())}
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._ask, shard, line, at)

    def _shard_of(self, line: bytes) -> str:
        case = known_fields(parse_own(line)).get("case_id")
        if not isinstance(case, str) or not case:
            raise Refused("case_id", "is missing")
        return name_of(CASE, int(partitions_of([case.encode()], self._layout.cases)[0]))

    def _ask(self, shard: str, line: bytes, at: dict[str, str]) -> bytes:
        try:
            url = f"{self._owners.of(shard)}/gate"
            timeout_s = self.limits.timeout_ms / 1_000
            status, told = ask_gate(url, {"shard": shard} | at, self._headers, line, timeout_s)
        except (LedgerError, NoAnswer) as fault:
            self._owners.forget(shard)
            raise Unjudged(f"shard {shard}: {fault}") from None
        if status == 200:
            return told
        if status == 400:
            raise Refused(*msgspec.json.decode(told, type=tuple[str, str]))
        self._owners.forget(shard)
        why = told.decode(errors="replace") or "the worker has it no more"
        raise Unjudged(f"shard {shard}: {why}")
