"""Complaints and consultations: answered in time, late or never, on the very edge of each band."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.simulate.reports import DAY_S, Reports, day_of, dealt, midnight, stamp
from detector.simulate.stream import US, begin_s

LIMIT_WD = {"complaint": 7, "consultation": 3}
TIERS = (0, 2, 3)  # of the bands
EVERY_CASES = 400  # there is one of each kind
A_DAY = 0.3  # and so many besides
NEVER_S = 1 << 50
DEEDS = (
    "prompt", "prompt", "prompt", "at_signal", "signalled", "at_limit", "dated_in_time",
    "second_late", "late", "dated_late", "at_far", "far_late", "very_late", "never",
)  # fmt: skip
ONE_LINE, LATE_NEWS, TWICE, AMENDED, DATE_ONLY = 0.2, 0.35, 0.1, 0.1, 0.4  # shares


class Voice(NamedTuple):
    """One of them, in seconds UTC: when it came, and the instants of its bands."""

    number: int
    came: int
    dated: bool  # only the day is known
    bands: list[int]


def hear(reports: Reports) -> None:
    """Every complaint and consultation."""
    county = reports.county
    begin = begin_s(county.plan.district.calendar)
    count = len(county.cases.item) // EVERY_CASES
    count += int((reports.last - begin) / DAY_S * A_DAY) + 2 * len(DEEDS)
    for salt, (kind, limit) in enumerate(LIMIT_WD.items()):
        rng = np.random.default_rng([county.seed, 7, salt])
        came = np.sort(rng.integers(begin, reports.last, count))
        dated = rng.random(count) < DATE_ONLY
        bands = _bands(reports, came, dated, limit)
        for n, deed in enumerate(dealt(DEEDS, count, rng)):
            voice = Voice(n, int(came[n]), bool(dated[n]), bands[n].tolist())
            _speak(reports, kind, voice, deed, rng)


def _bands(reports: Reports, came: np.ndarray, dated: np.ndarray, limit_wd: int) -> np.ndarray:
    """The instants (voices, bands) at which bands are crossed, from the end of the day where
    only that is known."""
    calendar = reports.county.plan.district.calendar
    ends = np.array([midnight(at) + DAY_S for at in came.tolist()])
    start, day = np.where(dated, ends, came) * US, calendar.day_us
    soon = np.maximum(calendar.add(start, (limit_wd - 2) * day, "left"), start)
    late = [calendar.add(start, (limit_wd + more) * day, "right") for more in (0, 1)]
    return np.stack([soon, *late], axis=1) // US


def _answer(voice: Voice, deed: str, rng: np.random.Generator) -> int:
    """When it is answered; at midnight where only the day is told."""
    soon, over, far = voice.bands

    def within(after: int, until: int) -> int:
        return int(rng.integers(after + 1, max(until, after + 1) + 1))

    if deed == "prompt":
        return within(min(voice.came + 60, soon - 1), soon)
    if deed in ("dated_in_time", "dated_late"):  # the day of the edge is in time, the next is not
        return midnight(over) + DAY_S * (deed == "dated_late")
    return {
        "at_signal": soon, "signalled": within(soon, over), "at_limit": over,
        "second_late": over + 1, "late": within(over, far), "at_far": far,
        "far_late": far + 1, "very_late": within(far, far + 20 * DAY_S), "never": NEVER_S,
    }[deed]  # fmt: skip


def _speak(reports: Reports, kind: str, voice: Voice, deed: str, rng: np.random.Generator) -> None:
    """Its lines: as it came, then with its answer, some of them late or once more."""
    said = day_of(voice.came) if voice.dated else stamp(voice.came)
    departments = reports.county.plan.departments
    told = {"department": departments[int(rng.integers(len(departments)))], "received_on": said}
    at, dated = _answer(voice, deed, rng), deed.startswith("dated")
    first, known = voice.came + int(rng.integers(60, 7_200)), False
    if rng.random() > ONE_LINE or at == NEVER_S:
        first += int(rng.integers(1, 12)) * DAY_S * (rng.random() < 0.1)
        known |= reports.add(kind, voice.number, first, **told)
        if rng.random() < TWICE:
            reports.add(kind, voice.number, first + 60, **told)
    if at < NEVER_S:
        news = at + 60 + dated * int(rng.integers(9, 17)) * 3_600
        news += int(rng.integers(1, 9 * DAY_S)) * (rng.random() < LATE_NEWS)
        answer = {"answered_on": day_of(at) if dated else stamp(at)}
        heard = reports.add(kind, voice.number, news, **told, **answer)
        at = at if heard else NEVER_S
        if rng.random() < AMENDED:  # which changes nothing: it is answered
            later = {"answered_on": stamp(news + 3_600)}
            reports.add(kind, voice.number, news + 7_200, **told, **later)
        known |= heard
    if known:
        _tell(reports, kind, voice, at)


def _tell(reports: Reports, kind: str, voice: Voice, answered: int) -> None:
    """The highest band that was crossed before the answer, and before the end."""
    until = reports.county.until
    crossed = [n for n, at in enumerate(voice.bands) if at < answered and at <= until]
    if crossed:
        subject = f"{kind}-{voice.number:09d}"
        at = voice.bands[crossed[-1]]
        reports.tell(f"overdue_{kind}", kind, subject, at, TIERS[crossed[-1]])
