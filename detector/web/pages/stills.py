"""Whose limits stand still (冻结), in words: what moved, from what to what, since when, by whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from detector.learning.drifted import ORIOLE, RULE, SPANS, Drifted, drift_read
from detector.learning.epochs import EVERYTHING, ROLLED_BACK
from detector.learning.told import Since, Told
from detector.values import SECOND_US
from detector.web.pages.names import Names
from detector.web.times import Times

DRIFT, ROLLBACK, ACT = KINDS = ("drift", "rollback", "act")  # of reasons


@dataclass(frozen=True)
class Still:
    """One name whose limits stand still, or one rule whose findings drifted, in words."""

    code: str
    name: str
    kind: str  # of `KINDS`
    at: int  # since when, µs UTC
    actor: str
    why: str


class Stills:
    """Says it in one language."""

    def __init__(self, names: Names, times: Times) -> None:
        self._names, self._times = names, times

    def frozen(self, told: Told, seen: Iterable[str]) -> list[Still]:
        """Those of a learner whose names may be seen, by name."""
        return [self._still(code, self._whose(code), told.stood[code]) for code in sorted(seen)]

    def rates(self, told: Told) -> list[Still]:
        """The rules whose findings drifted, the latest first."""
        some = sorted(told.rates.items(), key=lambda one: (-one[1].at, one[0]))
        return [self._still(code, self._names.rule(code), since) for code, since in some]

    def reason(self, learner: str, actor: str, reason: str) -> str:
        """The reason of an epoch: what a person wrote, or of what drifted, and how."""
        told = drift_read(reason) if actor == ORIOLE else None
        if told is None:
            return reason
        code = EVERYTHING if told.whose == learner else told.whose
        return self._names.t("still.of", name=self._whose(code), why=self.drift(told))

    def drift(self, told: Drifted) -> str:
        """What moved, from what to what."""
        before, after = (self._amount(told.what, n) for n in (told.before, told.after))
        return self._names.t(
            f"drift.{told.what}", since=self._names.day(told.since), before=before, after=after,
            days_before=told.days_before, days_after=told.days_after,
        )  # fmt: skip

    def _still(self, code: str, name: str, since: Since) -> Still:
        told = drift_read(since.why) if since.actor == ORIOLE else None
        if told is not None:
            kind, why = DRIFT, self.drift(told)
        elif since.why.startswith(ROLLED_BACK):
            kind, why = ROLLBACK, since.why.removeprefix(ROLLED_BACK)
        else:
            kind, why = ACT, since.why
        return Still(code, name, kind, since.at, since.actor, why)

    def _amount(self, what: str, number: float) -> str:
        if what in SPANS:
            return self._times.worked(max(round(number), 1) * SECOND_US)
        return f"{number:,.1f}"

    def _whose(self, code: str) -> str:
        """A name in words: an item, a department or a person; all of them; or a rule."""
        if code == EVERYTHING:
            return self._names.t("model.all")
        if code.startswith(RULE):
            return self._names.rule(code.removeprefix(RULE))
        for say in (self._names.item, self._names.department, self._names.person):
            if (said := say(code)) != code:
                return said
        return code
