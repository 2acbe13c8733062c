"""Learners as command line, interface and pages tell of them: card, limits in force, history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from detector.learning.epochs import EVERYTHING, Changed, Epoch, Key, name_of
from detector.learning.settings import InForce
from detector.learning.told import Told
from detector.learnkit import Limit
from detector.ledger import Reading
from detector.values import date_of, iso_time

PAGE = 500  # epochs read at once
CHANGED_SHOWN = 200  # of one epoch
Sees = Callable[[Key], bool]


def everything(key: Key) -> bool:
    """Who sees all limits."""
    return True


def day_name(day: int | None) -> str | None:
    """A local day as `2026-03-02`."""
    return None if day is None else date_of(day).isoformat()


def read_epoch(doc: bytes) -> Epoch:
    """An epoch as the ledger holds it."""
    return msgspec.json.decode(doc, type=Epoch)


def fold(
    reader: Reading, learner: str, told: Told, number: int = 0, until_day: int | None = None
) -> tuple[int, Told]:
    """What a learner's epochs behind a number come to, and the number of the last; `until_day`:
    only those up to the end of a local day."""
    while True:
        rows = reader.epochs_after(learner, number, PAGE)
        some = [row for row in rows if until_day is None or row[1].day <= until_day]
        told = told.after(read_epoch(row.doc) for _, row in some)
        number = some[-1][0] if some else number
        if len(some) < PAGE:
            return number, told


def limit_told(keys: Sequence[str], unit: str, one: Limit) -> dict[str, Any]:
    """One limit with all that it rests on."""
    return {
        "name": name_of(one.key), "key": dict(zip(keys, one.key, strict=False)),
        "value": one.value, "unit": unit, "n": one.n, "people": one.people,
        "since": day_name(one.since), "until": day_name(one.until), "pooled": one.pooled,
        "ordinary": [list(pair) for pair in one.ordinary],
    }  # fmt: skip


def wanted(
    limits: Mapping[Key, Limit], keys: Sequence[str], asked: Mapping[str, str], sees: Sees
) -> list[Limit]:
    """The limits that are asked for, by name: `key` is the whole name of one, any of `keys` a part
    of it."""
    places = {name: n for n, name in enumerate(keys)}
    some = [
        one
        for key, one in limits.items()
        if sees(key)
        and all(
            (name_of(key) == text) if name == "key" else key[places[name]] == text
            for name, text in asked.items()
            if name == "key" or name in places
        )
    ]
    return sorted(some, key=lambda one: name_of(one.key))


def brief(in_force: InForce, name: str, told: Told, sees: Sees = everything) -> dict[str, Any]:
    """A learner in a list."""
    card = in_force.learners[name]
    return {
        "id": name, "edition": card.edition, "zh": card.zh, "en": card.en, "sees": card.sees,
        "unit": card.unit, "limits_in_force": len(told.limits), "epochs": told.epochs,
        "last_day": day_name(told.day), "last_at": iso_time(told.at) if told.epochs else None,
        "waits": sum(sees(one.key) for one in told.waiting), "frozen": _frozen(told, sees),
    }  # fmt: skip


def _frozen(told: Told, sees: Sees) -> dict[str, str]:
    """Whose limits stand still, as far as their names may be seen."""
    if sees is everything:
        return told.frozen
    mine = [key for key in told.limits if sees(key)]
    return {
        name: why
        for name, why in told.frozen.items()
        if name == EVERYTHING or any(name in key for key in mine)
    }


def whole(in_force: InForce, name: str, told: Told, sees: Sees = everything) -> dict[str, Any]:
    """A learner's card: what it learns from, what it may never do, what waits."""
    card, guard = in_force.learners[name], in_force.guards[name]
    params = in_force.params[name]
    return brief(in_force, name, told, sees) | {
        "basis": card.basis, "prose": in_force.prose.get(name, ""), "keys": list(card.keys),
        "floor": guard.floor, "cap": guard.cap, "step_permille": guard.step_permille,
        "total_permille": guard.total_permille,
        "params": [
            {"name": p.name, "value": params[p.name], "default": p.default, "unit": p.unit,
             "about": p.about}
            for p in card.params
        ],
        "observed": told.observed, "since": day_name(told.since), "until": day_name(told.until),
        "waiting": [
            limit_told(card.keys, card.unit, one) | {"now": _now(told, one)}
            for one in told.waiting
            if sees(one.key)
        ],
    }  # fmt: skip


def _now(told: Told, one: Limit) -> int | None:
    held = told.limits.get(one.key)
    return None if held is None else held.value


def epoch_told(in_force: InForce, epoch: Epoch, sees: Sees = everything) -> dict[str, Any]:
    """One epoch: who or what brought it, and what it changed (the first of many)."""
    card = in_force.learners[epoch.learner]
    changed = list(_changed(epoch.changed, sees))
    return {
        "day": day_name(epoch.day), "at": iso_time(epoch.at), "cause": epoch.cause,
        "actor": epoch.actor, "reason": epoch.reason, "edition": epoch.edition,
        "observed": epoch.observed, "limits_in_force": epoch.limits,
        "changed_in_all": len(changed), "changed": changed[:CHANGED_SHOWN],
        "waiting": [
            limit_told(card.keys, card.unit, one) for one in epoch.waiting if sees(one.key)
        ],
        "frozen": {n: w for n, w in epoch.frozen.items() if sees is everything or n == EVERYTHING},
        "published": epoch.published, "before": epoch.before,
        "sha256": epoch.sha256,
    }  # fmt: skip


def _changed(changed: Iterable[Changed], sees: Sees) -> Iterator[dict[str, Any]]:
    for one in changed:
        held = one.new or one.old_limit
        if held is not None and sees(held.key):
            new = None if one.new is None else one.new.value
            yield {"name": name_of(held.key), "old": one.old, "new": new}
