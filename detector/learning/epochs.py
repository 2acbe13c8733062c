"""What is in force on a day (生效界限): proposed by a learner, held within floor, cap and steps.

A limit moves at the beginning of a day or not at all. It never crosses its floor and cap; a jump
beyond a step, or steps that add up beyond what a person last approved, wait for a person; a learner
that is frozen moves nothing. Each day's outcome is a record that names the one before it by hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import msgspec

from detector.learnkit import Limit

Key = tuple[str, ...]
EVERYTHING = "*"
ROLLED_BACK = "rollback: "  # how the reason begins for which a roll-back freezes
SETTLED_PERMILLE = 20  # a limit that would move by less stays as it is told
DAYS_KEPT = 60  # that can be rolled back
THOUSAND = 1_000


@dataclass(frozen=True)
class Guard:
    """How far a learner's limits may go. Floor and cap in its unit; `step_permille` the most a day,
    `total_permille` the most away from what was last approved."""

    floor: int
    cap: int
    step_permille: int = 250
    total_permille: int = 500
    of_age: int = 500  # records from which a limit stands: a younger one follows freely
    free: bool = False  # nothing is raised by these limits: only floor and cap hold them
    monthly: bool = False  # each month has a limit of its own, however near to the one before

    def decide(
        self, proposed: Sequence[Limit], in_force: Mapping[Key, Limit], anchors: dict[Key, int],
        frozen: Set[str] = frozenset(),
    ) -> tuple[dict[Key, Limit], list[Limit]]:  # fmt: skip
        """What is in force from now on, and what waits for a person. Sets anchors of new limits.
        `frozen`: names whose limits stand still; `EVERYTHING` is every name."""
        force, waiting = dict(in_force), list[Limit]()
        for one in proposed:
            if EVERYTHING in frozen or not frozen.isdisjoint(one.key):
                continue
            new, old = self.within(one), in_force.get(one.key)
            if old is not None and not self.monthly and _settled(old, new):
                continue
            young = old is None or old.n < self.of_age
            if not young and old is not None and self.jumps(new, old, anchors.get(new.key)):
                waiting.append(new)
                continue
            force[new.key] = new
            if young:
                anchors[new.key] = new.value
        return force, waiting

    def within(self, limit: Limit) -> Limit:
        """The limit, cut to floor and cap."""
        value = min(max(limit.value, self.floor), self.cap)
        return limit if value == limit.value else msgspec.structs.replace(limit, value=value)

    def jumps(self, new: Limit, old: Limit, anchor: int | None) -> bool:
        """Does it need a person."""
        if self.free:
            return False
        if abs(new.value - old.value) * THOUSAND > self.step_permille * old.value:
            return True
        far = 0 if anchor is None else abs(new.value - anchor)
        return far * THOUSAND > self.total_permille * (anchor or 0)


def _settled(old: Limit, new: Limit) -> bool:
    near = abs(new.value - old.value) * THOUSAND < SETTLED_PERMILLE * old.value
    return near and new.n < 2 * old.n and new.pooled == old.pooled


def name_of(key: Key) -> str:
    """A limit's name, as acts write it."""
    return "/".join(key)


class Changed(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One limit that came into force, and what was in force before it."""

    new: Limit | None  # None: no longer in force
    old: int | None = None
    old_limit: Limit | None = None


class Epoch(msgspec.Struct, kw_only=True):
    """What one day's beginning, or a person's act, put into force of one learner."""

    learner: str
    edition: int
    day: int  # local day, days since 1970
    at: int  # the instant, µs UTC
    cause: str = "day"  # or the act: approve, reject, rollback, freeze, thaw
    actor: str = ""
    reason: str = ""
    observed: int = 0  # rows or cases that were gathered since the epoch before
    limits: int = 0  # in force
    changed: list[Changed] = []
    waiting: list[Limit] = []  # jumps that wait for a person
    frozen: dict[str, str] = {}  # whose limits stand still (`EVERYTHING`: all), and why
    published: str = ""  # SHA-256 of what the learner says from here on
    before: str = ""  # hash of the epoch before it of this learner
    sha256: str = ""  # of all the rest

    def sealed(self) -> Epoch:
        """The same with its own hash."""
        self.sha256 = ""
        self.sha256 = hashlib.sha256(canonical(self)).hexdigest()
        return self


def canonical(told: object) -> bytes:
    """The one way in which it is hashed."""
    return msgspec.json.encode(told, order="sorted")


class Standing(msgspec.Struct):
    """What is remembered of one learner's limits."""

    force: list[Limit] = []  # by key
    anchors: list[tuple[Key, int]] = []  # what a person last approved, or a limit came of age with
    waiting: list[Limit] = []
    frozen: dict[str, str] = {}
    past: list[Epoch] = []  # of the last days, oldest first
    last: str = ""  # hash of the latest


class EpochBook:
    """The limits in force of one learner, and how they came to be."""

    def __init__(self, learner: str, edition: int, guard: Guard) -> None:
        self.learner, self.edition, self.guard = learner, edition, guard
        self.force: dict[Key, Limit] = {}
        self.anchors: dict[Key, int] = {}
        self.waiting: dict[Key, Limit] = {}
        self.frozen: dict[str, str] = {}
        self.past: list[Epoch] = []
        self.last = ""

    def begin(self, day: int, at: int, proposed: Sequence[Limit], observed: int) -> Epoch:
        """A day begins with these proposals."""
        force, waiting = self.guard.decide(proposed, self.force, self.anchors, self.frozen.keys())
        changed = self._moved(force)
        self.waiting = {one.key: one for one in waiting}
        return self._seal(Epoch(
            learner=self.learner, edition=self.edition, day=day, at=at, observed=observed,
            changed=changed,
        ))  # fmt: skip

    def approve(self, day: int, at: int, keys: Iterable[Key], actor: str, reason: str) -> Epoch:
        """A person lets limits jump that wait."""
        force = dict(self.force)
        for key in keys:
            one = self.waiting.pop(key, None)
            if one is not None:
                force[key], self.anchors[key] = one, one.value
        return self._act("approve", day, at, force, actor, reason)

    def reject(self, day: int, at: int, keys: Iterable[Key], actor: str, reason: str) -> Epoch:
        """A person keeps limits as they are: what was in force is approved anew."""
        for key in keys:
            if self.waiting.pop(key, None) is not None and key in self.force:
                self.anchors[key] = self.force[key].value
        return self._act("reject", day, at, dict(self.force), actor, reason)

    def roll_back(self, day: int, at: int, to_day: int, actor: str, reason: str) -> Epoch:
        """The limits of a day come back, and the learner stands still until somebody thaws it."""
        force = self.on(to_day)
        self.frozen = {EVERYTHING: f"{ROLLED_BACK}{reason}"}
        self.waiting = {}
        return self._act("rollback", day, at, force, actor, reason)

    def on(self, day: int) -> dict[Key, Limit]:
        """The limits that were in force at the end of a day, one of the last `DAYS_KEPT`."""
        force = dict(self.force)
        for epoch in reversed(self.past):
            if epoch.day <= day:
                break
            for one in reversed(epoch.changed):
                key = (one.new or one.old_limit or _NOTHING).key
                if one.old_limit is None:
                    force.pop(key, None)
                else:
                    force[key] = one.old_limit
        return force

    def freeze(self, day: int, at: int, whose: Mapping[str, str], actor: str, why: str) -> Epoch:
        """Limits of these names do not move any more until somebody thaws the learner."""
        self.frozen |= whose
        return self._act("freeze", day, at, dict(self.force), actor, why)

    def thaw(self, day: int, at: int, actor: str, reason: str) -> Epoch:
        """A person lets the learner move again; what is in force counts as approved."""
        self.frozen = {}
        self.anchors |= {key: one.value for key, one in self.force.items()}
        return self._act("thaw", day, at, dict(self.force), actor, reason)

    def _act(
        self, cause: str, day: int, at: int, force: dict[Key, Limit], actor: str, reason: str
    ) -> Epoch:
        changed = self._moved(force)
        return self._seal(Epoch(
            learner=self.learner, edition=self.edition, day=day, at=at, cause=cause, actor=actor,
            reason=reason, changed=changed,
        ))  # fmt: skip

    def _moved(self, force: dict[Key, Limit]) -> list[Changed]:
        before, self.force = self.force, force
        keys = sorted(before.keys() | force.keys())
        return [
            Changed(force.get(k), before[k].value if k in before else None, before.get(k))
            for k in keys
            if force.get(k) != before.get(k)
        ]

    def _seal(self, epoch: Epoch) -> Epoch:
        epoch.limits, epoch.frozen, epoch.before = len(self.force), dict(self.frozen), self.last
        epoch.waiting = [self.waiting[key] for key in sorted(self.waiting)]
        self.last = epoch.sealed().sha256
        self.past.append(epoch)
        oldest = epoch.day - DAYS_KEPT
        self.past = [one for one in self.past if one.day >= oldest]
        return epoch

    def publishes(self, epoch: Epoch, published: bytes) -> Epoch:
        """The epoch with the hash of what the learner now says."""
        epoch.published = hashlib.sha256(published).hexdigest()
        return self._again(epoch)

    def _again(self, epoch: Epoch) -> Epoch:
        self.last = epoch.sealed().sha256
        return epoch

    @property
    def in_force(self) -> list[Limit]:
        """The limits in force, by key."""
        return [self.force[key] for key in sorted(self.force)]

    def standing(self) -> Standing:
        """All of it, to be kept."""
        return Standing(
            self.in_force, sorted(self.anchors.items()),
            [self.waiting[k] for k in sorted(self.waiting)], dict(self.frozen), list(self.past),
            self.last,
        )  # fmt: skip

    def stand(self, told: Standing) -> None:
        """Know what `standing` told."""
        self.force = {one.key: one for one in told.force}
        self.anchors = {tuple(key): value for key, value in told.anchors}
        self.waiting = {one.key: one for one in told.waiting}
        self.frozen, self.past, self.last = dict(told.frozen), list(told.past), told.last


_NOTHING = Limit(key=(), value=0, n=0, people=0, since=0, until=0)
