"""Changes of a rule by two people (规则调整): one proposes, another approves.

A rule is switched on, to shadow or off; a new limit goes on trial beside the one in force, and what
is tried is adopted or dropped. What was proposed is read from the audit, which nobody can change,
so it needs no table of its own: it is open until it was approved or dropped, or is a week old.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import msgspec
from starlette.types import Scope

from detector.accounts.audit import Deed, Line, Wanted
from detector.district import DistrictError
from detector.engine import Engine
from detector.live import Reloading, Unavailable
from detector.live.limits import (
    changes_of,
    limit_of,
    number,
    with_adopted,
    with_limit,
    with_trial,
    without_trial,
)
from detector.live.reload import problems_of
from detector.live.switch import with_mode
from detector.overrides import MODES
from detector.rulekit import RuleFault
from detector.shelf import Configured
from detector.trials import ENDS
from detector.values import DAY_US, iso_time
from detector.web.doors import Doors
from detector.web.mistakes import Mistakes
from detector.web.problems import Problem, problem_of
from detector.web.readers import Readers
from detector.web.said import Said
from detector.web.trial_figures import compared
from detector.web.who import RULES, Who

PROPOSE, APPROVE, DROP = "rule.propose", "rule.approve", "rule.drop"
OPEN_US, ROWS, REASON_MAX = 7 * DAY_US, 500, 200
ENDINGS = ("adopt", "end")  # what may become of a trial
Edit = Callable[[bytes], bytes]


class Proposal(msgspec.Struct, frozen=True):
    """What somebody wants of a rule: a mode, a value of a limit, or an end of its trial."""

    number: int  # of its row in the audit
    rule: str
    reason: str
    by: str
    at_us: int
    mode: str = ""
    setting: str = ""
    value: str = ""
    before: str = ""  # the value in force then
    trial: str = ""
    tried: str = ""  # digest of what was on trial then
    limits: str = ""  # what the trial changes, in words of the rulebook
    live: str = ""  # findings by the limits in force while they were tried, and the others
    found: str = ""  # by what was tried
    only_live: str = ""
    only_trial: str = ""
    clock: str = ""  # what the engine's clock said, as a stamp

    @property
    def at(self) -> int | str:
        """When, on the clock that findings are dated by."""
        return self.clock or self.at_us


class Settled(msgspec.Struct, frozen=True):
    """A proposal that was decided: approved or dropped, by whom and when."""

    proposal: Proposal
    approved: bool
    by: str
    at: int | str


class Switching:
    """Proposals, and what comes of them. `engine`: what judges now; `clock`: its clock, µs UTC."""

    def __init__(
        self, district: Reloading | None, doors: Doors | None, engine: Callable[[], Engine],
        clock: Callable[[], int], readers: Readers,
    ) -> None:  # fmt: skip
        self._district, self._doors = district, doors
        self._engine, self._clock, self._readers = engine, clock, readers

    def may(self, me: Who) -> bool:
        """Whether a rule can be changed here, by whoever asks."""
        return me.may(RULES) and self._district is not None and self._doors is not None

    async def open_of(self, rule: str) -> list[Proposal]:
        """What is proposed of a rule and not decided, the latest first."""
        if self._doors is None:
            return []
        rows = await self._rows(self._doors)
        settled = {row.object for row in rows if row.act != PROPOSE and row.outcome == "done"}
        oldest = self._doors.now() - OPEN_US
        told = [_proposal(row) for row in rows if row.act == PROPOSE and row.at_us > oldest]
        return [one for one in told if one.rule == rule and str(one.number) not in settled]

    async def settled_of(self, rule: str) -> list[Settled]:
        """What was proposed of a rule and decided, the latest decision first."""
        if self._doors is None:
            return []
        rows = await self._rows(self._doors)
        proposals = {str(row.number): _proposal(row) for row in rows if row.act == PROPOSE}
        told = []
        for row in rows:
            one = proposals.get(row.object)
            if row.act != PROPOSE and row.outcome == "done" and one and one.rule == rule:
                at = msgspec.json.decode(row.detail, type=dict[str, str]).get("clock", row.at_us)
                told.append(Settled(one, row.act == APPROVE, row.actor, at))
        return told

    async def _rows(self, doors: Doors) -> list[Line]:
        """The latest rows about rules, the last first."""
        return await doors.ask(doors.registrar.audit.lines, Wanted(act="rule.", limit=ROWS))

    async def take(self, scope: Scope, me: Who, rule: str, form: dict[str, str]) -> None:
        """Propose, approve or drop, as a form says. Raises `Problem`."""
        if self._district is None or self._doors is None:
            raise Problem(409, "rules_by_command")
        if form.get("do") == "propose":
            await self._propose(scope, me, rule, form)
            return
        name = form.get("number", "")
        found = next((o for o in await self.open_of(rule) if str(o.number) == name), None)
        if found is None:
            raise Problem(409, "proposal_gone")
        if form.get("do") == "approve":
            if found.by == me.account:
                raise Problem(403, "proposal_own")
            await self._change(self._district, self._edit(found, me))
            await self._tell(scope, me, APPROVE, name, {})
        elif form.get("do") == "drop":
            await self._tell(scope, me, DROP, name, {})
        else:
            raise Problem(400, "proposal_do")

    async def _propose(self, scope: Scope, me: Who, rule: str, form: dict[str, str]) -> None:
        reason = form.get("reason", "")
        if not reason or len(reason) > REASON_MAX or not reason.isprintable():
            raise Problem(400, "reason_needed", n=REASON_MAX)
        told = self._wanted(rule, form)
        if "trial" in told:
            told |= await self._figures(self._held(rule), me)
        await self._tell(scope, me, PROPOSE, rule, told | {"reason": reason})

    def _wanted(self, rule: str, form: dict[str, str]) -> dict[str, str]:
        """What a form proposes, checked against what is in force. Raises `Problem`."""
        held = self._held(rule)
        if form.get("setting"):
            told = {"setting": form["setting"], "value": form.get("value", "")}
            try:
                limit = limit_of(held, told["setting"])
                number(held, limit, told["value"])
            except ValueError as fault:
                raise Problem(400, "setting", why=Said(str(fault))) from None
            return told | {"before": "" if limit.value is None else str(limit.value)}
        if form.get("trial"):
            if form["trial"] not in ENDINGS:
                raise Problem(400, "trial_unknown", known=", ".join(ENDINGS))
            if held.trial is None:
                raise Problem(409, "trial_none")
            return {"trial": form["trial"], "tried": self._tried(rule)}
        if form.get("mode") not in MODES:
            raise Problem(400, "mode_unknown", known=", ".join(MODES))
        return {"mode": form["mode"]}

    async def _figures(self, held: Configured, me: Who) -> dict[str, str]:
        """What whoever ends a trial saw of it: which limits, and what both of them found."""
        told = {"limits": ", ".join(f"{o.name} {o.before} → {o.value}" for o in changes_of(held))}
        clock = self._clock()
        some = await self._readers.ask(lambda r: compared(r, held, clock, me))
        if some is not None:
            told |= {
                "live": str(some.live), "found": str(some.trial),
                "only_live": str(some.many_live), "only_trial": str(some.many_trial),
            }  # fmt: skip
        return told

    def _edit(self, one: Proposal, me: Who) -> Edit:
        """What a proposal makes of the rulebook's text. Raises `Problem`."""
        if one.mode:
            return partial(with_mode, rule=one.rule, mode=one.mode)
        if one.trial:
            if one.tried != self._tried(one.rule):
                raise Problem(409, "trial_other")
            return partial(with_adopted if one.trial == ENDINGS[0] else without_trial,
                           rule=one.rule)  # fmt: skip
        held = self._held(one.rule)
        try:
            limit = limit_of(held, one.setting)
            trial = with_limit(held, limit, number(held, limit, one.value))
        except ValueError as fault:
            raise Problem(409, "setting", why=Said(str(fault))) from None
        since, people = iso_time(max(self._clock(), 0)), f"{one.by}, {me.account}"
        trial = replace(trial, since=since, reason=one.reason, approved_by=people)
        return partial(with_trial, c=held, trial=trial)

    def _held(self, rule: str) -> Configured:
        return next(c for c in self._engine().rulebook.live if c.rule.id == rule)

    def _tried(self, rule: str) -> str:
        """The digest of what is on trial of a rule, "" where nothing is."""
        return self._engine().rulebook.settings.get(f"{rule}{ENDS}", "")

    async def _change(self, district: Reloading, edit: Edit) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, district.rewrite, edit)
        except (DistrictError, RuleFault) as fault:
            raise Problem(422, "rulebook_unchanged", why=Mistakes(problems_of(fault))) from None
        except ValueError as fault:
            raise Problem(422, "rulebook_unchanged", why=Said(str(fault))) from None
        except OSError:
            raise Problem(409, "folder_read_only") from None
        except Unavailable as fault:
            raise problem_of(fault) from None

    async def _tell(self, scope: Scope, me: Who, act: str, what: str, more: dict[str, str]) -> None:
        assert self._doors is not None
        deed = Deed(
            self._doors.now(), me.account, me.role, act, what, "done", self._doors.address(scope),
            more | {"clock": iso_time(max(self._clock(), 0))},
        )  # fmt: skip
        await self._doors.ask(self._doors.registrar.audit.write, deed)


def _proposal(row: Line) -> Proposal:
    told = msgspec.json.decode(row.detail, type=dict[str, str])
    return Proposal(row.number, row.object, by=row.actor, at_us=row.at_us, **told)
