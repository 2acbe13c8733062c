"""Small drawings of numbers as places in an SVG: pages hold no style of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDTH, HEIGHT, FOOT = 320, 96, 18  # of a histogram; `FOOT` for its labels
LINE_WIDTH, LINE_HEIGHT, LEFT = 640, 180, 64  # of a line, `LEFT` for its values


@dataclass(frozen=True)
class Bar:
    """One bar: so many observations above `low` and up to `high` (None: no end)."""

    low: int | None
    high: int | None
    n: int
    x: float
    y: float
    width: float
    height: float


def bars(ordinary: Sequence[Sequence[int]], n: int | None = None) -> list[Bar]:
    """What is ordinary, (value, observations up to it) rising, as bars between the values; behind
    the last those that are left of `n`."""
    pairs = [(int(value), int(upto)) for value, upto in ordinary]
    told: list[tuple[int | None, int | None, int]] = []
    low, before = None, 0
    for value, upto in pairs:
        told.append((low, value, max(upto - before, 0)))
        low, before = value, max(upto, before)
    if n is not None and pairs:
        told.append((low, None, max(n - before, 0)))
    most, step = max((many for _, _, many in told), default=0) or 1, WIDTH / max(len(told), 1)
    room = HEIGHT - FOOT - 14
    return [
        Bar(a, b, many, round(at * step + 2, 1), round(HEIGHT - FOOT - room * many / most, 1),
            round(step - 4, 1), round(room * many / most, 1))
        for at, (a, b, many) in enumerate(told)
    ]  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A value over days: `points` of its steps, and where the greatest and least stand."""

    points: str
    first_day: int
    last_day: int
    marks: tuple[tuple[float, int], ...]  # (y, value)


def line(moves: Sequence[tuple[int, int | None]], until_day: int) -> Line | None:
    """A limit over days as steps, from its first to `until_day`; None where there is nothing. Days
    on which it was not in force keep the value before."""
    known = [(day, value) for day, value in moves if value is not None]
    if not known:
        return None
    first, last = known[0][0], max(until_day, known[-1][0], known[0][0] + 1)
    values = [value for _, value in known]
    least, most = min(values), max(values)
    spread = max(most - least, 1)

    def place(day: int, value: int) -> tuple[float, float]:
        x = LEFT + (LINE_WIDTH - LEFT - 6) * (day - first) / (last - first)
        return round(x, 1), _height(value, least, spread)

    told = [place(*known[0])]
    for (_, before), (day, value) in pairwise(known):
        told += [place(day, before), place(day, value)]
    told.append(place(last, values[-1]))
    marks = tuple((_height(v, least, spread), v) for v in dict.fromkeys((most, least)))
    return Line(" ".join(f"{x},{y}" for x, y in told), first, last, marks)


def _height(value: int, least: int, spread: int) -> float:
    room = LINE_HEIGHT - FOOT - 20
    return round(LINE_HEIGHT - FOOT - 6 - room * (value - least) / spread, 1)
