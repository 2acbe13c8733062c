"""Stage 7, gate (熔断): what would go by a channel that is down waits; no attempt is counted."""

from __future__ import annotations

from detector.delivery.outbox import Row
from detector.delivery.passing import Facts, Gate, Passing

CHANNEL_OPEN = "channel_open"  # the circuit is open: nothing flows


def gate(rows: list[Row], facts: Facts, out: Passing) -> list[Row]:
    """Those whose channel takes them: all of them, or one that tries whether it is up again."""
    on, let_in = [], dict[str, int]()
    for row in rows:
        name = row.channel or ""
        told = facts.gates.get(name, Gate())
        if told.most is not None and let_in.get(name, 0) >= told.most:
            out.later(row, told.until_us, CHANNEL_OPEN)
        else:
            let_in[name] = let_in.get(name, 0) + 1
            on.append(row)
    return on
