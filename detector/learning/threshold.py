"""From which surprise a case is unusual (自动阈值): by itself in a stream, by the valley in replay.

A budget of alerts is a cap on what is told, never the threshold: it would find as many whether
there are any or not.
"""

from __future__ import annotations

import numpy as np

from detector.learnkit import BIT

STREAM = 6 * BIT  # one case in 64
_LEAST, _STEP, _AROUND = 4 * BIT, BIT // 4, BIT // 2
_RATIO_MOST, _ABOVE_LEAST = 0.3, 0.03


def valley(bits: np.ndarray) -> int:
    """Thousandths of a bit above which cases of a whole record are unusual.

    `bits`: each case's surprise by all others. Between 4 and 6 bits the emptiest place, as measured
    against what lies above it, where it is a valley at all and enough cases lie above; else 6 bits.
    Of places equally empty the highest.
    """
    best, place = _RATIO_MOST, STREAM
    for at in range(STREAM, _LEAST - 1, -_STEP):
        above = int(np.sum(bits > at))
        if above and above >= _ABOVE_LEAST * len(bits):
            ratio = int(np.sum(np.abs(bits - at) <= _AROUND)) / above
            if ratio < best or (ratio == best and place == STREAM):
                best, place = ratio, at
    return place
