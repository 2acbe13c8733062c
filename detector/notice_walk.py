"""What one walk over notices comes to: moves, messages, findings about supervisors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from detector.evaluate import Undetermined
from detector.explain import Change
from detector.notice import EVERYBODY, NONE, SYSTEM, Notice, NoticeMove, Send, summary
from detector.verdict import Finding


@dataclass
class Walked:
    """In the order of time."""

    moves: list[NoticeMove] = field(default_factory=list)
    touched: dict[str, Notice] = field(default_factory=dict)  # as each stands in the end
    held: list[tuple[str, str, int]] = field(default_factory=list)  # notice, finding, its place
    sends: list[Send] = field(default_factory=list)
    findings: list[tuple[Finding | Change, int]] = field(default_factory=list)  # since when known
    undetermined: list[Undetermined] = field(default_factory=list)
    speaks: bool = True  # else nobody hears of it, as in a replay
    sent: int = 0  # messages so far, of all notices: no number is given twice

    def add(self, more: Walked) -> None:
        """What came after it."""
        self.moves += more.moves
        self.touched |= more.touched
        self.held += more.held
        self.sends += more.sends
        self.findings += more.findings
        self.undetermined += more.undetermined

    def move(
        self, notice: Notice, at: int, actor: str, to: str, reason: str, text: str = ""
    ) -> None:
        """A notice goes to a state, or stays in its own for a reason."""
        before, notice.state = notice.shown, to
        self._note(notice, at, actor, before, reason, text)

    def arrived(self, notice: Notice, at: int, reason: str) -> None:
        """It has reached somebody."""
        before, notice.delivered = notice.shown, True
        if notice.shown != before:
            self._note(notice, at, SYSTEM, before, reason, "")

    def _note(
        self, notice: Notice, at: int, actor: str, before: str, reason: str, text: str
    ) -> None:
        told = NoticeMove(notice.notice_id, at, actor, before, notice.shown, reason, text)
        self.moves.append(told)
        self.touched[notice.notice_id] = notice

    def refuse(self, notice_id: str, at: int, actor: str, reason: str, state: str = NONE) -> None:
        """An act that changes nothing is told all the same."""
        self.moves.append(NoticeMove(notice_id, at, actor, state, state, reason))

    def holds(self, notice: Notice, finding_id: str, place: int) -> None:
        """A notice has taken a finding."""
        self.held.append((notice.notice_id, finding_id, place))

    def send(
        self, notice: Notice, people: Sequence[str], at: int, occasion: str, reason: str, by: str,
        said: str,
    ) -> None:  # fmt: skip
        """A message to each of these persons, and one for systems that listen to all."""
        if not self.speaks:
            self.sent += len(people) + 1
            return
        told = summary(notice, notice.raise_to if occasion == "pending" else 0)
        for person in (*people, EVERYBODY):
            self.sent += 1
            key = f"{notice.notice_id}.{self.sent}"
            self.sends.append(Send(key, person, occasion, at, reason, by, said, told))
