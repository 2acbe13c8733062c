"""Fines (罚款) by the catalogue's benchmarks, and when the party had offended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from detector.catalogue import Item
from detector.simulate.deeds import GRANTED
from detector.simulate.rows import Rows
from detector.simulate.stream import US

KINDS = ("company", "citizen")
OTHER_FACTOR = "voluntary_report"  # which no benchmark asks for
REGISTERED_DAYS = 10  # within which an offence is registered
MAJOR_FEN = 500_000
DATE_ONLY = 0.4  # share of offences of which only the day is known


class Ruling(NamedTuple):
    """How a fine is reasoned: what stands in the record, and the range that it names."""

    item: int
    grade: str
    party_kind: str | None
    factors: tuple[str, ...]
    least_fen: int
    most_fen: int
    sound: bool  # has one that is asked for, or none is
    justified: bool  # says that it deviates for a reason


class Rulings:
    """Every way to reason a fine, and those of each kind by item."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.told = [r for n, item in enumerate(items) for r in _rulings(n, item)]
        self.least = np.array([r.least_fen for r in self.told])
        self.most = np.array([r.most_fen for r in self.told])

    def choose(self, item: np.ndarray, rng: np.random.Generator, **kind: bool) -> np.ndarray:
        """One of the item's rulings of this kind for each; -1 where there is none."""
        told = np.full(len(item), -1, np.int16)
        fits = [all(getattr(r, name) == is_so for name, is_so in kind.items()) for r in self.told]
        for one in {r.item for r in self.told}:
            mine = np.flatnonzero(item == one)
            known = [n for n, r in enumerate(self.told) if r.item == one and fits[n]]
            if known:
                told[mine] = rng.choice(known, len(mine))
        return told


def _rulings(number: int, item: Item) -> list[Ruling]:
    """A party of a kind that has a benchmark of its own falls under no other."""
    told = []
    for b in item.benchmarks:
        own = {o.party_kind for o in item.benchmarks if o.grade == b.grade and o.party_kind}
        kinds: list[str | None] = [k for k in KINDS if k not in own]
        for kind in [b.party_kind] if b.party_kind else [*kinds, None]:
            others: list[tuple[str, ...]] = [(), (OTHER_FACTOR,)]
            for factors in [*((f,) for f in b.factors), *others]:
                range_ = b.least_fen, b.most_fen
                sound = not b.factors or bool(set(factors) & set(b.factors))
                told.append(Ruling(number, b.grade, kind, factors, *range_, sound, False))
                if sound:
                    why = (*factors, "justified")
                    told.append(Ruling(number, b.grade, kind, why, *range_, True, True))
    return told


def fine(r: Rows, rulings: Rulings) -> None:
    """What is decided against a party: within the range of its grade, and outside of it."""
    s, rng = r.s, r.rng
    fines = np.array([bool(item.benchmarks) for item in r.plan.items])
    rows = np.flatnonzero(r.does("decide") & (r.outcome == GRANTED) & fines[s.item])
    s.ruling[rows] = rulings.choose(s.item[rows], rng, sound=True, justified=False)
    least, most = rulings.least[s.ruling[rows]], rulings.most[s.ruling[rows]]
    s.fine[rows] = least + rng.integers(0, (most - least) // 10_000 + 1) * 10_000
    rows = r.some("fined_at_bound", where=s.ruling >= 0)
    least, most = rulings.least[s.ruling[rows]], rulings.most[s.ruling[rows]]
    s.fine[rows] = np.where(rng.random(len(rows)) < 0.5, least, most)
    rows = r.some("misfactored", where=s.ruling >= 0)
    told = rulings.choose(s.item[rows], rng, sound=False)
    _rule(r, rulings, rows[told >= 0], told[told >= 0])
    r.truth.tell("discretion_deviation", rows[told >= 0], 2)
    rows = r.some("misfined", where=s.ruling >= 0)
    _deviate(r, rulings, rows)
    r.truth.tell("discretion_deviation", rows, 2)
    rows = r.some("justified", where=s.ruling >= 0)
    s.ruling[rows] = rulings.choose(s.item[rows], rng, justified=True)
    _deviate(r, rulings, rows)
    large = (s.fine > MAJOR_FEN) & ~s.imported
    r.truth.tell("major_penalty", np.flatnonzero(large), 0)


def _rule(r: Rows, rulings: Rulings, rows: np.ndarray, told: np.ndarray) -> None:
    r.s.ruling[rows] = told
    r.s.fine[rows] = (rulings.least[told] + rulings.most[told]) // 2


def _deviate(r: Rows, rulings: Rulings, rows: np.ndarray) -> None:
    """Outside the range, by a fen or by much."""
    least, most = rulings.least[r.s.ruling[rows]], rulings.most[r.s.ruling[rows]]
    by = r.rng.choice([1, 10_000, 250_000], len(rows))
    below = (r.rng.random(len(rows)) < 0.5) & (least >= by)
    r.s.fine[rows] = np.where(below, least - by, most + by)


def register(r: Rows) -> None:
    """When the party had offended, by the acceptance of the case."""
    s, calendar, day = r.s, r.calendar, r.plan.day_s
    fines = np.array([item.type == "02" for item in r.plan.items])
    rows = np.flatnonzero(r.does("accept") & fines[s.item])
    _ago(r, rows, r.rng.uniform(0.2, 7.9, len(rows)) * day, DATE_ONLY)
    late = r.some("registered_late", where=s.offence >= 0)
    _ago(r, late, r.rng.uniform(REGISTERED_DAYS + 0.01, 60, len(late)) * day, DATE_ONLY)
    second = late[r.rng.random(len(late)) < 0.2]
    _ago(r, second, np.full(len(second), REGISTERED_DAYS * day + 1), 0)
    r.truth.tell("late_registration", late, 1)
    rows = r.some("registered_in_time", where=s.offence >= 0)
    work = calendar.work(s.recorded[rows] * US) - REGISTERED_DAYS * day * US
    s.offence[rows] = calendar.at(work, "left") // US


def _ago(r: Rows, rows: np.ndarray, work_s: np.ndarray, date_only: float) -> None:
    work = r.calendar.work(r.s.recorded[rows] * US) // US - work_s.astype(np.int64)
    at = r.calendar.at(work * US) // US
    local = r.calendar.zone.local(at * US) // US
    midnight = at - local % 86_400
    r.s.offence[rows] = np.where(r.rng.random(len(rows)) < date_only, midnight, at)
