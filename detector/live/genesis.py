"""The first frame of a ledger: what judges, journalled before anything is judged."""

from __future__ import annotations

import numpy as np

from detector.ledger import Ledger, Position, Work
from detector.ledger.content import Content
from detector.ledger.journal import Block, make_frame


def begin(ledger: Ledger, content: Content) -> None:
    """Begin an empty ledger with this content; one that was begun is left as it is."""
    position = ledger.position()
    if position == Position():
        block = Block(None, content.line(), 1, content=True)
        frame = make_frame(position, [block], np.array([content.at]), np.zeros(1, np.int64))
        ledger.commit(position, Work([frame]))
