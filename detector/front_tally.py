"""The threshold explorer of a scale-out (阈值试算): what the workers of all cases' shards have
counted, added up. One that does not tell is named: a part is never shown as the whole."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from detector.adapters import machine
from detector.adapters.asks import Refused, ask_worker
from detector.cluster.layout import CASE, Layout
from detector.counted import Counted, decode, merged
from detector.ledger import LedgerError
from detector.live import Untold
from detector.owners import Owners
from detector.web.inside import SECRET, token

THREADS = 16
TOLD_S = 4.0  # all shards together
TOLD_BYTES_MAX = 128 << 20  # of one shard
Log = Callable[..., Any]


class Tallies:
    """Asks workers."""

    def __init__(self, layout: Layout, owners: Owners, secret: bytes, log: Log) -> None:
        self._shards, self._owners, self._log = layout.shards(CASE), owners, log
        self._headers = {SECRET: token(secret)}
        self._pool = ThreadPoolExecutor(THREADS, "tally")

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def of(self, rule: str) -> Counted:
        """What was counted of a rule's raw values. Raises `Untold`."""
        until = machine.seconds() + TOLD_S
        asked = {one: self._pool.submit(self._ask, one, rule, until) for one in self._shards}
        try:
            return merged([_within(one, until, shard) for shard, one in asked.items()])
        except Untold as fault:
            self._log("shard_untold", rule=rule, reason=str(fault))
            raise
        finally:
            for one in asked.values():
                one.cancel()

    def _ask(self, shard: str, rule: str, until: float) -> Counted:
        """What a shard tells. Who is believed to have it is asked, then who the ledger names."""
        reason = ""
        for _ in range(2):
            left_s = until - machine.seconds()
            if left_s <= 0:
                raise Untold(shard, reason or "others took too long")
            try:
                url = f"{self._owners.of(shard)}/tally"
                told = ask_worker(
                    url, {"shard": shard, "rule": rule}, self._headers, left_s, TOLD_BYTES_MAX
                )
                if told is not None:
                    return decode(told)
                reason = "the worker has it no more"
            except (LedgerError, Refused, ValueError) as fault:  # an answer of another edition
                reason = str(fault)
            self._owners.forget(shard)
        raise Untold(shard, reason)


def _within(asked: Future[Counted], until: float, shard: str) -> Counted:
    """The answer, waited for no longer. Raises `Untold`."""
    try:
        return asked.result(max(0.0, until - machine.seconds()))
    except TimeoutError:
        raise Untold(shard, f"it took longer than {TOLD_S:g} s") from None
