"""What the engine's thread has in hand, for whoever looks at its state from beside.

The thread changes rows in place. It says which cases a batch touches before it judges them, and
that it is over once they are committed. Whoever copies a row looks at the hand before and after: it
is the same object only where nothing began or ended meanwhile, so a row that was copied between is
whole, unless the batch in hand touches it. A tick moves the clocks of other cases too; no event
rule reads those columns.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

_NONE = np.zeros(0, np.int32)


class Hand:
    """The cases that the batch in hand touches, by code; None: all. Each is told by its identity,
    and none comes twice."""

    def __init__(self, cases: np.ndarray | None = _NONE) -> None:
        self._cases = cases

    def holds(self, case: int) -> bool:
        """May a row be changing now. `case`: its code, -1 for a case that nobody knows."""
        return self._cases is None or (case >= 0 and bool((self._cases == case).any()))


class Glance:
    """Told by the engine's thread, looked at from any."""

    def __init__(self) -> None:
        self.hand = Hand()
        self._lock = threading.Lock()
        self._waiting: dict[object, Callable[[], None]] = {}

    def begin(self, cases: np.ndarray | None) -> None:
        """From here on these rows change (None: all rows, or what they mean)."""
        self.hand = Hand(cases)

    def over(self) -> None:
        """They are as the ledger has them; who waited is called, in this thread."""
        with self._lock:
            self.hand = Hand()
            waiting, self._waiting = self._waiting, {}
        for call in waiting.values():
            call()

    def wait(self, hand: Hand, name: object, call: Callable[[], None]) -> None:
        """Be called once, when this hand is over; at once where it is already."""
        with self._lock:
            here = self.hand is hand
            if here:
                self._waiting[name] = call
        if not here:
            call()

    def forget(self, name: object) -> None:
        """Whoever waited by this name does so no more."""
        with self._lock:
            self._waiting.pop(name, None)
