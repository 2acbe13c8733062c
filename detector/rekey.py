"""A ledger made anew for another number of shards, and a change of what judges in all of them at
once: a composition root. Nobody else may be at work on the ledgers meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from detector.adapters import machine
from detector.adapters.kafka import ends_of, grow_topics
from detector.cluster.history import Input, history
from detector.cluster.layout import DEPARTMENT, KINDS, Layout, name_of, parts_of, topic_of
from detector.cluster.whole import Body, Whole
from detector.district import read_folder
from detector.known import tick_line
from detector.ledger import LedgerError
from detector.ledger.content import Content, changed, content_of
from detector.ledger.sqlite_file import FILE, open_reader
from detector.live.contents import contents_until, read_contents
from detector.places import POSTGRES, DatabasePlace
from detector.shelf import rules_folder

LINES_MAX = 20_000  # of one batch
Say = Callable[[int], None]


def rekey(
    source: str, target: str, shards: tuple[int, int], broker: str = "",
    say: Say = lambda inputs: None,
) -> dict[str, Any]:  # fmt: skip
    """Judge all inputs of a ledger again in so many shards of an empty database. What delivery
    knows comes along, nothing is sent again. With a broker its topics grow, and the shards go on at
    their ends. Raises `LedgerError`, `Unreachable`."""
    layout = Layout(*shards)
    with closing(DatabasePlace(target).reader()) as reader:
        if reader.shards():
            raise LedgerError("the database holds a ledger already: name an empty one")
    with ExitStack() as ends:
        readers = _readers(source)
        for _, one in readers:
            ends.callback(one.close)
        _drained(readers)
        ends_before = _consumed(readers, broker) if broker else {}
        first = read_contents(readers[0][1], [1])[-1].content
        whole = Whole(
            msgspec.structs.replace(first, shards=shards),
            lambda name: DatabasePlace(target, name).ledger(), layout, machine.seconds, False,
        )  # fmt: skip
        ends.callback(whole.close)
        inputs = _judge(whole, history(readers), shards, say)
        if whole.faults:
            raise LedgerError(f"an input cannot be judged: {whole.faults[0]}")
        whole.finish(_offsets(broker, layout, ends_before) if broker else {})
        DatabasePlace(target).take_outbox(readers[-1][1], name_of(DEPARTMENT, 0))
        frames = {name: one.shard.position.seq for name, one in whole.runners.items()}
    return {"inputs": inputs, "frames": frames}


def _judge(whole: Whole, inputs: Iterator[Input], shards: tuple[int, int], say: Say) -> int:
    """Feed all inputs, in batches; how many there were."""
    done, last, waiting = 0, 0, list[Input]()

    def flush() -> None:
        if waiting:
            whole.take([*_bodies(waiting), (tick_line(waiting[-1].at - 1), None)])
            waiting.clear()

    for one in inputs:
        if one.content is not None:
            flush()
            whole.change(msgspec.structs.replace(one.content, shards=shards))
        elif one.line:
            waiting.append(one)
        else:
            last = max(last, one.at)
        done += bool(one.line)
        if len(waiting) >= LINES_MAX:
            flush()
            say(done)
    flush()
    if last > whole.latest():
        whole.take([(tick_line(last), None)])
    while whole.waiting():
        whole.settle()
    return done


def _bodies(inputs: Sequence[Input]) -> Iterator[Body]:
    """Lines that arrived alike; before those that were put later, the instant before."""
    for (stamp, floor), some in groupby(inputs, key=lambda one: (one.stamp, one.floor)):
        if floor is not None:
            yield tick_line(floor - 1), None
        yield b"".join(one.line for one in some), stamp


def _readers(source: str) -> list[tuple[str, Any]]:
    """Questions to every shard of a folder's file, or of a database."""
    if not source.startswith(POSTGRES):
        file = Path(source) / FILE if Path(source).is_dir() else Path(source)
        return [("all", open_reader(file))]
    with closing(DatabasePlace(source).reader()) as reader:
        names = reader.shards()
    if not names:
        raise LedgerError("the database holds no ledger yet")
    order = [*KINDS, "all"]
    names.sort(key=lambda n: (order.index(n.partition("-")[0]), len(n), n))
    return [(name, DatabasePlace(source, name).reader()) for name in names]


def _drained(readers: Sequence[tuple[str, Any]]) -> None:
    """What a shard told, and another has not taken up, would be lost from the ledger's outcome."""
    for name, reader in readers:
        left = [one for one in reader.relays() if not _heard(readers, name, one.seq, one.target)]
        if left:
            raise LedgerError(
                f"{name}: told {left[0].target} what it has not taken up: let the workers go on"
                " until nothing waits, then stop them"
            )


def _heard(readers: Sequence[tuple[str, Any]], source: str, seq: int, target: str) -> bool:
    from detector.cluster.relay import BEGINS, decode  # of the last frames only
    from detector.ledger.journal import text_of

    reader = dict(readers)[target]
    last = reader.position().seq
    for first in range(last, 0, -1):
        [frame] = reader.frames(first, first)
        lines = [decode(x) for x in text_of(frame).splitlines() if x.startswith(BEGINS)]
        heard = [line.seq for line in lines if line.source == source]
        if heard:
            return max(heard) >= seq
    return False


def _offsets(
    broker: str, layout: Layout, before: Mapping[tuple[str, int], int]
) -> dict[str, int]:  # fmt: skip
    """Where each shard goes on: at the end of its partition, to which nothing has come since."""
    ends = asyncio.run(grow_topics(broker, layout.topics()))
    if any(ends.get(place, 0) != end for place, end in before.items()):
        raise LedgerError("records came meanwhile: end `oriole serve`, and begin again")
    told = {}
    for name in layout.shards():
        kind, partition = parts_of(name)
        told[name] = ends[topic_of(kind), partition]
    return told


def change(ledger: str, district: Path, snapshots: Path | None, broker: str = "") -> list[str]:
    """Let another district and these rules judge from here on, in all shards at one instant; the
    names of what changed. The workers are stopped, and nothing waits for them. One that was cut off
    goes on when it is done again. Raises `LedgerError`, `Unreachable`, `DistrictError`,
    `RuleFault`."""
    readers = _readers(ledger)
    try:
        if broker:
            _consumed(readers, broker)
        held = {name: contents_until(one, 1 << 62)[-1].content for name, one in readers}
    finally:
        for _, one in readers:
            one.close()
    first = next(iter(held.values()))
    if first.shards is None:
        raise LedgerError("the database was made for one shard: `oriole run` takes the folder")
    content: Content = content_of(read_folder(district), rules_folder(), 0)
    content = msgspec.structs.replace(content, shards=first.shards, guarded=first.guarded)
    content.engine()
    names = sorted({name for one in held.values() for name in changed(one, content)})
    if names:
        begun = {one.at for one in held.values() if not changed(one, content)}
        _change(ledger, content, begun, snapshots)
    return names


def _change(ledger: str, content: Content, begun: set[int], snapshots: Path | None) -> None:
    assert content.shards is not None
    whole = Whole(
        content, lambda name: DatabasePlace(ledger, name).ledger(), Layout(*content.shards),
        machine.seconds, True, snapshots,
    )  # fmt: skip
    try:
        at = max(begun, default=max(machine.wall_us(), whole.latest() + 1))
        whole.change(msgspec.structs.replace(content, at=at))
        whole.finish({})
    finally:
        whole.close()


def _consumed(readers: Sequence[tuple[str, Any]], broker: str) -> dict[tuple[str, int], int]:
    """Where the topics end; every record must have been judged, for what lies behind would be
    passed over. Raises `LedgerError`, `Unreachable`."""
    ends = asyncio.run(ends_of(broker, [topic_of(kind) for kind in KINDS]))
    for name, reader in readers:
        if name == "all":
            continue
        kind, partition = parts_of(name)
        end, done = ends.get((topic_of(kind), partition), 0), reader.offset() or 0
        if done != end:
            raise LedgerError(
                f"{name}: {end - done} records wait for it: end `oriole serve`, let the workers go"
                " on until nothing waits, then stop them"
            )
    return ends
