"""When a notice is looked at again (下一时刻): its deadlines on the district's working calendar."""

from __future__ import annotations

from detector.ladder import TIERS, Ladder
from detector.notice import (
    ACCEPTED,
    ACKNOWLEDGED,
    ANSWERED,
    APPEALED,
    MUTED,
    PENDING,
    REFERRED,
    UNANSWERED,
    Notice,
)
from detector.workcalendar import NEVER, WorkCalendar

ACKNOWLEDGE, ANSWER, URGE, FINISH = "acknowledge", "answer", "urge", "finish"
LIFT, RELEASE, UNMUTE, REVIEW, APPEAL, REPEAT = (
    "lift", "release", "unmute", "review", "appeal", "repeat",
)  # fmt: skip
UNASKED = (LIFT, RELEASE, UNMUTE)  # they come whether or not anybody has ever acted


class Deadlines:
    """The limits of a ladder on a calendar."""

    def __init__(self, ladder: Ladder, calendar: WorkCalendar) -> None:
        self.days, self.calendar = ladder.notices, calendar

    def after(self, at: int, name: str) -> int:
        """So many working days after an instant as the ladder says under a name."""
        return int(self.calendar.add(at, self.days[name] * self.calendar.day_us))

    def lifts(self, notice: Notice) -> bool:
        """Is it lifted by itself in the end."""
        mere = notice.tier <= self.days["lift_tier_max"] and not notice.by_hand
        return mere and not notice.raise_to

    def set(self, notice: Notice) -> None:
        """Date the limits of a notice that is issued, by its tier and level as they are."""
        n, at = notice, notice.issued_at
        n.acknowledge_by = n.answer_by = n.urge_by = NEVER
        n.finish_by = self.after(n.finish_from, "lift_wd" if self.lifts(n) else "close_wd")
        if n.tier:
            n.acknowledge_by = self.after(at, "acknowledge_wd")
            n.answer_by = self.after(at, f"answer_{TIERS[min(n.tier, 3)]}_wd")
        if n.until < NEVER:
            n.answer_by = n.until
        if n.tier and n.level == 1:
            n.urge_by = self.after(at, "urge_wd")

    def pending(self, notice: Notice, asked: bool = True) -> list[tuple[int, str]]:
        """What is to come of a notice, the earliest first; without `asked` only what comes whether
        or not anybody acts."""
        told = [*self._of_state(notice), (notice.release_by, RELEASE)]
        told = [(at, name) for at, name in told if name not in notice.said]
        told = [(at, name) for at, name in told if at < NEVER and (asked or name in UNASKED)]
        if not told and asked and notice.open and notice.repeat_at < NEVER:
            told = [(notice.repeat_at, REPEAT)]
        return sorted(told)

    def _of_state(self, n: Notice) -> list[tuple[int, str]]:
        if n.state == PENDING:
            return [(n.waits, RELEASE)]
        if n.state == MUTED:
            return [(n.waits, UNMUTE)]
        finish = (n.finish_by, LIFT if self.lifts(n) else FINISH)
        if n.state in UNANSWERED:
            told = [finish, (n.answer_by, ANSWER)]
            if n.state != ACKNOWLEDGED:
                told.append((n.acknowledge_by, ACKNOWLEDGE))
            if not n.acted:
                told.append((n.urge_by, URGE))
            return told
        if n.state == ANSWERED:
            return [finish, (n.waits, REVIEW)]
        if n.state in (APPEALED, REFERRED):
            return [(n.waits, APPEAL)]
        return [finish] if n.state == ACCEPTED else []

    def armed(self, notice: Notice, asked: bool) -> int:
        """When something happens to a notice by itself; `NEVER` once it has ended, and while nobody
        has acted and nothing comes without that."""
        told = self.pending(notice, asked)
        return told[0][0] if told else NEVER

    def next_at(self, notice: Notice, asked: bool) -> int:
        """The next instant of a notice, `NEVER` once it has ended; of an open one never none. Where
        nobody has ever acted, it is that of its next limit, or of the last that went by."""
        told = self.pending(notice, asked) or self.pending(notice)
        if told:
            return told[0][0]
        return max((at for at, _ in self._of_state(notice) if at < NEVER), default=NEVER)
