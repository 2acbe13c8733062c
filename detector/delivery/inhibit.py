"""Stage 4, inhibit (抑制): of what the machine says of a notice to a person the newest is enough.

What a person caused (an order, an answer, an appeal) is told in any case.
"""

from __future__ import annotations

from detector.delivery.outbox import Row
from detector.delivery.passing import Facts, Passing

OVERTAKEN = "overtaken"
OF_THE_MACHINE = ("pending", "issued", "raised", "another", "reminder", "lowered")
Key = tuple[str, str, str | None]


def inhibit(rows: list[Row], facts: Facts, out: Passing) -> list[Row]:
    """Those that no newer one overtakes that is due as well."""
    newest: dict[Key, tuple[int, int]] = {}
    for row in rows:
        newest[_key(row)] = max(age(row), newest.get(_key(row), age(row)))
    on = []
    for row in rows:
        if row.notice_id and row.occasion in OF_THE_MACHINE and age(row) < newest[_key(row)]:
            out.drop(row, OVERTAKEN)
        else:
            on.append(row)
    return on


def _key(row: Row) -> Key:
    return row.notice_id, row.person, row.channel


def age(row: Row) -> tuple[int, int]:
    """(instant, number within its notice): which of two messages is the newer."""
    number = row.message_id.partition(".")[2]
    digits = number[: len(number) - len(number.lstrip("0123456789"))]
    return row.at_us, int(digits or 0)
