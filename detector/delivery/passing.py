"""One pass over what is due: what is known when it begins, and what it comes to.

Stages are functions `(rows, facts, out) -> rows`: those that go on are returned, of all others
`out` is told what becomes of them and why. None reads a clock or a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from detector.delivery.caps import Caps
from detector.delivery.outbox import DROPPED, WAITING, Added, Attempt, Moved, Row, Write
from detector.district import District

Stage = Callable[[list[Row], "Facts", "Passing"], list[Row]]
CHANNEL_MARK, DUTY_MARK = "~", "!duty"  # message_id~channel, message_id!duty


@dataclass(frozen=True)
class Gate:
    """What a channel takes now: so many more (None: any), else not before an instant."""

    most: int | None = None
    until_us: int = 0


@dataclass
class Facts:
    """All that stages may ask."""

    now_us: int
    district: District
    channels: frozenset[str]  # names of those that are open
    duty: str = ""  # the duty officer (值班员), "" where there is none
    endings: Mapping[str, str] = field(default_factory=dict)  # notices that have ended: their state
    told: frozenset[tuple[str, str]] = frozenset()  # (notice, person) who may have heard of it
    gates: Mapping[str, Gate] = field(default_factory=dict)
    room: Mapping[str, int] = field(default_factory=dict)  # how many more may be sent at once
    used: Mapping[str, frozenset[str]] = field(default_factory=dict)  # channels that a message uses
    caps: Caps = field(default_factory=Caps)

    def kind(self, channel: str | None) -> str:
        """What kind of channel it is; "" of one that the district no longer has."""
        some = (one.kind for one in self.district.channels.channels if one.name == channel)
        return next(some, "")


class Copied(msgspec.Struct, frozen=True):
    """A message made of another, whose text and document it takes over."""

    row: Row
    source: str
    before: str = ""  # put in front of the text


@dataclass
class Passing:
    """What becomes of rows in one pass. Times µs UTC."""

    now_us: int
    write: Write = field(default_factory=Write)
    copies: list[Copied] = field(default_factory=list)
    begun: list[Row] = field(default_factory=list)  # to be sent once it is written
    dropped: list[tuple[Row, str]] = field(default_factory=list)
    put_off: list[tuple[Row, str]] = field(default_factory=list)
    loud: list[tuple[Row, str]] = field(default_factory=list)  # what somebody should hear of
    crowd: list[Row] = field(default_factory=list)  # held for want of connections alone, in order
    held: int = 0
    look_us: int | None = None  # when those that are held want to be looked at again

    def move(self, row: Row, after: Row) -> None:
        """A row changes."""
        self.write.moved.append(Moved(row, after))

    def drop(self, row: Row, reason: str) -> None:
        """It is not sent at all."""
        gone = msgspec.structs.replace(
            row, state=DROPPED, due_us=None, reason=reason, settled_us=self.now_us
        )
        self.move(row, gone)
        self.dropped.append((row, reason))

    def later(self, row: Row, until_us: int, reason: str) -> None:
        """It is looked at again at an instant; this is written."""
        self.move(row, msgspec.structs.replace(row, due_us=until_us, reason=reason))
        self.put_off.append((row, reason))

    def hold(self, rows: Iterable[Row], until_us: int | None = None) -> None:
        """They stay due and are looked at again soon; nothing is written."""
        self.held += sum(1 for _ in rows)
        if until_us is not None:
            self.look_us = min(until_us, self.look_us or until_us)

    def add(self, row: Row, text: str, doc: bytes) -> None:
        """A new message."""
        self.write.added.append(Added(row, text, doc))

    def copy(self, row: Row, source: str, before: str = "") -> None:
        """A new message with the text of another."""
        self.copies.append(Copied(row, source, before))

    def log(self, row: Row, verdict: str, code: str = "", detail: str = "") -> None:
        """A line of the log of attempts."""
        told = Attempt(row.message_id, self.now_us, row.channel or "", verdict, code, detail)
        self.write.attempts.append(told)

    def spell(self, contents: Mapping[str, tuple[str, bytes]]) -> None:
        """Give copies the text of what they were made of. One whose source is gone is made with no
        text, which its channel will refuse: it is never silently lost."""
        for one in self.copies:
            text, doc = contents.get(one.source, ("", b"{}"))
            self.add(one.row, one.before + text, doc)
        self.copies = []


def root_of(message_id: str) -> str:
    """The engine's own message that a message was made of."""
    return message_id.partition(CHANNEL_MARK)[0].partition(DUTY_MARK[0])[0]


def is_duty(message_id: str) -> bool:
    """Was it made for the duty officer."""
    return DUTY_MARK in message_id


def sibling(row: Row, channel: str, now_us: int) -> Row:
    """The same message by another channel."""
    name = row.message_id.partition(CHANNEL_MARK)[0] + CHANNEL_MARK + channel
    return fresh(row, now_us, message_id=name, channel=channel, reason=None)


def fresh(row: Row, now_us: int, **change: object) -> Row:
    """A message made of another, as if it had just been put in."""
    blank = {
        "due_us": now_us, "state": WAITING, "attempts": 0, "digest_id": None, "gateway_id": None,
        "settled_us": None,
    }  # fmt: skip
    return msgspec.structs.replace(row, **(blank | change))
