"""Notices of a grave tier wait for people to release them (人工签发), where the ladder says so.

One that nobody was told of waits whole (`pending`). One that is out already goes on at the tier
that was told, and its raise alone waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.deadlines import RELEASE
from detector.notice import ACCEPTED, CLOSED, ISSUED, ORDERED, PENDING, SYSTEM, Notice
from detector.notice_walk import Walked
from detector.workcalendar import NEVER

if TYPE_CHECKING:
    from detector.notice_desk import NoticeDesk
    from detector.notice_state import NoticeState

WAITS, RAISE_WAITS, NO_RAISE = "waits_for_release", "raise_waits_for_release", "raise_gone"


class Release:
    """What waits for people, as a desk keeps it."""

    def __init__(self, desk: NoticeDesk, from_tier: int) -> None:
        self.desk, self.from_tier = desk, from_tier

    def issue_or_hold(
        self, state: NoticeState, notice: Notice, at: int, reason: str, walked: Walked
    ) -> None:
        """Issue a notice that nobody has been told of, or let it wait."""
        desk = self.desk
        if notice.tier < self.from_tier:
            desk.issue(state, notice, at, ISSUED, reason, "issued", walked)
            return
        notice.issued_at, notice.waits = at, desk.deadlines.after(at, "release_wd")
        notice.recipients, notice.orphan = desk.recipients.of(notice)
        walked.move(notice, at, SYSTEM, PENDING, WAITS)
        desk.review(notice, at, "pending", WAITS, SYSTEM, "", walked)
        desk.arm(state, notice)

    def raise_or_hold(
        self, state: NoticeState, notice: Notice, tier: int, at: int, walked: Walked
    ) -> None:
        """A graver finding came to a notice that is out: issue it anew, or let the raise wait."""
        desk = self.desk
        if tier < self.from_tier:
            notice.tier = tier
            desk.issue(state, notice, at, ISSUED, "tier_raised", "raised", walked)
        elif tier <= notice.raise_to:
            walked.move(notice, at, SYSTEM, notice.state, "took_finding")
        else:
            notice.raise_to, notice.release_by = tier, desk.deadlines.after(at, "release_wd")
            notice.said.discard(RELEASE)
            walked.move(notice, at, SYSTEM, notice.state, RAISE_WAITS)
            desk.review(notice, at, "pending", WAITS, SYSTEM, "", walked)
            desk.arm(state, notice)

    def recheck(
        self, state: NoticeState, notice: Notice, tier: int, at: int, walked: Walked
    ) -> None:
        """A finding is gone, and `tier` is the gravest that stands: does the raise still wait."""
        if not notice.raise_to or tier >= notice.raise_to:
            return
        self.drop(notice)
        if tier > notice.tier:
            self.raise_or_hold(state, notice, tier, at, walked)
            return
        walked.move(notice, at, SYSTEM, notice.state, NO_RAISE)
        if notice.state == ACCEPTED and notice.tier < ORDERED:  # the raise alone kept it open
            self.desk.end(state, notice, at, SYSTEM, CLOSED, "accepted", "", walked)
        else:
            self.desk.arm(state, notice, at)  # what the raise held up may come at once

    def drop(self, notice: Notice) -> None:
        """Nothing waits any more: it was released, or is gone."""
        notice.raise_to, notice.release_by = 0, NEVER
