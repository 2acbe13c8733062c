"""The blast-radius guard (变更防护): a rule that was changed lately and raises a flood is silenced.

What a rule raises is counted by department and hour of event time, after each commit. More than
`blast_radius_max` of one hour within seven days of the rule's change make the guard put it in
shadow by changing the content: an input of the journal like any change, so a later reading comes
to the same. A person lifts it, by changing the rule again or the limit. No clock rule is silenced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from detector.ledger import RAISED, Move, Query, Reading
from detector.live import Unavailable
from detector.live.contents import Change
from detector.live.runner import Runner
from detector.live.shard import Shard
from detector.values import DAY_US, iso_time

CHANGED_US = 7 * DAY_US  # how long a change counts as new
HOUR_US = 3_600_000_000
Say = Callable[[str, dict[str, object]], None]
Place = tuple[str, str | None, int]  # rule, department, hour since 1970


class _Raised(msgspec.Struct):
    """What is counted of a finding's document."""

    at: str
    department: str | None = None
    muted: str | None = None


def changed_rules(shard: Shard) -> dict[str, int]:
    """The place of the content that changed each rule last, where that is not long ago; clock rules
    left out. What a ledger was begun with is no change."""
    told: dict[str, int] = {}
    contents, now = shard.contents, shard.floor
    for place in range(len(contents) - 1, 0, -1):
        if contents[place].content.at + CHANGED_US <= now:
            break
        was, mine = (shard.engine_of(n).rulebook for n in (place - 1, place))
        for one in mine.rules:
            rule = one.rule.id
            if one.rule.clock is None and was.settings.get(rule) != mine.settings.get(rule):
                told.setdefault(rule, place)
    return told


class Blast:
    """Guards one runner; listens in the engine's thread."""

    def __init__(self, runner: Runner, say: Say) -> None:
        self._runner, self._say = runner, say
        self._counts: Counter[Place] = Counter()
        self._changed: dict[str, int] = {}
        self._known = 0  # contents that were looked at

    def begin(self, reader: Reading) -> None:
        """Before the start: count what rules that were changed lately have raised since."""
        self._look()
        contents = self._runner.shard.contents
        for rule, place in self._changed.items():
            for at_us, held in reader.findings(Query(rule=rule, limit=1 << 30)):
                found = msgspec.json.decode(held.doc, type=_Raised)
                if held.seq >= contents[place].seq and found.muted is None:
                    self._counts[rule, found.department, at_us // HOUR_US] += 1
        self._runner.listeners.append(self.heard)

    def heard(self, moves: Sequence[tuple[int, Move]]) -> None:
        """What a batch moved, once it is durable."""
        self._look()
        if not self._changed:
            return
        touched = set[Place]()
        for _, move in moves:
            if move.code == RAISED and move.muted is None and move.rule in self._changed:
                place = move.rule, move.department, move.at_us // HOUR_US
                self._counts[place] += 1
                touched.add(place)
        most = self._runner.shard.engine.rulebook.blast_radius_max
        guarded = self._runner.shard.contents[-1].content.guarded
        over = [p for p in touched if self._counts[p] > most and p[0] not in guarded]
        if over:
            self._guard(over)

    def _look(self) -> None:
        """Has a rule changed, or is a change no longer new."""
        shard = self._runner.shard
        if len(shard.contents) == self._known and not self._changed:
            return
        self._known = len(shard.contents)
        changed = changed_rules(shard)
        if changed != self._changed:
            kept = {r for r, place in changed.items() if self._changed.get(r) == place}
            self._counts = Counter({p: n for p, n in self._counts.items() if p[0] in kept})
            self._changed = changed

    def _guard(self, over: Sequence[Place]) -> None:
        held = self._runner.shard.contents[-1]
        over = sorted(over, key=str)
        rules = sorted({*held.content.guarded, *(rule for rule, _, _ in over)})
        content = msgspec.structs.replace(held.content, guarded=rules)
        change = Change(content, content.engine(), held.digest)
        floods = [
            {
                "rule": rule, "department": department or "", "findings": self._counts[place],
                "hour": iso_time(place[2] * HOUR_US),
            }
            for place in over
            for rule, department, _ in [place]
        ]  # fmt: skip

        def said(told: list[str] | Unavailable) -> None:
            if not isinstance(told, Unavailable):
                self._say("rules_guarded", {"rules": rules, "floods": floods})

        try:
            self._runner.change(change, said)
        except Unavailable:
            return  # the service ends; the next start counts again
