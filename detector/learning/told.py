"""What the epochs of a learner come to (界限现状): in force, waiting, standing still."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from detector.learning.drifted import ORIOLE, RULE, drift_read
from detector.learning.epochs import Epoch, Key
from detector.learnkit import Limit

MOVES_KEPT = 400  # of one limit, the latest


@dataclass(frozen=True)
class Since:
    """Why something is so, since when (µs UTC), and who said so."""

    at: int
    actor: str
    why: str


@dataclass(frozen=True)
class Told:
    """The fold of `changed` over the epochs of one learner, in their order; never changed in
    place, so threads may share it."""

    limits: dict[Key, Limit] = field(default_factory=dict)  # in force
    waiting: tuple[Limit, ...] = ()  # jumps that wait for a person
    frozen: dict[str, str] = field(default_factory=dict)  # whose limits stand still, and why
    stood: dict[str, Since] = field(default_factory=dict)  # the same, since when and by whom
    rates: dict[str, Since] = field(default_factory=dict)  # rules whose findings drifted last
    moves: dict[Key, tuple[tuple[int, int | None], ...]] = field(default_factory=dict)
    epochs: int = 0
    observed: int = 0  # rows or cases gathered in all
    day: int | None = None  # local day of the last epoch, days since 1970
    at: int = 0  # its instant, µs UTC
    sha256: str = ""  # its hash

    def after(self, epochs: Iterable[Epoch]) -> Told:
        """With these epochs behind those before. `moves`: of each limit (day, value from then on;
        None: no longer in force)."""
        limits, moves, many, observed = dict(self.limits), dict(self.moves), 0, self.observed
        stood, rates = self.stood, dict(self.rates)
        last = None
        for last in epochs:
            many += 1
            observed += last.observed
            stood = _stood(stood, last)
            rates |= _rate(last)
            for one in last.changed:
                if one.new is not None:
                    key, value = one.new.key, one.new.value
                    limits[key] = one.new
                elif one.old_limit is not None:
                    key, value = one.old_limit.key, None
                    limits.pop(key, None)
                else:
                    continue
                moves[key] = (*moves.get(key, ())[1 - MOVES_KEPT :], (last.day, value))
        if last is None:
            return self
        return replace(
            self, limits=limits, waiting=tuple(last.waiting), frozen=dict(last.frozen),
            stood=stood, rates=rates, moves=moves, epochs=self.epochs + many, observed=observed,
            day=last.day, at=last.at, sha256=last.sha256,
        )  # fmt: skip

    @property
    def since(self) -> int | None:
        """The first day of which a limit in force knows."""
        return min((one.since for one in self.limits.values()), default=None)

    @property
    def until(self) -> int | None:
        """The last day of which a limit in force knows."""
        return max((one.until for one in self.limits.values()), default=None)


def _stood(stood: dict[str, Since], epoch: Epoch) -> dict[str, Since]:
    """Whose limits stand still, each since the epoch that first said why."""
    return {
        name: stood[name]
        if name in stood and stood[name].why == why
        else Since(epoch.at, epoch.actor, why)
        for name, why in epoch.frozen.items()
    }


def _rate(epoch: Epoch) -> dict[str, Since]:
    """The rule whose findings were seen to drift, if this epoch tells of one."""
    told = drift_read(epoch.reason) if epoch.actor == ORIOLE else None
    if told is None or not told.whose.startswith(RULE):
        return {}
    return {told.whose.removeprefix(RULE): Since(epoch.at, epoch.actor, epoch.reason)}
