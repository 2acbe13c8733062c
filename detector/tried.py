"""A rule whose limit can be tried out (阈值试算), as a district has set it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from detector.rulekit import Expression, Tuned

if TYPE_CHECKING:
    from detector.shelf import Configured


@dataclass(frozen=True)
class Tried:
    """How a rule that can be tried out judges its raw value now, in the engine's integers.

    Less `past`, a value raises below the limit or from it on, as whole numbers do: 1 where the
    limit itself is on the other side. The limit is `edge`, or lies `shift` from what the rule says.
    """

    tuned: Tuned
    value: Expression
    past: int
    edge: int | None
    shift: int

    def limit(self, c: Configured, columns: Any) -> int | np.ndarray:
        """The limit in force: one for all rows, or one each (int64)."""
        if self.edge is not None:
            return self.edge
        assert c.rule.limit is not None
        return c.rule.limit(columns, c.params).astype(np.int64) + self.shift


def tried_of(c: Configured) -> Tried | None:
    """How a rule, as a district has set it, judges its raw value; None where none can be tried."""
    tuned, rule = c.rule.tuned, c.rule
    if tuned is None or rule.measure is None:
        return None
    value = tuned.value or rule.value or rule.measure
    for band, edge in zip(rule.bands[1:], c.edges[1:], strict=True):
        if tuned.setting == f"bands.{band.code}.edge":
            return Tried(tuned, value, int(band.exclusive), int(edge), 0)
    first = max(1, int(c.raises.argmax()))  # the measure raises beyond its edge
    below, edge = tuned.worse == "below", int(c.edges[first])
    past = int(rule.bands[first].exclusive != below)
    return Tried(tuned, value, past, None, -edge if below else edge)
