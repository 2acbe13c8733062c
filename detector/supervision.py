"""The rules over supervisors who should have acted on a notice (层级监察), ready to judge.

A row is one deadline of one notice and one person who let it go by.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from detector.explain import Teller
from detector.notice import ORDERED, Notice
from detector.notice_state import NoticeState
from detector.recipients import Recipients
from detector.shelf import Configured
from detector.subjects import Bench, Judged
from detector.workcalendar import WorkCalendar

OF_DEADLINE = {"urge": "unurged_alarm", "finish": "unfinished_urge", "answer": "late_answer"}
NOBODY = "—"


class Supervision:
    """Judges deadlines that went by."""

    def __init__(
        self, rules: Sequence[Configured], recipients: Recipients, calendar: WorkCalendar,
        teller: Teller,
    ) -> None:  # fmt: skip
        self.benches = {c.rule.id: Bench(c, calendar, teller) for c in rules}
        self.recipients, self.calendar = recipients, calendar

    def concerns(self, notice: Notice, name: str) -> bool:
        """Does a rule ask about this deadline of a notice."""
        if notice.level != 1 or not notice.tier or OF_DEADLINE.get(name) not in self.benches:
            return False
        return name != "finish" or notice.tier >= ORDERED

    def judge(
        self,
        state: NoticeState,
        late: Iterable[tuple[Notice, str, int]],
        acts: bool,
        met: bool = False,
    ) -> list[Judged]:
        """What is found about those who let deadlines (notice, name, instant) go by, or `met` them:
        of each deadline."""
        return [
            self.benches[OF_DEADLINE[name]].judge(
                self._rows(notice, name, at, acts, not met), state.said
            )
            for notice, name, at in late
        ]

    def _rows(
        self, notice: Notice, name: str, at: int, acts: bool, late: bool
    ) -> list[dict[str, object]]:
        people = self.recipients.supervisors(notice)
        return [
            {
                "key": f"{notice.notice_id} {notice.issues} {name} {person}", "subject": person,
                "department": notice.department, "item": notice.item, "at": at,
                "since": int(self.calendar.day(at)), "notice_id": notice.notice_id,
                "about": notice.subject, "issued_at": notice.issued_at, "issue": notice.issues,
                "deadline_at": at, "notice_tier": notice.tier, "acts_known": acts,
                "supervised": bool(people), "late": late, "limit_wd": self._limit(notice, at),
            }
            for person in people or [NOBODY]
        ]  # fmt: skip

    def _limit(self, notice: Notice, at: int) -> int:
        """The working days from its issue to a deadline."""
        return int(self.calendar.between(notice.issued_at, at)) // self.calendar.day_us
