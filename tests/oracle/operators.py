"""batch_entry: one operator's records, judged in the order of their instants."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from statistics import median
from typing import cast

from detector.event import Event

from .calendar import DAY, SECOND
from .setting import OFinding, Setting, Verdicts, finding_id

TEN_MINUTES = 600 * SECOND
BATCH_BANDS = (("burst", 5, 1), ("flood", 20, 2))

Key = tuple[int, str, str]  # recorded_at, event_id, case_id


class Operator:
    """One operator's records, judged in the order of their instants."""

    def __init__(self, name: str, how: Setting) -> None:
        self.name, self.how = name, how
        self.last: int | None = None
        self.window: list[Key] = []  # the counted records of the last ten minutes, in order
        self.buckets: dict[int, dict[int, set[str]]] = {}  # local day -> bucket -> cases
        self.begun: tuple[str, str] = ("", "")  # case and event of the burst's first record
        self.raised: dict[str, str] = {}  # band -> finding of this burst

    def judge(self, e: Event, verdicts: Verdicts) -> None:
        eid, calendar = cast(str, e.event_id), self.how.calendar
        if self.last is not None and e.recorded_at <= self.last - TEN_MINUTES:
            verdicts.undetermined["batch_entry", "too_late"] += 1
            return
        if self.last is None or e.recorded_at >= self.last + TEN_MINUTES:
            self.begun, self.raised = (e.case_id, eid), {}
        self.last = e.recorded_at if self.last is None else max(self.last, e.recorded_at)
        insort(self.window, (e.recorded_at, eid, e.case_id))
        self.window = [key for key in self.window if key[0] > self.last - TEN_MINUTES]
        cases = len({case for _, _, case in self.window})
        bucket = calendar.wall(e.recorded_at) // TEN_MINUTES
        day = bucket * TEN_MINUTES // DAY
        self.buckets.setdefault(day, {}).setdefault(bucket, set()).add(e.case_id)
        for band, edge, tier in reversed(BATCH_BANDS):
            if cases >= edge and cases >= self.how.param("batch_entry", "ratio") * self.usual(day):
                self.raise_band(e, band, edge, tier, cases, verdicts)
                break

    def usual(self, day: int) -> float:
        """The median of distinct cases in a bucket over the twenty working days before."""
        counts: list[int] = []
        working_days = 0
        while working_days < 20:
            day -= 1
            if self.how.calendar.works(day):
                working_days += 1
                counts += [len(cases) for cases in self.buckets.get(day, {}).values()]
        return median(counts) if len(counts) >= 20 else 1

    def raise_band(
        self, e: Event, band: str, edge: int, tier: int, cases: int, verdicts: Verdicts
    ) -> None:
        if band in self.raised or "flood" in self.raised:
            return
        for lower in self.raised.values():
            verdicts.findings[lower].withdrawn = "superseded"
        exempt = self.how.exempt("batch_entry", e.recorded_at, None, e.department, None)
        fid = finding_id("batch_entry", "operator", self.name, (*self.begun, band))
        self.raised[band] = fid
        verdicts.findings[fid] = OFinding(
            "batch_entry", tier, band, "operator", self.name, None, e.department, None, None,
            self.name, e.recorded_at, cases, edge,
            tuple(eid for _, eid, _ in self.window)[:256],
            self.how.muted("batch_entry", exempt=exempt),
        )  # fmt: skip


def batch_entry(judged: Sequence[Event], how: Setting, until: int, verdicts: Verdicts) -> None:
    """Judge the records of every operator that the watermark has reached."""
    records: list[tuple[int, int, str, str, int, Event]] = []
    for place, e in enumerate(judged):
        if not how.operators_known:
            verdicts.undetermined["batch_entry", "operator_unknown"] += 1
        elif e.operator is None or e.imported or how.on_the_spot(e.item):
            continue
        elif how.date_only(e.recorded_at):
            verdicts.undetermined["batch_entry", "date_only"] += 1
        else:
            instant = max(e.recorded_at + how.lateness_s * SECOND, e.received_at)
            if instant <= until:
                eid = cast(str, e.event_id)
                records.append((instant, e.recorded_at, eid, e.case_id, place, e))
    operators: dict[str, Operator] = {}
    for *_, e in sorted(records, key=lambda record: record[:5]):
        name = cast(str, e.operator)
        operators.setdefault(name, Operator(name, how)).judge(e, verdicts)
