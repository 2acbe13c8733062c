"""Cases under one stamp (同一时戳): a close at the very instant at which its case was accepted.

That is the mark of a source that stamps everything with the finish time. What was raised at events
under that stamp is withdrawn when the close shows it, and the source is told of instead.
"""

from __future__ import annotations

import numpy as np

from detector.cases import CaseState
from detector.columns import Inputs
from detector.effects import Effects
from detector.evaluate import Batch, Raised
from detector.event import ACTION
from detector.explain import Change, Teller
from detector.sources import OneStamp, stamped_alike
from detector.verdict import Finding

ONE_STAMP = "one_stamp"  # the mute of a rule, and the reason of a withdrawal


def note(state: CaseState, raised: Raised, findings: list[Finding]) -> None:
    """Remember the findings of a rule that a close under their stamp would withdraw."""
    if ONE_STAMP not in raised.rule.rule.mutes:
        return
    view = raised.view
    recorded = view["recorded_at"]
    may = (view["accept_event"] < 0) | (view["accept_recorded_at"] == recorded)
    for n in np.flatnonzero(may & (view["close_event"] < 0)).tolist():
        if findings[n].muted is None:
            told = state.stamped.setdefault(int(view["case"][n]), [])
            told.append((int(recorded[n]), findings[n].finding_id))


def settle(
    state: CaseState, batch: Batch, teller: Teller, effects: Effects
) -> list[tuple[int, OneStamp]]:
    """What the closes of a batch come to: those under one stamp, each with its row."""
    inputs, before = batch.inputs, batch.before
    closes = np.flatnonzero(inputs.action == ACTION["close"])
    closes = closes[before.column("close_event", closes) < 0] if len(closes) else closes
    if not len(closes):
        return []
    alike = before.column("accept_event", closes) >= 0
    alike &= before.column("accept_recorded_at", closes) == inputs.recorded_at[closes]
    if state.stamped:
        cases = inputs.case[closes].tolist()
        for row, case, same in zip(closes.tolist(), cases, alike.tolist(), strict=True):
            told = state.stamped.pop(case, ())
            if told and same:
                _withdraw(inputs, row, told, teller, effects)
    some = closes[alike]
    if not len(some):
        return []
    lawful = inputs.imported[some] | batch.flows.on_the_spot(inputs.item[some])
    accepts = state.event_ids.texts(before.column("accept_event", some))
    return list(zip(some.tolist(), stamped_alike(inputs, some, accepts, lawful), strict=True))


def _withdraw(
    inputs: Inputs, row: int, told: list[tuple[int, str]], teller: Teller, effects: Effects
) -> None:
    recorded, received = inputs.recorded_at[row], inputs.received_at[row]
    since = teller.stamps(np.array([received]))[0]
    gone = [Change(ONE_STAMP, "oriole", since, found) for at, found in told if at == recorded]
    rows = np.full(len(gone), row)
    effects.tell(gone, [int(received)] * len(gone), inputs.case[rows], rows)
