"""What people do to a learner (模型操作): approve or reject a jump, roll back, freeze, thaw."""

from __future__ import annotations

from detector.event import LEARNER_ACTS, Fact
from detector.learning.epochs import EVERYTHING, Epoch, EpochBook, name_of

APPROVE, REJECT, ROLLBACK, FREEZE, THAW = LEARNER_ACTS


def act_on(book: EpochBook, fact: Fact, day: int, to_day: int | None) -> Epoch:
    """What a person's act comes to; without a key it is about all that waits. `to_day`: of a
    roll-back the day whose limits come back, the day before where none is named."""
    told, at = fact.fields, fact.received_at
    actor, reason = told["actor"], told.get("reason") or ""
    key = told.get("key")
    keys = list(book.waiting) if not key else [k for k in book.waiting if name_of(k) == key]
    if told["act"] == APPROVE:
        return book.approve(day, at, keys, actor, reason)
    if told["act"] == REJECT:
        return book.reject(day, at, keys, actor, reason)
    if told["act"] == ROLLBACK:
        return book.roll_back(day, at, day - 1 if to_day is None else to_day, actor, reason)
    if told["act"] == FREEZE:
        return book.freeze(day, at, {key or EVERYTHING: reason}, actor, reason)
    return book.thaw(day, at, actor, reason)
