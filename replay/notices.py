"""The notices of a history: what all shards found, led to the end by one desk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from detector.effects import Effects
from detector.engine import Engine
from detector.event import Fact
from detector.explain import Change
from detector.notice import Notice, canonical
from detector.notice_desk import NoticeDesk
from detector.notice_doc import document, told_move, whole
from detector.notice_state import Matter, NoticeState
from detector.notice_walk import Walked
from detector.verdict import Finding


class Matters(msgspec.Struct):
    """What the shards of a replay hand to whoever leads notices."""

    matters: list[tuple[int, Matter]] = []  # known since when
    closed: list[tuple[int, str]] = []  # received_at, case

    def hold(
        self, desk: NoticeDesk, moves: Iterable[Finding | Change], known: Iterable[int]
    ) -> None:
        """Moves of findings, in their order."""
        self.matters += desk.matters_of(moves, known)

    def add(self, more: Matters) -> None:
        """Those of another shard."""
        self.matters += more.matters
        self.closed += more.closed


class NoticeLine(msgspec.Struct):
    """A notice as a replay writes it."""

    notice_id: str
    state: str
    tier: int
    canonical: bytes
    document: bytes


@dataclass
class Led:
    """What leading the notices came to."""

    effects: Effects
    lines: list[NoticeLine]


def lead(engine: Engine, matters: Matters, facts: Sequence[Fact], until: int) -> Led:
    """Every notice of a history, up to an instant; nobody is told of any."""
    desk, state, effects = engine.notice_desk, NoticeState(), Effects()
    for at, matter in matters.matters:
        desk.hold_matter(state, at, matter)
    desk.hold_facts(state, facts)
    desk.hold_closed(state, matters.closed)
    walked = desk.advance(state, until, speaks=False)
    effects.undetermined += walked.undetermined + desk.limits.conclude(state, until)
    for move, known in walked.findings:
        effects.tell((move,), (known,))
    return Led(effects, _lines(engine, walked, state.asked))


def _lines(engine: Engine, walked: Walked, asked: bool) -> list[NoticeLine]:
    deadlines, teller, zone = engine.notice_desk.deadlines, engine.teller, engine.calendar.zone
    history: dict[str, list[dict[str, Any]]] = {}
    for move in walked.moves:
        history.setdefault(move.notice_id, []).append(told_move(move, zone))
    holds: dict[str, dict[str, None]] = {}
    for notice, found, _ in walked.held:
        holds.setdefault(notice, {})[found] = None

    def line(n: Notice) -> NoticeLine:
        found = list(holds.get(n.notice_id, ()))  # none where it was issued by hand
        told = whole(document(n, deadlines.next_at(n, asked), teller), found, history[n.notice_id])
        return NoticeLine(n.notice_id, n.shown, n.tier, canonical(n), told)

    return [line(n) for _, n in sorted(walked.touched.items())]
