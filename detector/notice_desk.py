"""Turns findings into notices and leads them to their end: one ordered walk, at the watermark.

At one instant findings come first, then closes of cases, then acts and receipts in their order,
then deadlines: who acts in the very instant of a deadline is in time. Whatever is known since an
instant is here before it is walked, so no cut of the inputs and no race can change a notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from detector.deadlines import FINISH, RELEASE, Deadlines
from detector.district import District
from detector.event import Fact
from detector.explain import Change, Teller
from detector.notice import (
    ACCEPTED,
    ANSWERED,
    EXEMPTED,
    ISSUED,
    LIFTED,
    MUTED,
    SUPERSEDED,
    SYSTEM,
    WAITING,
    WITHDRAWN,
    Entry,
    Notice,
    notice_id,
)
from detector.notice_acts import Acts
from detector.notice_limits import Limits
from detector.notice_release import Release
from detector.notice_state import Matter, NoticeState, subject_key
from detector.notice_walk import Walked
from detector.recipients import Recipients
from detector.shelf import Rulebook
from detector.supervision import Supervision
from detector.values import ABSENT
from detector.verdict import Finding
from detector.workcalendar import NEVER

KINDS = ("act", "receipt")  # facts that are about notices
ARRIVED = ("delivered", "read")


class NoticeDesk:
    """The ladder of a district, ready to be walked. Holds no state."""

    def __init__(self, district: District, rulebook: Rulebook, teller: Teller) -> None:
        ladder, self.teller = district.ladder, teller
        self.deadlines = Deadlines(ladder, district.calendar)
        self.recipients = Recipients(ladder, district.people)
        rules = [c for c in rulebook.of("supervisor") if c.rule.per == "notice"]
        self.supervision = Supervision(rules, self.recipients, district.calendar, teller)
        self.acts, self.limits = Acts(self), Limits(self)
        self.names = {c.rule.id: (c.rule.zh, c.rule.en) for c in rulebook.rules}
        self.mutes = district.channels.mutes
        self.release = Release(self, ladder.notices["by_hand_from_tier"])

    # -- what comes in --------------------------------------------------------------------------

    def hold(
        self, state: NoticeState, moves: Iterable[Finding | Change], known: Iterable[int]
    ) -> None:
        """Moves of findings wait for their turn."""
        for at, matter in self.matters_of(moves, known):
            self.hold_matter(state, at, matter)

    def matters_of(
        self, moves: Iterable[Finding | Change], known: Iterable[int]
    ) -> Iterator[tuple[int, Matter]]:
        """Moves as far as notices care. What is muted never comes to a notice."""
        for move, at in zip(moves, known, strict=True):
            if isinstance(move, Change):
                yield at, Matter(move.finding_id, move.reason)
            elif not move.muted:
                yield at, self.matter_of(move)

    def hold_matter(self, state: NoticeState, known: int, matter: Matter) -> None:
        """One move of a finding, known since an instant."""
        heappush(state.matters, (known, state.held, matter))
        state.held += 1

    def matter_of(self, f: Finding) -> Matter:
        """A finding, as far as notices care."""
        zh, en = self.names.get(f.rule, (f.rule, f.rule))
        return Matter(
            f.finding_id, None, f.rule, f.tier, self.teller.instant(f.at), f.subject_kind,
            f.subject, f.department, f.item, f.operator, f"{zh}：{f.reason.zh}",
            f"{en}: {f.reason.en}",
        )  # fmt: skip

    def hold_facts(self, state: NoticeState, facts: Sequence[Fact]) -> None:
        """Acts and receipts wait for their turn; others are no affair of notices."""
        for fact in sorted(facts, key=lambda one: (one.received_at, one.position)):
            if fact.kind in KINDS:
                heappush(state.inputs, (fact.received_at, state.held, fact))
                state.held += 1

    def hold_closed(self, state: NoticeState, closed: Iterable[tuple[int, str]]) -> None:
        """Cases that were closed (received_at, case): those of which something was found."""
        waiting = {m.subject for _, _, m in state.matters if m.subject_kind == "case"}
        for at, case in closed:
            if case in waiting or subject_key("case", case) in state.of_subject:
                self.hold_close(state, at, case)

    def hold_close(self, state: NoticeState, at: int, case: str) -> None:
        """A case that was closed; at one instant they come in the order of their names."""
        heappush(state.closes, (at, 0, case))

    # -- the walk -------------------------------------------------------------------------------

    def advance(self, state: NoticeState, watermark: int, speaks: bool = True) -> Walked:
        """Walk everything up to the watermark; without `speaks` nobody hears of it."""
        walked = Walked(speaks=speaks, sent=state.sent)
        while True:
            heaps: tuple[list[Any], ...] = (
                state.matters, state.closes, state.inputs, state.clocks,
            )  # fmt: skip
            waiting = [(heap[0][0], rank) for rank, heap in enumerate(heaps) if heap]
            at, rank = min(waiting, default=(NEVER, 0))
            if at > watermark or at == NEVER:
                state.sent = walked.sent
                return walked
            if rank == 0:
                self._settle(state, at, walked)
            elif rank == 1:
                self._closed(state, at, heappop(state.closes)[2], walked)
            elif rank == 2:
                fact = heappop(state.inputs)[2]
                if fact.kind == "receipt":
                    self._receipt(state, at, fact, walked)
                else:
                    self.acts.take(state, at, fact, walked)
            else:
                self.limits.fire(state, at, walked)

    def _settle(self, state: NoticeState, at: int, walked: Walked) -> None:
        """All that is known since one instant: what comes of each finding in the end."""
        raised: dict[str, Matter] = {}
        stands: dict[str, str] = {}  # finding → "" or why it is gone
        while state.matters and state.matters[0][0] == at:
            one = heappop(state.matters)[2]
            if one.reason is None:
                raised[one.finding_id] = one
            stands[one.finding_id] = one.reason or ""
        for found, matter in raised.items():
            if stands[found] and found not in state.of_finding:  # it was never news
                state.gone[found] = matter
        fresh = [m for f, m in raised.items() if not stands[f]]
        again = [f for f, why in stands.items() if not why and f not in raised]
        fresh += [self._recalled(state, found) for found in again if self._known(state, found)]
        fresh.sort(key=lambda m: (m.subject_kind, m.subject, -m.tier, m.at, m.finding_id))
        for matter in fresh:
            state.gone.pop(matter.finding_id, None)
            self._take(state, at, matter, walked)
        for found in sorted(f for f, why in stands.items() if why):
            self._lose(state, at, found, stands[found], walked)

    def _known(self, state: NoticeState, found: str) -> bool:
        return found in state.gone or found in state.of_finding

    def _recalled(self, state: NoticeState, found: str) -> Matter:
        if found in state.gone:
            return state.gone[found]
        notice = state.notices[state.of_finding[found]]
        return matter_of_entry(notice, found)

    def _take(self, state: NoticeState, at: int, matter: Matter, walked: Walked) -> None:
        """A finding stands: the open notice of its subject takes it, else a new one begins."""
        entry = Entry(matter.rule, matter.tier, matter.at, matter.zh, matter.en)
        key = subject_key(matter.subject_kind, matter.subject)
        notice = state.notices.get(state.of_subject.get(key, ""))
        if notice is None:
            self._begin(state, at, key, matter, entry, walked)
            return
        fresh = matter.finding_id not in notice.findings
        notice.findings[matter.finding_id] = entry
        state.of_finding[matter.finding_id] = notice.notice_id
        if fresh:
            walked.holds(notice, matter.finding_id, len(notice.findings) - 1)
        if notice.state in WAITING:
            notice.tier = max(notice.tier, matter.tier)
            walked.move(notice, at, SYSTEM, notice.state, "took_finding")
        elif matter.tier > notice.tier:
            self.release.raise_or_hold(state, notice, matter.tier, at, walked)
        elif notice.state in (ANSWERED, ACCEPTED):
            self.issue(state, notice, at, ISSUED, "another_finding", "another", walked)
        else:
            walked.move(notice, at, SYSTEM, notice.state, "took_finding")

    def _begin(
        self, state: NoticeState, at: int, key: str, m: Matter, entry: Entry, walked: Walked
    ) -> None:
        notice = Notice(
            notice_id=notice_id(m.subject_kind, m.subject, m.finding_id),
            subject_kind=m.subject_kind, subject=m.subject, department=m.department, item=m.item,
            operator=m.operator or (m.subject if m.subject_kind == "operator" else None),
            tier=m.tier, level=2 if m.subject_kind == "supervisor" else 1,
            findings={m.finding_id: entry},
        )  # fmt: skip
        self.open(state, key, notice)
        walked.holds(notice, m.finding_id, 0)
        if state.exempt.get(key, ABSENT) > at:
            notice.issued_at = at
            self.end(state, notice, at, SYSTEM, EXEMPTED, "subject_exempt", "", walked)
        elif (until := self._muted(notice, at)) > at:
            notice.issued_at, notice.waits = at, until
            notice.recipients, notice.orphan = self.recipients.of(notice)
            walked.move(notice, at, SYSTEM, MUTED, "muted")
            self.arm(state, notice)
        else:
            self.release.issue_or_hold(state, notice, at, "automatic", walked)

    def _muted(self, notice: Notice, at: int) -> int:
        """Until when nobody is to hear of such notices, as channels.toml says (`[[mutes]]`): by a
        window that names neither a person nor a channel."""
        ends = [one.end_us for one in self.mutes if one.covers(at, notice.department, notice.tier)]
        return max(ends, default=at)

    def open(self, state: NoticeState, key: str, notice: Notice) -> None:
        """Enter a notice that begins."""
        state.notices[notice.notice_id] = notice
        state.of_subject[key] = notice.notice_id
        state.of_finding |= dict.fromkeys(notice.findings, notice.notice_id)

    def issue(
        self, state: NoticeState, notice: Notice, at: int, to: str, reason: str, occasion: str,
        walked: Walked, actor: str = SYSTEM, said: str = "", keep_finish: bool = False,
        until: int = NEVER,
    ) -> None:  # fmt: skip
        """Issue a notice, for the first time or anew: its limits run from here. `until`: the limit
        to answer, where it is not the ladder's."""
        n = notice
        n.issued_at, n.issues = at, n.issues + 1
        # what went by of a limit that goes on was said
        goes_on = ({RELEASE} if n.raise_to else set()) | ({FINISH} if keep_finish else set())
        n.said, n.acted, n.delivered = n.said & goes_on, False, False
        n.until, n.waits, n.repeat_at = until, NEVER, NEVER
        if not keep_finish:
            n.finish_from = at
        self.deadlines.set(n)
        n.recipients, n.orphan = self.recipients.of(n)
        walked.move(n, at, actor, to, reason, said)
        self.arm(state, n)
        self.tell(n, at, occasion, reason, actor, said, walked)
        if n.orphan:
            walked.move(n, at, SYSTEM, n.state, n.orphan)

    def tell(
        self, notice: Notice, at: int, occasion: str, reason: str, by: str, said: str,
        walked: Walked,
    ) -> None:  # fmt: skip
        """A message to everybody who receives this notice."""
        walked.send(notice, notice.recipients, at, occasion, reason, by, said)

    def review(
        self, notice: Notice, at: int, occasion: str, reason: str, by: str, said: str,
        walked: Walked,
    ) -> None:  # fmt: skip
        """A message to those who decide about it: the control centre."""
        people = self.recipients.second or [self.recipients.duty]
        walked.send(notice, [p for p in people if p], at, occasion, reason, by, said)

    def arm(self, state: NoticeState, notice: Notice, since: int = 0) -> None:
        """Let its next limit fire, not before an instant."""
        at = self.deadlines.armed(notice, state.asked)
        if at < NEVER:
            heappush(state.clocks, (max(at, since), notice.notice_id))

    def end(
        self, state: NoticeState, notice: Notice, at: int, actor: str, to: str, reason: str,
        said: str, walked: Walked,
    ) -> None:  # fmt: skip
        """A notice ends; its subject's next finding begins a new one."""
        told = notice.issues > 0
        self.release.drop(notice)
        walked.move(notice, at, actor, to, reason, said)
        del state.notices[notice.notice_id]
        del state.of_subject[subject_key(notice.subject_kind, notice.subject)]
        for found, entry in notice.findings.items():
            del state.of_finding[found]
            if not entry.stands:
                state.gone[found] = matter_of_entry(notice, found)
        if told:
            occasion = LIFTED if to == SUPERSEDED else to
            self.tell(notice, at, occasion, reason, actor, said, walked)
        if to == WITHDRAWN:
            self._clear(state, notice, at, "corrected", walked)

    def _clear(
        self, state: NoticeState, notice: Notice, at: int, reason: str, walked: Walked
    ) -> None:
        """What was said of supervisors because of a notice that never should have been."""
        for found in sorted(notice.loud):
            self.change(state, at, found, reason, walked)
        notice.loud = {}

    def change(self, state: NoticeState, at: int, found: str, reason: str, walked: Walked) -> None:
        """A finding of ours no longer stands."""
        since = self.teller.stamps(np.array([at]))[0]
        walked.findings.append((Change(reason, SYSTEM, since, found), at))
        self.hold_matter(state, at, Matter(found, reason))

    def _lose(self, state: NoticeState, at: int, found: str, reason: str, walked: Walked) -> None:
        """A finding is gone; with its last one a notice is withdrawn, and its readers hear so."""
        notice = state.notices.get(state.of_finding.get(found, ""))
        if notice is None or not notice.findings[found].stands:
            return
        notice.findings[found].stands = False
        standing = notice.standing()
        if not standing and not notice.by_hand:
            self.end(state, notice, at, SYSTEM, WITHDRAWN, reason, "", walked)
            return
        tier = max([one.tier for one in standing] or [0])
        self.release.recheck(state, notice, tier, at, walked)
        if not notice.open:
            return
        if notice.by_hand or tier >= notice.tier:
            walked.move(notice, at, SYSTEM, notice.state, f"finding_gone: {reason}")
            return
        notice.tier = tier
        walked.move(notice, at, SYSTEM, notice.state, f"tier_lowered: {reason}")
        if notice.state in WAITING:
            return  # nobody has been told of it
        self.deadlines.set(notice)
        notice.said |= {name for when, name in self.deadlines.pending(notice) if when <= at}
        self.tell(notice, at, "lowered", reason, SYSTEM, "", walked)
        self.arm(state, notice)

    def _closed(self, state: NoticeState, at: int, case: str, walked: Walked) -> None:
        """A case was closed: mere reminders of it are lifted."""
        notice = state.notices.get(state.of_subject.get(subject_key("case", case), ""))
        if notice is not None and not (notice.tier or notice.by_hand or notice.raise_to):
            self.end(state, notice, at, SYSTEM, LIFTED, "finished_in_time", "", walked)

    def _receipt(self, state: NoticeState, at: int, fact: Fact, walked: Walked) -> None:
        """A gateway says that a message has arrived."""
        notice = state.notices.get(fact.fields["message_id"].partition(".")[0])
        if notice is None or fact.fields["status"] not in ARRIVED or notice.delivered:
            return
        walked.arrived(notice, at, fact.fields["status"])


def matter_of_entry(notice: Notice, found: str) -> Matter:
    """A finding that a notice holds."""
    one = notice.findings[found]
    return Matter(
        found, None, one.rule, one.tier, one.at, notice.subject_kind, notice.subject,
        notice.department, notice.item, notice.operator, one.zh, one.en,
    )  # fmt: skip
