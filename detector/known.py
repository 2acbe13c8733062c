"""Which facts were taken already: each once by its kind and id, an answer once more. 事实去重

Whoever brings facts to the engine asks here first, in the order in which they are judged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np

from detector.event import FACTS, Fact
from detector.seen import Seen
from detector.values import ABSENT, iso_time

TICK = "tick"
WATERMARK = "watermark"  # a shard's word that it has told all up to an instant


def tick_line(at: int) -> bytes:
    """The line that says that an instant (µs UTC) has passed."""
    return b'{"kind":"tick","at":"%s"}\n' % iso_time(at).encode()


FACT_IDS = {  # what names a fact of each kind
    **dict.fromkeys(FACTS, ("fact_id",)),
    "act": ("act_id",),
    "receipt": ("message_id", "status"),
}
del FACT_IDS[TICK]
ANSWERED = ("complaint", "consultation")  # an answer is the same fact, said again with its day
_CONFLICTS = ("act", "receipt", "verdict")  # another content under a known id is told to the sender


class KnownFacts:
    """Ids of the facts that were taken so far."""

    def __init__(self) -> None:
        self.seen = Seen()

    def enter(self, fact: Fact) -> str:
        """Take a fact up: `new`, `known` (it changes nothing) or `conflict` (nor may it)."""
        names = FACT_IDS.get(fact.kind)
        if names is None:
            return "new"
        told = [fact.kind, *(fact.fields[name] for name in names)]
        content = sorted((name, value) for name, value in fact.fields.items())
        first, equal = self._add(told, content)
        if fact.kind in ANSWERED and fact.fields.get("answered_on", ABSENT) != ABSENT:
            first |= self._add([*told, "answered"], "")[0]
        if first:
            return "new"
        return "conflict" if fact.kind in _CONFLICTS and not equal else "known"

    def fresh(self, facts: Iterable[Fact]) -> list[Fact]:
        """Those that are new, in their order."""
        return [fact for fact in facts if self.enter(fact) == "new"]

    def _add(self, told: list[Any], content: Any) -> tuple[bool, bool]:
        first, equal = self.seen.add(_hash(told), _hash(content))
        return bool(first[0]), bool(equal[0])


def _hash(told: Any) -> np.ndarray:
    digest = hashlib.blake2b(msgspec.json.encode(told), digest_size=8).digest()
    return np.frombuffer(digest, np.uint64)
