"""What is asked of an applicant, refused, interrupted, left out, and on which power."""

from __future__ import annotations

import numpy as np

from detector.event import ACTION
from detector.simulate.deeds import GRANTED, TERMINATED, VOID, WITHDRAWN
from detector.simulate.plan import DECIDE
from detector.simulate.rows import Rows
from detector.simulate.wording import RETURNED, SHORT, TEN, reasons_of

INTERRUPTING = (WITHDRAWN, VOID, TERMINATED)


def proceed(r: Rows) -> None:
    """What is said, filed, demanded and decided in each case, once its events stand."""
    conclude(r)
    file_papers(r)
    leave_out(r)
    send_back(r)
    interrupt(r)
    overreach(r)


def conclude(r: Rows) -> None:
    """Results and reasons, some of them too short to be one."""
    s, ends = r.s, r.does("decide", "close")
    s.result[ends] = r.outcome[ends]
    returns = r.does("return")
    s.result[returns] = RETURNED
    told = np.flatnonzero(ends | returns)
    s.reason[told] = reasons_of(s.result[told], r.rng)
    refuses = returns | (ends & (r.outcome != GRANTED))
    rows = r.one("unreasoned", where=refuses)
    s.reason[rows] = r.rng.choice(SHORT, len(rows))
    r.truth.tell("unreasoned_refusal", rows, 1)
    rows = r.some("ten_characters", where=refuses)
    s.reason[rows] = r.rng.choice(TEN, len(rows))


def file_papers(r: Rows) -> None:
    """Documents and form fields, where they are due or before; some are missing."""
    s, flow = r.s, r.plan.flow
    s.papers = flow.paper[s.item, s.slot]
    s.forms = flow.form[s.item, s.slot]
    accepts = np.flatnonzero(r.does("accept") & ~r.first)
    filed = accepts[(r.action[r.begins[accepts]] == ACTION["apply"]) & (s.case[accepts] % 2 == 0)]
    for column in (s.papers, s.forms):  # with the application
        column[r.begins[filed]] = column[filed]
        column[filed] = 0
    for name, rule, column, less in (
        ("paperless", "missing_document", s.papers, flow.paper_less),
        ("half_filled", "missing_field", s.forms, flow.form_less),
    ):
        rows = r.one(name, where=(column > 0) & (r.place >= 0))
        short = less[s.item[rows], s.slot[rows]]
        column[rows] = np.where(r.rng.random(len(rows)) < 0.7, short, 0)
        r.truth.tell(rule, rows, 1)
    rows = r.one("filed_earlier", where=(s.papers > 0) & ~r.first & (r.place > 0))
    for column, lists in ((s.papers, flow.papers), (s.forms, flow.forms)):
        column[rows - 1] = lists.joined(column[rows - 1], column[rows])
        column[rows] = 0


def leave_out(r: Rows) -> None:
    """Steps that are asked for at the decision, or at the close, and were not worked."""
    decides = (r.duty == DECIDE) & r.does("decide")
    r.truth.tell("skipped_step", r.some("skipped", where=decides), 2)
    r.truth.tell("skipped_step", r.some("unsettled", where=r.does("close")), 2)


def send_back(r: Rows) -> None:
    """Corrections that are demanded too late, or again and again."""
    corrects = r.does("correct")
    accepted = r.action[r.accept] == ACTION["accept"]
    rows = r.some("corrected_late", where=corrects & r.after & accepted)
    r.truth.tell("correction_after_acceptance", rows, 2)
    back = (corrects | r.does("return")).astype(np.int64)
    nth = np.cumsum(back)
    nth -= (nth - back)[r.begins]
    again = (back == 1) & (nth >= 2) & ~r.s.imported
    r.truth.tell("repeated_return", np.flatnonzero(again), 1)


def interrupt(r: Rows) -> None:
    """Suspensions and cases that end without a decision: no offence, and yet told."""
    ends = r.does("close") & np.isin(r.outcome, INTERRUPTING)
    told = (r.does("suspend") | ends) & ~r.s.imported
    r.truth.tell("suspended_or_terminated", np.flatnonzero(told), 0)


def overreach(r: Rows) -> None:
    """Powers that the catalogue does not list, or no longer."""
    rows = r.some("unlisted", "dormant", "abolished", where=r.first)
    r.truth.tell("unlisted_power", rows, 2)
