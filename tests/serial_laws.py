"""The laws of whatever numbers documents, as functions of a maker. `LAWS` is all of them.

A maker gives a door to one and the same book: two doors may be used at once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from detector.ledger import LedgerError

Make = Callable[[], Any]
THREADS, EACH = 8, 12


def law_numbers_rise_from_one_without_gaps(make: Make) -> None:
    """The first is 1, each further one the next."""
    serials = make()
    assert [serials.number(f"n{k}", "D01", 2026, "urge", k) for k in range(9)] == [*range(1, 10)]


def law_the_same_notice_has_the_same_number(make: Make) -> None:
    """Asked again, by whomever and however late, a notice's document bears what it bore."""
    serials = make()
    first = [serials.number(f"n{k}", "D01", 2026, "urge", k) for k in range(3)]
    again = make()
    assert [again.number(f"n{k}", "D01", 2026, "urge", 9) for k in range(3)] == first
    assert again.number("n1", "D09", 2027, "urge", 9) == 2  # reprinted in another year
    assert again.given("n1", "urge") == ("D01", 2026, 2)
    assert again.given("n1", "rectify") is None and again.given("n9", "urge") is None
    assert again.number("n3", "D01", 2026, "urge", 9) == 4  # nothing was used up meanwhile
    assert again.number("n4", "D09", 2027, "urge", 9) == 1


def law_departments_years_and_kinds_are_apart(make: Make) -> None:
    """Each has numbers of its own; a notice may have one of each kind."""
    serials = make()
    told = [
        serials.number(notice, department, year, kind, 0)
        for notice, department, year, kind in (
            ("a", "D01", 2026, "urge"), ("b", "D02", 2026, "urge"), ("c", "D01", 2027, "urge"),
            ("a", "D01", 2026, "rectify"), ("d", "D01", 2026, "urge"), ("e", "D02", 2026, "urge"),
            ("d", "D01", 2026, "rectify"),
        )
    ]  # fmt: skip
    assert told == [1, 1, 1, 1, 2, 2, 2]


def law_many_at_once_leave_no_gap(make: Make) -> None:
    """Eight threads, each through a door of its own, some asking for the same notices."""
    doors, start = [make() for _ in range(THREADS)], Barrier(THREADS)

    def ask(k: int) -> dict[str, int]:
        start.wait(30)
        names = [f"n{k // 2}-{n}" for n in range(EACH)]  # two threads ask for each notice
        return {name: doors[k].number(name, "D01", 2026, "urge", n) for n, name in enumerate(names)}

    with ThreadPoolExecutor(THREADS) as pool:
        told = list(pool.map(ask, range(THREADS)))
    assert all(told[k] == told[k + 1] for k in range(0, THREADS, 2))
    numbers = sorted(n for one in told[::2] for n in one.values())
    assert numbers == [*range(1, THREADS // 2 * EACH + 1)]


def law_what_failed_used_nothing_up(make: Make) -> None:
    """A document that cannot be numbered leaves no gap, and the door stays usable."""
    serials = make()
    assert serials.number("a", "D01", 2026, "urge", 0) == 1
    for wrong in (("x", "D01", 2026, "urge", None), (None, "D01", 2026, "urge", 0)):
        try:
            serials.number(*wrong)
        except LedgerError:
            pass
        else:
            raise AssertionError("it was numbered")
    assert serials.given("x", "urge") is None
    assert serials.number("b", "D01", 2026, "urge", 0) == 2


LAWS = [law for name, law in sorted(globals().items()) if name.startswith("law_")]
