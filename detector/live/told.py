"""What a shard at work tells whoever asks: a case, how a finding came about, where it stands."""

from __future__ import annotations

from typing import Any

import msgspec

from detector.account import account
from detector.counted import Counted
from detector.ledger import Held, Reading
from detector.live import Entry
from detector.live.shard import Shard
from detector.values import ABSENT, iso_time
from detector.verdict import Finding


class Told:
    """Questions that need a shard's own memory; asked from any thread."""

    shard: Shard

    def timeline(self, case_id: str, reader: Reading) -> list[Entry] | None:
        """The judged inputs of a case, oldest first; None where it is unknown."""
        return self.shard.timeline(case_id, reader)

    def account(self, held: Held) -> dict[str, Any] | None:
        """How a finding came about by what was in force then."""
        found = msgspec.json.decode(held.doc, type=Finding)
        engine = self.shard.judge_of(held.seq, found.rulebook)
        told = account(found, engine.district, engine.rulebook)
        return told.told() if told else None

    def tally(self, rule: str) -> Counted:
        """What was counted of a rule's raw values, by a shard of a kind that counts."""
        cases = self.shard.state.cases
        assert cases.tally is not None
        return cases.tally.of(rule, cases.words)

    def cases(self) -> int:
        """How many cases are known."""
        return len(self.shard.words.case)

    def about(self) -> dict[str, Any]:
        """District, rulebook and position, for people."""
        engine, position = self.shard.engine, self.shard.position
        return {
            "district": {"code": engine.district.code, "name": engine.district.name},
            "time_zone": engine.district.time_zone,
            "rulebook": engine.rulebook.digest,
            "content": self.shard.contents[-1].digest,
            "guarded": self.shard.contents[-1].content.guarded,
            "clock": None if self.shard.floor == ABSENT else iso_time(self.shard.floor),
            "frames": position.seq,
            "inputs": position.next_event,
        }
