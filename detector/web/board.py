"""The board's figures (监察大屏): what the wall shows, added up once and sent to all who look.

Figures are taken when something may have changed, not more often than `LOOK_S`, and never so often
that they cost more than a twentieth of one core. Who looks on is sent each whole: the newest is
all that matters, so it bears no id.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from detector.engine import Engine
from detector.ledger import LedgerError, NoticeQuery, NoticeRow, Query, Reading
from detector.live import Service
from detector.trials import ENDS
from detector.values import iso_time
from detector.web.hub import Hub
from detector.web.nearest import nearest
from detector.web.problems import Problem
from detector.web.readers import Readers
from detector.web.scopes import hidden
from detector.web.times import windows

_log = logging.getLogger("oriole.web")
LOOK_S, SHARE = 1.0, 20  # between two looks, at least, and how many times what the last one took
STILL_S = 10.0  # figures that did not change are sent again so often, with the clock
HOURS = 24
HOUR_US = 3_600_000_000
NEWEST, DUE, DEPARTMENTS, REASONS = 24, 14, 14, 8
_encode = msgspec.json.Encoder().encode
Delivery = Callable[[], dict[str, Any] | None]


class Board:
    """The figures of one ledger."""

    def __init__(
        self, service: Service, readers: Readers, hub: Hub, engine: Callable[[], Engine],
        delivery: Delivery = lambda: None,
    ) -> None:  # fmt: skip
        self.service, self.readers, self.hub = service, readers, hub
        self._engine, self._delivery = engine, delivery
        self._counts = Counter[tuple[str, str, str]]()  # kind, rule, reason
        self._counted = 0
        self._rate: tuple[float, int] | None = None  # when, accepted
        self._last: tuple[float, dict[str, Any]] | None = None
        self._busy = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self.takes_s = 0.0  # what the last look took

    def start(self) -> None:
        """Begin to look, in the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._looks())
        self._task.add_done_callback(_ended)

    def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()

    async def figures(self) -> dict[str, Any]:
        """The figures, at most `LOOK_S` old. Raises `Problem`, `LedgerError`."""
        async with self._busy:
            now = _now()
            if self._last is not None and now - self._last[0] < max(LOOK_S, SHARE * self.takes_s):
                return self._last[1]
            told = await self.readers.ask(lambda r: self._take(r, now))
            self.takes_s = _now() - now
            self._last = (_now(), told)
            return told

    async def _looks(self) -> None:
        before, sent = b"", 0.0
        while True:
            await asyncio.sleep(max(LOOK_S, SHARE * self.takes_s))
            if not self.hub.watchers:
                continue
            try:
                told = await self.figures()
            except (Problem, LedgerError):
                continue  # the wall's own clock says how old its figures are
            still = _encode({**told, "clock": 0, "rate": 0})
            if still != before or _now() - sent >= STILL_S or not told["wall"]:
                before, sent = still, _now()
                self.hub.show(frame_of(told))

    # -- in a reader's thread -------------------------------------------------------------------

    def _take(self, reader: Reading, now: float) -> dict[str, Any]:
        clock = self.service.figures.clock_us
        engine = self._engine()
        self._count(reader)
        begin = (clock // HOUR_US - HOURS + 1) * HOUR_US
        hours = reader.hour_counts(begin, begin + HOURS * HOUR_US)
        table = dict[str, list[int]]()
        for bar in hours:
            table.setdefault(bar.rule, [0] * HOURS)[bar.hour - begin // HOUR_US] += bar.n
        most = sorted(table.items(), key=lambda one: -sum(one[1]))
        newest, zone = Query(state="stands", limit=NEWEST), engine.calendar.zone
        return {
            "clock": clock // 1000, "wall": self.service.wall, "rate": self._speed(now),
            "windows": windows(engine.calendar, clock),
            "newest": [msgspec.Raw(hidden(held.json())) for _, held in reader.findings(newest)],
            **_open(reader),
            "due": [_due(*one) for one in nearest(reader, NoticeQuery(limit=DUE), zone)],
            "hours": {"from": begin // 1000, "rules": most},
            "trials": sum(c.trial is not None for c in engine.rulebook.live),
            "standing": sum(reader.totals()["standing"].values()),
            "unknown": self._top("undetermined"), "muted": self._top("muted"),
            "service": self._service(), "delivery": self._delivery(),
        }  # fmt: skip

    def _count(self, reader: Reading) -> None:
        """Add what came since the last look. Of several shards all anew: who commits later may have
        been numbered before."""
        if not self.hub.embedded:
            self._counts.clear()
            self._counted = 0
        self._counted, more = reader.counts_after(self._counted)
        for one in more:
            if not one.rule.endswith(ENDS):  # what is tried is no figure of the rules in force
                self._counts[one.kind, one.rule, one.reason] += one.n

    def _speed(self, now: float) -> float | None:
        """Events a second since the last look."""
        accepted = self.service.figures.accepted
        before, self._rate = self._rate, (now, accepted)
        if before is None or now <= before[0]:
            return None
        return round((accepted - before[1]) / (now - before[0]), 1)

    def _top(self, kind: str) -> dict[str, Any]:
        mine = Counter({key[1:]: n for key, n in self._counts.items() if key[0] == kind})
        top = [[rule, reason, n] for (rule, reason), n in mine.most_common(REASONS)]
        return {"n": mine.total(), "top": top}

    def _service(self) -> dict[str, Any]:
        told, (bodies, size) = self.service.figures, self.service.waiting()
        lags = self.service.about().get("lag_records") or {}
        return {
            "state": self.service.state, "waiting": bodies, "waiting_bytes": size,
            "lag": max(lags.values(), default=0), "refused": told.refused,
            "accepted": told.accepted, "at": iso_time(told.clock_us),
        }  # fmt: skip


def _ended(task: asyncio.Task[None]) -> None:
    fault = None if task.cancelled() else task.exception()
    if fault is not None:
        _log.error("the board stands still", exc_info=fault)


def _now() -> float:
    return asyncio.get_running_loop().time()


def frame_of(told: dict[str, Any]) -> bytes:
    """Figures as an event of the stream, without an id."""
    return b"event: board\ndata: %b\n\n" % _encode(told)


def _open(reader: Reading) -> dict[str, Any]:
    """Open notices by tier, and the departments that have most."""
    tiers, by_department = dict[int, list[int]](), dict[str, list[int]]()
    for one in reader.open_counts():
        second = one.n if one.level == 2 else 0
        tier = tiers.setdefault(one.tier, [0, 0])
        row = by_department.setdefault(one.department or "", [0, 0, 0])
        tier[0], tier[1] = tier[0] + one.n, tier[1] + second
        row[:] = [row[0] + one.n, row[1] + second, max(row[2], one.tier)]
    ranked = sorted(by_department.items(), key=lambda one: (-one[1][1], -one[1][0], one[0]))
    return {
        "tiers": [[tier, *many] for tier, many in sorted(tiers.items())],
        "departments": [[code, *many] for code, many in ranked[:DEPARTMENTS]],
    }


def _due(next_us: int, row: NoticeRow) -> dict[str, Any]:
    return {
        "id": row.notice_id, "tier": row.tier, "level": row.level, "kind": row.subject_kind,
        "subject": row.subject, "department": row.department, "state": row.state,
        "next": next_us // 1000,
    }  # fmt: skip
