"""Small logs of whole cases, and learners that are shown them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from detector.learnkit import Learner, Model, Rows, rows_of

Told = list[dict[str, Any]]  # the rows of one case
Make = Callable[[], Model]


def maker(learner: Learner, **params: int) -> Make:
    """A model with the card's parameters, some of them set."""
    return lambda: learner.make({p.name: p.default for p in learner.params} | params)


def rows(cases: Sequence[Told]) -> Rows:
    """Cases as columns."""
    told = [row | {"case": n} for n, case in enumerate(cases) for row in case]
    return rows_of(told, cases=True)


def play(make: Make, days: Sequence[Sequence[Told]]) -> Model:
    """A model that was shown these days, the last of them published too."""
    model = make()
    for day, cases in enumerate(days, 1):
        model.learn(rows(cases))
        model.publish(day)
    return model


def days_of_cases(most: int = 12) -> st.SearchStrategy[list[list[Told]]]:
    """Some days of small cases of few items, steps and people; not everything is given."""

    def maybe(*values: str) -> st.SearchStrategy[str | None]:
        return st.sampled_from([*values, None])

    given = {
        "step": st.sampled_from("abcde"),
        "operator": maybe("p", "q", "r"),
        "department": maybe("x", "y"),
        "gap": st.sampled_from([None, 0, 10**12]),
        "paid_fen": st.sampled_from([None, 0, 5_000]),
        "returns": st.booleans(),
    }
    event = st.fixed_dictionaries(given).map(
        lambda row: {name: value for name, value in row.items() if value is not None}
    )
    case = st.tuples(maybe("permit", "fine"), st.lists(event, min_size=1, max_size=6)).map(
        lambda told: [row | ({"item": told[0]} if told[0] else {}) for row in told[1]]
    )
    return st.lists(st.lists(case, min_size=1, max_size=most), min_size=1, max_size=5)
