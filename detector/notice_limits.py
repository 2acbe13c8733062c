"""Limits of notices that go by (逾期): what is said then, and of whom.

Silence counts from the first act of anybody on: where nobody ever acts, nobody can say who was
silent (`no_acts`), and nothing escalates.
"""

from __future__ import annotations

from heapq import heappop
from itertools import chain
from typing import TYPE_CHECKING

from detector.deadlines import (
    ACKNOWLEDGE,
    ANSWER,
    APPEAL,
    FINISH,
    LIFT,
    RELEASE,
    REPEAT,
    REVIEW,
    UNMUTE,
    URGE,
)
from detector.evaluate import Undetermined
from detector.notice import LIFTED, SYSTEM, Notice
from detector.notice_state import NoticeState
from detector.notice_walk import Walked
from detector.workcalendar import NEVER

if TYPE_CHECKING:
    from detector.notice_desk import NoticeDesk

REASONS = {  # what is said when a limit goes by
    ACKNOWLEDGE: "not_acknowledged", ANSWER: "late_answer", URGE: "unurged",
    FINISH: "unfinished", REVIEW: "not_reviewed", APPEAL: "not_decided", REPEAT: "still_open",
    RELEASE: "not_released",
}  # fmt: skip
Late = list[tuple[Notice, str, int]]
GRAVITY = (RELEASE, REPEAT, ACKNOWLEDGE, URGE, REVIEW, APPEAL, ANSWER, FINISH)


class Limits:
    """The limits of notices, as a desk keeps them."""

    def __init__(self, desk: NoticeDesk) -> None:
        self.desk = desk

    def fire(self, state: NoticeState, at: int, walked: Walked) -> None:
        """All limits of one instant."""
        late: Late = []
        names = dict[str, None]()
        while state.clocks and state.clocks[0][0] == at:
            names[heappop(state.clocks)[1]] = None
        for name in sorted(names):
            notice = state.notices.get(name)
            if notice is not None:
                late += self._pass(state, notice, at, walked)
        self._accuse(state, late, at, walked)

    def _pass(self, state: NoticeState, notice: Notice, at: int, walked: Walked) -> Late:
        """The limits of a notice that end at an instant; those that a rule asks about."""
        late: Late = []
        pending = self.desk.deadlines.pending(notice, state.asked)
        due = [name for when, name in pending if when <= at]
        for name in due:
            notice.said.add(name)
            if name == LIFT:
                self.desk.end(state, notice, at, SYSTEM, LIFTED, "expired", "", walked)
                return []
            if name == UNMUTE:
                self.desk.release.issue_or_hold(state, notice, at, "mute_ended", walked)
                return []
            if name == REPEAT:
                notice.said.discard(name)
            walked.move(notice, at, SYSTEM, notice.state, REASONS[name])
            if self.desk.supervision.concerns(notice, name):
                late.append((notice, name, at))
        if due and (REPEAT in due or not self.desk.deadlines.pending(notice)):
            notice.repeat_at = self.desk.deadlines.after(at, "repeat_wd")
        if due:
            self._remind(notice, at, due, walked)
            self.desk.arm(state, notice)
        return late

    def _remind(self, notice: Notice, at: int, due: list[str], walked: Walked) -> None:
        """One message, whatever went by in one instant: the gravest is named."""
        name = max(due, key=GRAVITY.index)
        tell = self.desk.review if name in (REVIEW, APPEAL, RELEASE) else self.desk.tell
        tell(notice, at, "reminder", REASONS[name], SYSTEM, "", walked)

    def _accuse(
        self, state: NoticeState, late: Late, at: int, walked: Walked, acts: bool = True
    ) -> None:
        """What the rules over supervisors say of limits that went by."""
        told = self.desk.supervision.judge(state, late, acts)
        for (notice, name, _), judged in zip(late, told, strict=True):
            walked.undetermined += judged.told
            for _, found in sorted(judged.findings.items()):
                walked.findings.append((found, at))
                if not found.muted:
                    notice.loud[found.finding_id] = name
                    self.desk.hold_matter(state, at, self.desk.matter_of(found))

    def meet(self, state: NoticeState, notice: Notice, name: str, walked: Walked) -> None:
        """A limit was met: the rule that asks about it is asked all the same."""
        by = {URGE: notice.urge_by, ANSWER: notice.answer_by, FINISH: notice.finish_by}[name]
        if by < NEVER and name not in notice.said and self.desk.supervision.concerns(notice, name):
            met = [(notice, name, by)]
            for judged in self.desk.supervision.judge(state, met, True, met=True):
                walked.undetermined += judged.told
                walked.findings += [(f, by) for f in judged.findings.values()]

    def begin_acts(self, state: NoticeState, at: int, walked: Walked) -> None:
        """The first act: from here on silence counts. Of what went by before nobody can say."""
        state.acts_since = at
        late: Late = []
        for notice in state.notices.values():
            walked.touched[notice.notice_id] = notice
            late += self._unsaid(notice, at)
            notice.said |= {
                name for when, name in self.desk.deadlines.pending(notice) if when <= at
            }
            if not self.desk.deadlines.pending(notice):
                notice.repeat_at = self.desk.deadlines.after(at, "repeat_wd")
            self.desk.arm(state, notice)
        self._accuse(state, late, at, walked, acts=False)

    def _unsaid(self, notice: Notice, at: int) -> Late:
        pending = self.desk.deadlines.pending(notice)
        return [
            (notice, name, when)
            for when, name in pending
            if when <= at and self.desk.supervision.concerns(notice, name)
        ]

    def conclude(self, state: NoticeState, at: int) -> list[Undetermined]:
        """The run is over and nobody ever acted: nobody can say who was silent."""
        if state.asked:
            return []
        walked = Walked()
        late = chain.from_iterable(self._unsaid(n, at) for n in state.notices.values())
        self._accuse(state, list(late), at, walked, acts=False)
        return walked.undetermined

    # -- another district or rulebook --------------------------------------------------------

    def take_over(self, state: NoticeState, at: int) -> Walked:
        """Date open notices anew that another desk led; what a change clears is withdrawn."""
        walked = Walked(sent=state.sent)
        state.clocks = []
        for notice in list(state.notices.values()):
            self._redate(state, notice, at, walked)
        state.sent = walked.sent
        return walked

    def _redate(self, state: NoticeState, notice: Notice, at: int, walked: Walked) -> None:
        n, was = notice, self._limits(notice)
        if n.issues:
            self.desk.deadlines.set(n)
        now = self._limits(n)
        moved = {name for name in was if was[name] != now[name]}
        n.said -= {name for name in moved if now[name] > at}
        for found, name in sorted(n.loud.items()):
            if name in moved:
                del n.loud[found]
                self.desk.change(state, at, found, "limit_changed", walked)
                n.said.discard(name)
        recipients, n.orphan = self.desk.recipients.of(n)
        if moved:
            walked.move(n, at, SYSTEM, n.state, "limits_changed")
        if recipients != n.recipients:
            n.recipients = recipients
            walked.move(n, at, SYSTEM, n.state, "recipients_changed")
        self.desk.arm(state, n)

    def _limits(self, n: Notice) -> dict[str, int]:
        finish = LIFT if self.desk.deadlines.lifts(n) else FINISH
        return {
            ACKNOWLEDGE: n.acknowledge_by, ANSWER: n.answer_by, URGE: n.urge_by,
            finish: n.finish_by,
        }  # fmt: skip
