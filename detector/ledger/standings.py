"""How findings stand once a batch's moves are done: what a database keeps beside the moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detector.ledger import RAISED, Move

STANDING = ("withdrawn", "withdrawn_actor", "withdrawn_at")


def standings(
    moves: Sequence[Move], before: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(findings that are raised, standings of others that change), each as it is in the end.
    `before`: the number of the last move before these."""
    raised: dict[str, dict[str, Any]] = {}
    changed: dict[str, dict[str, Any]] = {}
    for number, move in enumerate(moves, before + 1):
        found = move.finding_id
        told = (move.code, move.actor, move.at) if move.code else (None, None, None)
        gone = dict(zip(STANDING, told, strict=True))
        if move.code == RAISED:
            raised[found] = vars(move) | dict.fromkeys(STANDING) | {"number": number}
            changed.pop(found, None)
        elif found in raised:
            raised[found] |= gone
        else:
            changed[found] = {"finding_id": found} | gone
    return list(raised.values()), list(changed.values())
