"""People of the demo who answer notices: most in time, some late, some never, and some who lie.

Who does what follows from the notice's id alone, so every demo goes the same way.
"""

from __future__ import annotations

from heapq import heappop, heappush
from threading import Lock
from typing import Any

import msgspec

from detector.ledger import NoticeRow, NoticeWork
from detector.values import SECOND_US, iso_time

HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
REVIEWER = "P0804"
DILIGENT, SLOW, SILENT = 60, 78, 88  # of a hundred; the rest lie
UNREAD = ("issued", "delivered", "reissued", "upheld")


class Clerks:
    """Told of every notice that moved; says what is done about them, and when."""

    def __init__(self) -> None:
        self._rows: dict[str, NoticeRow] = {}  # that are open
        self._plans: list[tuple[int, int, str, str]] = []  # due, number, notice, state when planned
        self._planned: dict[str, tuple[str, int]] = {}  # state and issue for which one stands
        self._count = 0
        self._one = Lock()

    def heard(self, work: NoticeWork) -> None:
        """Notices moved; called in the engine's thread."""
        with self._one:
            at = {step.notice_id: step.at_us for step in work.steps}
            for row in work.rows:
                if not row.open:
                    self._rows.pop(row.notice_id, None)
                    self._planned.pop(row.notice_id, None)
                    continue
                self._rows[row.notice_id] = row
                wait = _wait(row)
                mark = (row.state, row.issued_us)
                if wait is not None and self._planned.get(row.notice_id) != mark:
                    self._planned[row.notice_id] = mark
                    self._count += 1
                    due = at.get(row.notice_id, row.issued_us) + wait
                    heappush(self._plans, (due, self._count, row.notice_id, row.state))

    def due(self, now_us: int) -> list[bytes]:
        """The acts whose time has come, as lines."""
        lines = []
        with self._one:
            while self._plans and self._plans[0][0] <= now_us:
                at, number, notice, state = heappop(self._plans)
                row = self._rows.get(notice)
                if row is not None and row.state == state:
                    lines.append(_line(row, f"demo-{number}", max(at, 1)))
        return lines


def _kind(row: NoticeRow) -> int:
    return int(row.notice_id[:8], 16) % 100


def _wait(row: NoticeRow) -> int | None:
    """How long until somebody acts; None where nobody will."""
    kind, hours = _kind(row), 1 + int(row.notice_id[8:12], 16) % 6
    if not row.tier:
        return None  # mere reminders are read, and that is all
    if row.state in UNREAD and row.level == 1:
        if DILIGENT <= kind < SLOW:
            return 4 * DAY_US
        return None if SLOW <= kind < SILENT else hours * HOUR_US
    if row.state in UNREAD:
        return DAY_US + hours * HOUR_US
    waits = {
        "acknowledged": DAY_US if kind < DILIGENT or row.level == 2 else 3 * DAY_US,
        "answered": DAY_US, "accepted": 2 * DAY_US, "appealed": 2 * DAY_US,
        "referred": DAY_US, "pending": HOUR_US,
    }  # fmt: skip
    return waits.get(row.state)


def _line(row: NoticeRow, name: str, at: int) -> bytes:
    act, told = _act(row)
    recipients = msgspec.json.decode(row.doc)["recipients"]
    mine = act in ("acknowledge", "answer", "appeal")
    actor = recipients[0] if mine and recipients else REVIEWER
    stamp = iso_time(at)
    line: dict[str, Any] = {
        "kind": "act", "act_id": name, "notice_id": row.notice_id, "act": act, "actor": actor,
        "at": stamp, "received_at": stamp,
    }  # fmt: skip
    return msgspec.json.encode(line | told)


def _act(row: NoticeRow) -> tuple[str, dict[str, str]]:
    """What is done in a state."""
    kind, again = _kind(row), msgspec.json.decode(row.doc)["issues"] > 1
    if row.state in UNREAD:
        return "acknowledge", {}
    if row.state == "acknowledged" and kind % 20 == 7 and not again:
        return "appeal", {"text": "办理过程有据可查，申请复核"}
    if row.state == "acknowledged":
        lies = kind >= SILENT and not again
        return "answer", {"text": "情况不实，系统误报" if lies else "已核实，责任人已整改"}
    if row.state == "answered" and kind >= SILENT and not again:
        return "reject", {"text": "与系统记录不符，请重新核实"}
    if row.state in ("appealed", "referred"):
        good = kind % 2 == 1
        return "decide_appeal", {"decision": "withdraw" if good else "uphold"}
    return {"answered": "accept", "accepted": "close", "pending": "issue"}[row.state], {}
