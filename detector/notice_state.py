"""What is remembered of notices: those that are open, and what waits for the watermark."""

from __future__ import annotations

import msgspec

from detector.event import Fact
from detector.notice import Notice
from detector.subjects import Said
from detector.workcalendar import NEVER


class Matter(msgspec.Struct):
    """A finding that was raised or whose standing changed, as far as notices care."""

    finding_id: str
    reason: str | None  # None: raised; "": it stands again; else why it is gone
    rule: str = ""
    tier: int = 0
    at: int = 0
    subject_kind: str = ""
    subject: str = ""
    department: str | None = None
    item: str | None = None
    operator: str | None = None
    zh: str = ""
    en: str = ""


class NoticeState(msgspec.Struct):
    """Plain dictionaries and heaps: open notices are few beside cases."""

    matters: list[tuple[int, int, Matter]] = []  # a heap: (known since, number, matter)
    closes: list[tuple[int, int, str]] = []  # a heap: (received_at, number, case)
    inputs: list[tuple[int, int, Fact]] = []  # a heap: acts and receipts
    clocks: list[tuple[int, str]] = []  # a heap: (instant, notice)
    held: int = 0  # so many of these were given a number
    notices: dict[str, Notice] = {}  # that are open
    of_subject: dict[str, str] = {}  # subject → its open notice
    of_finding: dict[str, str] = {}  # finding → the open notice that holds it
    gone: dict[str, Matter] = {}  # findings that may stand again, held by no open notice
    exempt: dict[str, int] = {}  # subject → until when no notice is issued about it
    acts_since: int = NEVER  # when the first act came
    said: Said = set()
    sent: int = 0  # messages so far

    @property
    def asked(self) -> bool:
        """Has anybody ever acted on a notice."""
        return self.acts_since < NEVER

    def dump(self) -> bytes:
        """The state as bytes."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def load(cls, data: bytes) -> NoticeState:
        """The state of `dump`."""
        return msgspec.msgpack.decode(data, type=cls)


def subject_key(subject_kind: str, subject: str) -> str:
    """What names a subject among all."""
    return f"{subject_kind}\x1f{subject}"
