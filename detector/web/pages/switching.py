"""Switching a rule on, to shadow or off (规则启停): one proposes, another approves.

What was proposed is read from the audit, which nobody can change, so it needs no table of its own:
a proposal is open until it was approved or dropped, or is a week old.
"""

from __future__ import annotations

import asyncio

import msgspec
from starlette.types import Scope

from detector.accounts.audit import Deed, Line, Wanted
from detector.district import DistrictError
from detector.live import Reloading, Unavailable
from detector.overrides import MODES
from detector.rulekit import RuleFault
from detector.values import DAY_US
from detector.web.doors import Doors
from detector.web.problems import Problem, problem_of
from detector.web.who import RULES, Who

PROPOSE, APPROVE, DROP = "rule.propose", "rule.approve", "rule.drop"
OPEN_US, ROWS, REASON_MAX = 7 * DAY_US, 500, 200


class Proposal(msgspec.Struct, frozen=True):
    """What somebody wants a rule's mode to be."""

    number: int  # of its row in the audit
    rule: str
    mode: str
    reason: str
    by: str
    at_us: int


class Switching:
    """Proposals, and what comes of them."""

    def __init__(self, district: Reloading | None, doors: Doors | None) -> None:
        self._district, self._doors = district, doors

    def may(self, me: Who) -> bool:
        """Whether a rule can be switched here, by whoever asks."""
        return me.may(RULES) and self._district is not None and self._doors is not None

    async def open_of(self, rule: str) -> list[Proposal]:
        """What is proposed of a rule and not decided, the latest first."""
        if self._doors is None:
            return []
        audit = self._doors.registrar.audit
        rows = await self._doors.ask(audit.lines, Wanted(act="rule.", limit=ROWS))
        settled = {row.object for row in rows if row.act != PROPOSE and row.outcome == "done"}
        oldest = self._doors.now() - OPEN_US
        told = [_proposal(row) for row in rows if row.act == PROPOSE and row.at_us > oldest]
        return [one for one in told if one.rule == rule and str(one.number) not in settled]

    async def take(self, scope: Scope, me: Who, rule: str, form: dict[str, str]) -> None:
        """Propose, approve or drop, as a form says. Raises `Problem`."""
        if self._district is None or self._doors is None:
            raise Problem(409, "rules are switched by `oriole change` here")
        if form.get("do") == "propose":
            await self._propose(scope, me, rule, form)
            return
        number = form.get("number", "")
        found = next((o for o in await self.open_of(rule) if str(o.number) == number), None)
        if found is None:
            raise Problem(409, "this is not proposed any more")
        if form.get("do") == "approve":
            if found.by == me.account:
                raise Problem(403, "another account must approve what this one has proposed")
            await self._switch(self._district, found)
            await self._tell(scope, me, APPROVE, number, {})
        elif form.get("do") == "drop":
            await self._tell(scope, me, DROP, number, {})
        else:
            raise Problem(400, "do: write propose, approve or drop")

    async def _propose(self, scope: Scope, me: Who, rule: str, form: dict[str, str]) -> None:
        mode, reason = form.get("mode", ""), form.get("reason", "")
        if mode not in MODES:
            raise Problem(400, f"mode: write one of {', '.join(MODES)}")
        if not reason or len(reason) > REASON_MAX:
            raise Problem(400, f"reason: must be given, in at most {REASON_MAX} letters")
        await self._tell(scope, me, PROPOSE, rule, {"mode": mode, "reason": reason})

    async def _switch(self, district: Reloading, one: Proposal) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, district.switch, one.rule, one.mode)
        except (DistrictError, RuleFault, ValueError) as fault:
            raise Problem(422, f"the rulebook was not changed: {fault}") from None
        except OSError:
            raise Problem(409, "the district's folder cannot be written: edit it there") from None
        except Unavailable as fault:
            raise problem_of(fault) from None

    async def _tell(self, scope: Scope, me: Who, act: str, what: str, more: dict[str, str]) -> None:
        assert self._doors is not None
        deed = Deed(
            self._doors.now(), me.account, me.role, act, what, "done", self._doors.address(scope),
            more,
        )  # fmt: skip
        await self._doors.ask(self._doors.registrar.audit.write, deed)


def _proposal(row: Line) -> Proposal:
    told = msgspec.json.decode(row.detail)
    return Proposal(row.number, row.object, told["mode"], told["reason"], row.actor, row.at_us)
