"""The districts and rulebooks that a journal has been judged by, one after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise

import msgspec

from detector.engine import Engine, Era
from detector.ledger import LedgerError, Reading
from detector.ledger.content import Content, read_content
from detector.ledger.journal import blocks_of, text_of
from detector.rulekit import RuleFault
from detector.tomlfile import DistrictError
from detector.values import ABSENT

Make = Callable[[Content], Engine]


@dataclass(frozen=True)
class InForce:
    """A content where it stands in the journal."""

    seq: int  # its frame
    number: int  # of its input
    content: Content
    digest: str


@dataclass(frozen=True)
class Change:
    """A content that is to come into force, and the engine that judges by it."""

    content: Content
    engine: Engine
    behind: str = ""  # digest of the content that it was made to follow, where that matters


def following(content: Content, held: InForce, judging: Engine) -> Change:
    """A content as the change behind the one that is held, which `judging` judges by. Rules stay
    guarded that are as they were. Raises `DistrictError`, `RuleFault`."""
    content = msgspec.structs.replace(content, guarded=held.content.guarded)
    engine = content.engine()
    was, now = judging.rulebook, engine.rulebook
    if was.blast_radius_max == now.blast_radius_max:
        kept = [r for r in content.guarded if was.settings.get(r) == now.settings.get(r)]
    else:
        kept = []  # who moves the guard's limit has looked
    if kept != content.guarded:
        content = msgspec.structs.replace(content, guarded=kept)
        engine = content.engine()
    return Change(content, engine, held.digest)


def in_force(seq: int, number: int, content: Content) -> InForce:
    """A content at its place."""
    return InForce(seq, number, content, content.digest())


def read_change(line: bytes, before: Content | None, make: Make) -> Change:
    """A journalled content, behind the one `before`. Raises `ValueError` saying why it does not
    load."""
    try:
        content = read_content(line, before)
        return Change(content, make(content))
    except KeyError as fault:
        raise ValueError(f"the content does not load: it lacks {fault}") from fault
    except (DistrictError, RuleFault, msgspec.MsgspecError, ValueError) as fault:
        raise ValueError(f"the content does not load: {fault}") from fault


def read_contents(ledger: Reading, frames: Iterable[int]) -> list[InForce]:
    """The contents in these frames, oldest first. Raises `LedgerError` where there are none."""
    told: list[InForce] = []
    for seq in frames:
        frame = next(iter(ledger.frames(seq, seq)), None)
        if frame is None:
            raise LedgerError(f"the ledger has no frame {seq}")
        blocks = blocks_of(text_of(frame))
        if not blocks or not blocks[0].content:
            raise LedgerError(f"journal frame {seq}: does not hold a district and a rulebook")
        try:
            content = read_content(blocks[0].data, told[-1].content if told else None)
        except (KeyError, ValueError, msgspec.MsgspecError) as fault:
            raise LedgerError(f"journal frame {seq}: the content does not read: {fault}") from fault
        told.append(in_force(seq, frame.first_event, content))
    return told


def contents_until(ledger: Reading, seq: int) -> list[InForce]:
    """The contents in the frames up to one, oldest first. Raises `LedgerError`."""
    return read_contents(ledger, [one for one in ledger.contents() if one <= seq])


def judge_of(
    contents: Sequence[InForce], engine_of: Callable[[int], Engine], seq: int, rulebook: str
) -> Engine:
    """The engine that raised a finding by this rulebook in the batch that ends with this frame:
    that of the last content before it, or of the one before that judged the same batch."""
    last = bisect_right([one.seq for one in contents], seq) - 1
    engines = (engine_of(place) for place in range(last, -1, -1))
    return next((e for e in engines if e.rulebook.digest == rulebook), engine_of(last))


def eras(contents: Sequence[InForce], make: Make) -> tuple[Era, ...]:
    """Who judged before the last of these contents; each engine is made when it is first asked."""
    told = []
    for place, (mine, following) in enumerate(pairwise(contents), 1):
        began = following.number == place  # nothing but contents came before it
        until = ABSENT if began else following.content.at
        told.append(Era(until, cache(partial(make, mine.content))))
    return tuple(told)
