"""Cases by person, place and bucket: as a plain loop counts them, in any order and any cut."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from detector.counting.buckets import Buckets
from detector.learnkit import row, rows_of

Told = tuple[str, str, str, int]
ROWS = st.lists(
    st.tuples(
        st.sampled_from(("A", "B", "C")), st.sampled_from(("D2", "D1", "")),
        st.sampled_from(("c1", "c2", "c3", "c4")), st.integers(-1, 3),
    ),
    min_size=1, max_size=40,
)  # fmt: skip


def gathered(*parts: list[Told]) -> Buckets:
    """Shown part after part, each with codes of its own."""
    held = Buckets()
    for part in parts:
        told = [row(operator=w, department=d or None, case=c, value=b) for w, d, c, b in part]
        rows = rows_of(told)
        held.add(rows, rows["value"])
    return held


@given(ROWS)
def test_sizes_are_those_of_a_plain_loop(told: list[Told]) -> None:
    sizes = gathered(told).sizes()
    buckets = {(w, b): {c for x, _, c, y in told if (x, y) == (w, b)} for w, _, _, b in told}
    want = Counter((w, len(cases)) for (w, _), cases in buckets.items())
    names = [sizes.people[n][0] for n in sizes.who.tolist()]
    assert Counter(zip(names, sizes.cases.tolist(), strict=True)) == want
    many = Counter((w, d) for w, d, _, _ in set(told))
    for who, where in sizes.people:
        mine = sorted((-n, d) for (w, d), n in many.items() if w == who)
        assert where == mine[0][1]  # the most cases, of equals the first by name


@given(ROWS, st.randoms(use_true_random=False), st.integers(0, 40))
def test_order_and_cuts_leave_no_trace(told: list[Told], chance: object, cut: int) -> None:
    mixed = [*told, *told[:3]]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    parts = [part for part in (mixed[:cut], mixed[cut:]) if part]
    spelled = gathered(told).spell()
    assert gathered(*parts).spell() == spelled
    again = Buckets()
    again.read(spelled)
    assert again.spell() == spelled
