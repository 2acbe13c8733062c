"""Two people of the demo's centre who try another limit for a week, and adopt it (试行与采用).

Whole cases are typed at 62 seconds a step, just past the limit of 60: one proposes 90, the other
approves, and both limits are judged side by side. Each act is a form of the rule's page that one
of them fills in, so it is checked, audited and journalled as anybody's. What is refused (somebody
else was there first) is logged, and the demo goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from detector.ledger import LedgerError
from detector.values import DAY_US, SECOND_US
from detector.web.pages.switching import Proposal, Switching
from detector.web.problems import Problem
from detector.web.who import Who

RULE, SETTING, VALUE = "too_fast_step", "default_limit_s", "90"
ONE, TWO = Who("P0804", "centre", person="P0804"), Who("P0806", "leader", person="P0806")
TUESDAY_US = 1_768_874_400 * SECOND_US  # 2026-01-20 10:00 in Shanghai
HOURS_US = 5 * 3_600 * SECOND_US  # until the other has looked at it
ADOPT_US = TUESDAY_US + 8 * DAY_US
TRY = {
    "setting": SETTING, "value": VALUE,
    "reason": "不少办件每步恰隔62秒，刚过60秒限值，疑为连续补录",
}  # fmt: skip
ADOPT = {"trial": "adopt", "reason": "并行八天，多出的均为逐步补录，未误伤正常办件"}


@dataclass(frozen=True)
class Deed:
    """A proposal of the one, or the other's approval of it; `at_us` of the county's clock."""

    at_us: int
    who: Who
    form: dict[str, str]
    approves: bool = False


DEEDS = (
    Deed(TUESDAY_US, ONE, TRY), Deed(TUESDAY_US + HOURS_US, TWO, TRY, True),
    Deed(ADOPT_US, ONE, ADOPT), Deed(ADOPT_US + HOURS_US, TWO, ADOPT, True),
)  # fmt: skip


class Pair:
    """The two, whom the feeder lets act when their time has come; in one thread, which waits."""

    def __init__(self, switching: Switching, say: Callable[..., Any]) -> None:
        self._switching, self._say = switching, say
        self._left = list(DEEDS)

    @property
    def due_us(self) -> int | None:
        """When the next of them acts; None once all is done."""
        return self._left[0].at_us if self._left else None

    def act(self, clock_us: int) -> None:
        """Do what is due. A clock that is further than a tick puts it (just behind its instant) has
        seen it done, before a restart."""
        deed = self._left.pop(0)
        if clock_us > deed.at_us + 1:
            return
        try:
            asyncio.run(self._do(deed))
        except (Problem, LedgerError) as fault:
            self._say("trial_refused", reason=str(fault), rule=RULE, by=deed.who.account)

    async def _do(self, deed: Deed) -> None:
        form = {"do": "propose", **deed.form}
        if deed.approves:
            some = await self._switching.open_of(RULE)
            number = next((str(one.number) for one in some if _is(one, deed.form)), "")
            form = {"do": "approve", "number": number}
        await self._switching.take({}, deed.who, RULE, form)


def _is(one: Proposal, form: dict[str, str]) -> bool:
    """Whether it is what the other has proposed."""
    told = {"setting": one.setting, "value": one.value, "trial": one.trial}
    return one.by == ONE.account and all(form.get(name, "") == told[name] for name in told)
