"""An outbox in memory, beside a ledger in memory: part of `detector.testing`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from detector.ledger import LedgerError, NoticeQuery
from detector.ledger.messages import (
    BEGUN,
    DEAD,
    GROUPED,
    NO_ANSWER,
    REACHES,
    RECEIPTS_MAX,
    RESENT,
    SENDING,
    TAKEN,
    TELLS,
    WAITING,
    Attempt,
    Heard,
    Overtaken,
    Row,
    Submit,
    Write,
)

if TYPE_CHECKING:
    from detector.testing import MemoryLedger


class MemoryOutbox:
    """The outbox of a `MemoryLedger`; obeys the laws of all outboxes. It survives what reads it, as
    a file does."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger, self._read = ledger, 0
        self._rows: dict[str, Row] = {}
        self._texts: dict[str, tuple[str, bytes]] = {}
        self._log: list[Attempt] = []
        self._told = 0
        self._heard: dict[int, Heard] = {}
        self._hears = 0

    def close(self) -> None:
        """Nothing is open."""

    def _all(self) -> dict[str, Row]:
        for post in self._ledger.posts[self._read :]:
            told = {name: value for name, value in vars(post).items() if name not in _TEXTS}
            self._rows[post.message_id] = Row(seq=self._ledger.position().seq, **told)
            self._texts[post.message_id] = (post.text, post.doc)
        self._read = len(self._ledger.posts)
        return self._rows

    def _due(self, state: str = WAITING) -> list[tuple[int, str, Row]]:
        some = self._all().items()
        return sorted(
            (r.due_us, i, r) for i, r in some if r.state == state and r.due_us is not None
        )

    def due(self, now_us: int, limit: int) -> list[Row]:
        """What waits and is due, the longest due first."""
        return [row for at, _, row in self._due() if at <= now_us][:limit]

    def next_due(self, after_us: int) -> int | None:
        """When the first of those that wait is due that is not due at an instant."""
        return next((at for at, _, _ in self._due() if at > after_us), None)

    def rows(self, message_ids: Sequence[str]) -> dict[str, Row]:
        """Those of these messages that are there."""
        return {name: row for name, row in self._all().items() if name in set(message_ids)}

    def contents(self, message_ids: Sequence[str]) -> dict[str, tuple[str, bytes]]:
        """Text and document of messages."""
        return {name: self._texts[name] for name in message_ids if name in self._all()}

    def family(self, message_id: str) -> list[Row]:
        """All that was made of a message of the engine's, by id."""
        begins = (message_id + "~", message_id + "!")
        some = sorted(self._all().items())
        return [row for name, row in some if name == message_id or name.startswith(begins)]

    def by_gateway(self, channel: str, gateway_id: str) -> Row | None:
        """The message that a gateway calls so."""
        key = (channel, gateway_id)
        some = [row for row in self._all().values() if (row.channel, row.gateway_id) == key]
        return max(some, key=lambda row: (row.seq, row.message_id), default=None)

    def members(self, digest_id: str, after: str, limit: int) -> list[Row]:
        """Messages that a digest tells of, by id."""
        some = sorted(self._all().items())
        return [r for i, r in some if r.digest_id == digest_id and i > after][:limit]

    def endings(self, notice_ids: Iterable[str]) -> dict[str, str]:
        """Of these notices those that have ended: their state."""
        some = (self._ledger.notice(name) for name in notice_ids)
        return {n.notice_id: n.state for n in some if n is not None and not n.open}

    def told(self, notice_ids: Iterable[str]) -> set[tuple[str, str]]:
        """(notice, person) where a message may have reached the person, or is on its way."""
        wanted, told = set(notice_ids), set[tuple[str, str]]()
        taken = {one.message_id for one in self._log if one.verdict in TAKEN}
        for row in self._all().values():
            digest = self._rows.get(row.digest_id or "") if row.state == GROUPED else None
            mine = row.state in REACHES and row.state != WAITING
            if row.notice_id in wanted and (
                mine
                or row.message_id in taken
                or (digest and (digest.state in REACHES or digest.message_id in taken))
            ):
                told.add((row.notice_id, row.person))
        return told

    def submits(self, since_us: int) -> list[Submit]:
        """What was handed to gateways since."""
        some = [one for one in self._log if one.verdict == BEGUN and one.at_us > since_us]
        return [Submit(s.at_us, self._rows[s.message_id].person, s.channel) for s in some]

    def write(self, write: Write) -> None:
        """Do all of it, or raise and do nothing."""
        rows, moved = self._all(), dict[str, Row]()
        for one in write.moved:
            held = moved.get(one.before.message_id) or rows.get(one.before.message_id)
            if held is None or (held.state, held.attempts) != (
                one.before.state, one.before.attempts,
            ):  # fmt: skip
                raise Overtaken
            moved[held.message_id] = replace_kept(held, one.after)
        rows |= moved
        for added in write.added:
            if added.row.message_id not in rows:
                rows[added.row.message_id] = added.row
                self._texts[added.row.message_id] = (added.text, added.doc)
        self._log += write.attempts
        for number in write.heard:
            self._heard.pop(number, None)

    def recover(self, now_us: int) -> int:
        """Whatever was being sent when delivery ended waits again."""
        lost = [row for _, _, row in self._due(SENDING)]
        for row in lost:
            self._rows[row.message_id] = msgspec.structs.replace(
                row, state=WAITING, due_us=now_us, reason=NO_ANSWER,
                attempts=max(row.attempts - 1, 1),
            )  # fmt: skip
            told = Attempt(row.message_id, now_us, row.channel or "", "unknown", "interrupted")
            self._log.append(told)
        return len(lost)

    def hear(self, told: Sequence[Heard]) -> None:
        """Receipts have come: keep them."""
        if len(self._heard) + len(told) > RECEIPTS_MAX:
            raise LedgerError("too many receipts wait")
        for one in told:
            self._hears += 1
            self._heard[self._hears] = one

    def receipts(self, after: int, limit: int) -> list[tuple[int, Heard]]:
        """(number, receipt) of those behind a number, oldest first."""
        return [(n, one) for n, one in self._heard.items() if n > after][:limit]

    def untold(self, limit: int) -> list[tuple[int, Attempt]]:
        """(number, what the engine has not heard of), oldest first."""
        said, told = set[tuple[str, str]](), []
        for number, one in enumerate(self._log, 1):
            key = (one.message_id, one.verdict)
            if number > self._told and one.verdict in TELLS and key not in said:
                told.append((number, one))
            said.add(key)
        return told[:limit]

    def tell_upto(self, number: int, now_us: int) -> None:
        """The engine has heard of everything up to this number."""
        self._told = number

    def dead(self, after: str, limit: int) -> list[Row]:
        """Dead letters, by id."""
        some = sorted(self._all().items())
        return [row for name, row in some if row.state == DEAD and name > after][:limit]

    def resend(self, message_id: str, now_us: int) -> bool:
        """A dead letter waits again, with no attempt counted."""
        row = self._all().get(message_id)
        if row is None or row.state != DEAD:
            return False
        self._rows[message_id] = msgspec.structs.replace(
            row, state=WAITING, due_us=now_us, attempts=0, reason=RESENT, settled_us=None
        )
        return True

    def count(self) -> dict[str, int]:
        """How many there are that are not settled, by state; and how many are dead."""
        rows = self._all().values()
        return dict(Counter(r.state for r in rows if r.due_us is not None or r.state == DEAD))

    def late(self, before_us: int, limit: int) -> list[Row]:
        """What waits or is being sent and was due before an instant."""
        some = sorted([*self._due(), *self._due(SENDING)])
        return [row for at, _, row in some if at < before_us][:limit]

    def stalled(self, before_us: int, limit: int) -> list[tuple[str, int | None]]:
        """Open notices without a next instant, or with one before an instant."""
        some = [n for n in self._ledger.notices(NoticeQuery(limit=1 << 31)) if n.open]
        lost = [(n.notice_id, n.next_us) for n in some if n.next_us is None]
        past = sorted((n.next_us, n.notice_id) for n in some if n.next_us is not None)
        return [*lost, *((name, at) for at, name in past if at < before_us)][:limit]


_TEXTS = ("text", "doc")
_KEPT = (
    "message_id", "seq", "notice_id", "occasion", "tier", "level", "department", "at_us", "subject",
)  # fmt: skip


def replace_kept(held: Row, after: Row) -> Row:
    """A row as a write leaves it: what it tells of never changes."""
    return msgspec.structs.replace(after, **{name: getattr(held, name) for name in _KEPT})
