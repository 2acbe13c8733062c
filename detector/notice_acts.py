"""What people do to notices (人的处置): each act where it is allowed, with its actor and reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detector.deadlines import ANSWER, FINISH, URGE
from detector.event import Fact
from detector.notice import (
    ACCEPTED,
    ACTS,
    ANSWERED,
    APPEALED,
    CLOSED,
    DECISIONS,
    ENDED,
    ISSUED,
    ORDER,
    ORDERED,
    REFERRED,
    REISSUED,
    REJECTED,
    SUPERSEDED,
    UPHELD,
    WITHDRAWN,
    Act,
    Notice,
    allowed,
)
from detector.notice_state import NoticeState, subject_key
from detector.notice_walk import Walked
from detector.values import ABSENT
from detector.workcalendar import NEVER

if TYPE_CHECKING:
    from detector.notice_desk import NoticeDesk


class Acts:
    """The acts of people, as a desk performs them."""

    def __init__(self, desk: NoticeDesk) -> None:
        self.desk = desk

    def take(self, state: NoticeState, at: int, fact: Fact, walked: Walked) -> None:
        """Perform an act, or say why it may not be."""
        told, actor = fact.fields, fact.fields["actor"]
        if told["act"] == ORDER:
            self._first(state, at, walked)
            self._order(state, at, told, walked)
            return
        notice = state.notices.get(told["notice_id"])
        if notice is None:
            walked.refuse(told["notice_id"], at, actor, f"not_open: {told['act']}")
            return
        act = ACTS[told["act"]]
        may = allowed(told["act"], notice.state, notice.raise_to)
        if not may or not self._sensible(notice, told):
            walked.refuse(notice.notice_id, at, actor, f"not_allowed: {told['act']}", notice.shown)
            return
        self._first(state, at, walked)
        if not self.desk.recipients.is_second(actor):
            if not notice.acted:
                self.desk.limits.meet(state, notice, URGE, walked)
            notice.acted = True
        if act.to == ANSWERED:
            self.desk.limits.meet(state, notice, ANSWER, walked)
        if act.to in ENDED:
            self.desk.limits.meet(state, notice, FINISH, walked)
        self._perform(state, at, notice, act, told, walked)

    def _first(self, state: NoticeState, at: int, walked: Walked) -> None:
        if not state.asked:
            self.desk.limits.begin_acts(state, at, walked)

    def _sensible(self, notice: Notice, told: dict[str, Any]) -> bool:
        if told["act"] == "decide_appeal" and notice.state == REFERRED:
            return told["decision"] != "refer"
        return not (told["act"] == "escalate" and notice.level == 2)

    def _perform(
        self, state: NoticeState, at: int, n: Notice, act: Act, told: dict[str, Any], walked: Walked
    ) -> None:
        name, actor, desk = told["act"], told["actor"], self.desk
        said = told.get("text") or told.get("reason") or ""
        if name == "decide_appeal":
            self._decide(state, at, n, told, said, walked)
        elif act.to in ENDED:
            if name == "exempt":
                state.exempt[subject_key(n.subject_kind, n.subject)] = told["until"]
            desk.end(state, n, at, actor, act.to, act.reason, said, walked)
        elif name in ("issue", "urge"):
            self._issue(state, at, n, act, told, said, walked)
        elif name == "reject":
            walked.move(n, at, actor, REJECTED, act.reason, said)
            desk.issue(
                state, n, at, REISSUED, act.reason, "reissued", walked, actor, said,
                keep_finish=True,
            )  # fmt: skip
        elif name in ("assign", "escalate"):
            self._redirect(state, at, n, act, told, said, walked)
        else:
            self._go(state, at, n, act, actor, said, walked)

    def _go(
        self, state: NoticeState, at: int, n: Notice, act: Act, actor: str, said: str,
        walked: Walked,
    ) -> None:  # fmt: skip
        """Acknowledge, answer, accept, appeal: the state changes, and who decides hears of it."""
        desk = self.desk
        walked.move(n, at, actor, act.to, act.reason, said)
        if act.to == ANSWERED:
            n.waits = desk.deadlines.after(at, "review_wd")
        if act.to == APPEALED:
            n.waits = desk.deadlines.after(at, "appeal_wd")
        if act.to in (ANSWERED, APPEALED):
            n.said -= {"review", "appeal"}
            desk.review(n, at, act.to, act.reason, actor, said, walked)
        if act.to == ACCEPTED and n.tier < ORDERED and not n.raise_to:
            desk.end(state, n, at, actor, CLOSED, act.reason, "", walked)
            return
        desk.arm(state, n)

    def _issue(
        self, state: NoticeState, at: int, n: Notice, act: Act, told: dict[str, Any], said: str,
        walked: Walked,
    ) -> None:  # fmt: skip
        """Release a notice that waited, or make it an order with a limit of its own."""
        desk, urges = self.desk, told["act"] == "urge"
        raised = not urges and n.raise_to > 0
        if raised:
            n.tier = n.raise_to
            desk.release.drop(n)
        if urges:
            n.tier = max(n.tier, ORDERED)
            if n.raise_to <= n.tier:
                desk.release.drop(n)
        acted, until = n.acted, told.get("until", ABSENT)
        own = urges and until not in (None, ABSENT) and until > at
        occasion = "urged" if urges else "raised" if raised else "issued"
        desk.issue(
            state, n, at, ISSUED, act.reason, occasion, walked, told["actor"], said,
            until=until if own else NEVER,
        )  # fmt: skip
        n.acted = acted and urges
        desk.arm(state, n)

    def _redirect(
        self, state: NoticeState, at: int, n: Notice, act: Act, told: dict[str, Any], said: str,
        walked: Walked,
    ) -> None:  # fmt: skip
        """Others receive it from here on."""
        if told["act"] == "assign":
            n.assigned = told["person"]
        else:
            n.level, n.urge_by, n.assigned = 2, NEVER, ""
        n.recipients, n.orphan = self.desk.recipients.of(n)
        text = said or told.get("person") or ""
        walked.move(n, at, told["actor"], n.state, act.reason, text)
        self.desk.tell(n, at, act.reason, act.reason, told["actor"], said, walked)
        self.desk.arm(state, n)

    def _decide(
        self, state: NoticeState, at: int, n: Notice, told: dict[str, Any], said: str,
        walked: Walked,
    ) -> None:  # fmt: skip
        """An appeal is granted, refused, or referred up."""
        desk, actor = self.desk, told["actor"]
        to, reason = DECISIONS[told["decision"]]
        if to == WITHDRAWN:
            desk.end(state, n, at, actor, to, reason, said, walked)
        elif to == UPHELD:
            desk.issue(state, n, at, to, reason, "upheld", walked, actor, said)
        else:
            n.level, n.urge_by = 2, NEVER
            n.waits = desk.deadlines.after(at, "appeal_wd")
            n.said -= {"appeal"}
            walked.move(n, at, actor, to, reason, said)
            desk.review(n, at, to, reason, actor, said, walked)
            desk.arm(state, n)

    def _order(self, state: NoticeState, at: int, told: dict[str, Any], walked: Walked) -> None:
        """A notice by hand; it takes the place of a lesser one of its subject."""
        desk, actor = self.desk, told["actor"]
        key = subject_key(told["subject_kind"], told["subject"])
        held = state.notices.get(state.of_subject.get(key, ""))
        if told["notice_id"] in state.notices or (held and held.tier >= told["tier"]):
            which = held.notice_id if held else told["notice_id"]
            walked.refuse(which, at, actor, "not_allowed: order")
            return
        findings = {}
        if held is not None:
            findings = {f: e for f, e in held.findings.items() if e.stands}
            desk.end(state, held, at, actor, SUPERSEDED, "ordered", told["text"], walked)
        notice = Notice(
            notice_id=told["notice_id"], subject_kind=told["subject_kind"], subject=told["subject"],
            department=told.get("department"), item=told.get("item"), operator=None,
            tier=told["tier"], level=2 if told["subject_kind"] == "supervisor" else 1,
            by_hand=told["text"], findings=findings,
        )  # fmt: skip
        desk.open(state, key, notice)
        for place, found in enumerate(findings):
            walked.holds(notice, found, place)
        desk.issue(state, notice, at, ISSUED, "by_hand", "issued", walked, actor, told["text"])
        gravest = max((one.tier for one in findings.values()), default=0)
        if gravest > notice.tier:
            desk.release.raise_or_hold(state, notice, gravest, at, walked)
