"""The first frame of a ledger: what judges, journalled before anything is judged."""

from __future__ import annotations

import numpy as np

from detector.ledger import Ledger, LedgerError, Position, Work
from detector.ledger.content import Content
from detector.ledger.journal import Block, make_frame
from detector.live.recovery import first_content


def begin(ledger: Ledger, content: Content) -> None:
    """Begin an empty ledger with this content, or see that it was begun with the same.

    Raises `LedgerError` where it was begun with another.
    """
    position = ledger.position()
    if position == Position():
        block = Block(None, content.line(), 1, content=True)
        frame = make_frame(position, [block], np.array([content.at]), np.zeros(1, np.int64))
        ledger.commit(position, Work([frame]))
        return
    held = first_content(ledger)
    if held.digest() != content.digest():
        raise LedgerError(
            "the ledger was begun with another district or rulebook (changed: "
            f"{', '.join(changed(held, content))}); give those back, or another --data folder"
        )


def changed(held: Content, content: Content) -> list[str]:
    """Names of what differs between two contents."""
    names = []
    for part in ("district", "rules"):
        mine, theirs = getattr(held, part), getattr(content, part)
        names += [n for n in sorted({*mine, *theirs}) if mine.get(n) != theirs.get(n)]
    return names + (["calendar"] if held.calendar != content.calendar else [])
