"""Rules over scores: a learner scores, a rule judges what it says, a budget caps who may speak."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from detector.columns import Vocabulary
from detector.evaluate import TEXT_OF, Raised, Undetermined, judge_cautiously, places
from detector.explain import Teller
from detector.learning import observed as marks
from detector.learning.observed import Observed
from detector.learnkit import NOT_GIVEN, Scores
from detector.shelf import Configured
from detector.values import date_of
from detector.verdict import Finding
from detector.workcalendar import WorkCalendar

BUDGET = "alert_budget"  # why a learned finding is muted beyond the district's budget
_MARKED = {
    "imported": marks.IMPORTED, "on_the_spot": marks.ON_THE_SPOT, "system_action": marks.SYSTEM,
    "is_first": marks.FIRST, "is_odd": marks.ODD, "is_apart": marks.APART,
    "told": marks.TOLD, "one_stamp": marks.ONE_STAMP,
}  # fmt: skip


@dataclass
class LearnedBatch:
    """Observed steps and what judging them needs."""

    inputs: Observed
    calendar: WorkCalendar

    def vocabulary(self, name: str) -> Vocabulary:
        """The words behind a column of codes."""
        return getattr(self.inputs.words, name)


class LearnedView:
    """The columns that rules over scores see: what was observed of a step, and
    `learned` (is anything known), `bits` (thousandths), `learned_limit` (µs) and `overtime`."""

    def __init__(self, batch: LearnedBatch, rows: np.ndarray, made: dict[str, np.ndarray]) -> None:
        self.batch, self.rows, self._made = batch, rows, made

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> np.ndarray:
        inputs = self.batch.inputs
        if name in _MARKED:
            return inputs.marked(_MARKED[name])[self.rows]
        if name == "case_id":
            return inputs.case[self.rows]
        if name == "has_gap":
            return inputs.gap[self.rows] != NOT_GIVEN
        if name == "overtime":
            return self._overtime()
        return getattr(inputs, name)[self.rows]

    def _overtime(self) -> np.ndarray:
        """One of the two records was typed outside office hours, and by the clock on the wall the
        learned least time lies between them: working time does not tell how long it took."""
        before, at = self["previous_recorded_at"], self["recorded_at"]
        work = self.batch.calendar.work
        outside = (work(before + 1) == work(before)) | (work(at + 1) == work(at))
        return np.asarray(outside & (at - before >= self["learned_limit"]))

    def subset(self, keep: np.ndarray) -> LearnedView:
        """The same columns for some of the rows."""
        made = {name: column[keep] for name, column in self._made.items()}
        return LearnedView(self.batch, self.rows[keep], made)


@dataclass
class Learned:
    """Findings of one rule before the budget: rows of what was observed, in no order yet."""

    rule: Configured
    raised: Raised
    place: np.ndarray  # of each, its place among the scores
    scores: Scores

    def only(self, some: np.ndarray) -> Learned:
        """Some of them (a mask)."""
        if some.all():
            return self
        one, rows = self.raised, np.flatnonzero(some)
        raised = Raised(
            one.rule, one.view.subset(rows), np.arange(len(rows)), one.value[rows],
            one.limit[rows], one.band[rows], [one.muted[n] for n in rows.tolist()],
        )  # fmt: skip
        return Learned(self.rule, raised, self.place[rows], self.scores)


def judge_learned(
    configured: Configured, inputs: Observed, rows: np.ndarray, scores: Scores,
    calendar: WorkCalendar,
) -> Iterator[Learned | Undetermined]:  # fmt: skip
    """One rule over scores; `rows` are those of `inputs` that were scored."""
    made = {
        "learned": scores.known, "bits": scores.bits, "learned_limit": scores.limit,
        "place": np.arange(len(rows)),
    }  # fmt: skip
    view = LearnedView(LearnedBatch(inputs, calendar), rows, made)

    def say(rule: str, reason: str, at: np.ndarray) -> Undetermined:
        return Undetermined(rule, reason, "event", inputs, at)

    parts: Iterable[tuple[Configured, LearnedView]] = [(configured, view)]
    if configured.overrides:
        parts = ((mine, view.subset(some)) for mine, some in configured.split(places(view)))
    for mine, part in parts:
        for one in judge_cautiously(mine, part, say):
            if isinstance(one, Raised):
                yield Learned(mine, one, one.view["place"], scores)
            else:
                yield one


def spoken(told: Mapping[str, Any]) -> dict[str, Any]:
    """What a learner tells of a row, as evidence: days by name, tuples as lists."""
    out: dict[str, Any] = {}
    for name, value in told.items():
        if name.endswith("_day"):
            out[name] = date_of(value).isoformat()
        elif isinstance(value, tuple):
            out[name] = [list(v) if isinstance(v, tuple) else v for v in value]
        else:
            out[name] = value
    return out


_QUOTED = re.compile("“([^”]+)”")


def _named(teller: Teller, item: str, steps: str) -> str:
    return " → ".join(teller.step_name(item, step) for step in steps.split(" → "))


class Wording:
    """Findings of one rule in words: what stands in columns is spelled for all of them at once."""

    def __init__(self, one: Learned, teller: Teller) -> None:
        self.one, self.teller = one, teller
        rule, view = one.rule.rule, one.raised.view
        inputs: Observed = view.batch.inputs
        self.spelled = {
            name: getattr(inputs.words, vocabulary).texts(view[name])
            for name, vocabulary in (
                ("case_id", "case"), ("item", "item"), ("department", "department"),
                ("step", "step"), ("operator", "operator"),
            )
        }  # fmt: skip
        self.events = [event.decode() for event in inputs.event_id[view.rows].tolist()]
        self.at = teller.stamps(view["recorded_at"])
        seen = [name for name in rule.evidence if name in TEXT_OF or name.endswith("_at")]
        self.evidence = teller.evidence(seen, view, view.batch.vocabulary)

    def tell(self, n: int, muted: str | None) -> Finding:
        """Finding number n."""
        one, teller = self.one, self.teller
        spelled = {name: texts[n] for name, texts in self.spelled.items()}
        evidence: dict[str, Any] = {name: column[n] for name, column in self.evidence.items()}
        learned = spoken(one.scores.tell(int(one.place[n])))
        item = spelled["item"] or ""
        if isinstance(learned.get("why_zh"), str):  # steps by the name that people know them by
            learned["why_zh"] = _QUOTED.sub(
                lambda m: f"“{_named(teller, item, m[1])}”", learned["why_zh"]
            )
        names = one.rule.rule.evidence
        evidence |= {name: learned.get(name) for name in names if name not in evidence}
        case, event, at = spelled["case_id"] or "", self.events[n], self.at[n]
        return teller.finding(
            one.rule, int(one.raised.band[n]), "case", case, [event or at], at,
            int(one.raised.value[n]), int(one.raised.limit[n]), (event,) if event else (),
            evidence, muted, spelled,
        )  # fmt: skip
