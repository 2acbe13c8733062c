"""Open notices by the limit that a reader sees on them, the nearest first."""

from __future__ import annotations

import msgspec

from detector.ledger import NoticeQuery, NoticeRow, Reading
from detector.values import read_time
from detector.workcalendar import Zone


class _Told(msgspec.Struct):
    next_at: str | None = None


_read = msgspec.json.Decoder(_Told).decode


def next_us(row: NoticeRow, zone: Zone) -> int | None:
    """The next limit that a notice's document tells, µs UTC. The row's own `next_us` is when
    something happens by itself: never, before anybody has acted on any notice."""
    told = _read(row.doc).next_at
    return read_time(told, zone) if told else None


def nearest(reader: Reading, query: NoticeQuery, zone: Zone) -> list[tuple[int, NoticeRow]]:
    """(next limit, notice) of those a query wants that are open."""
    told = ((next_us(row, zone), row) for row in reader.due_notices(query))
    some = [(at, row) for at, row in told if at is not None]
    return sorted(some, key=lambda one: (one[0], one[1].notice_id))[: query.limit]
