"""Snapshots: a shard's state in a file, so that a restart need not read the whole journal again.

A snapshot is a convenience. It belongs to one state of the engine's own text, one content and one
place in the journal; a torn, old or foreign one is passed over and the journal is read further.

    magic · length of header · header (JSON: meta – what it belongs to –, sections) · sections, zstd
    · SHA-256 over all before
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zstandard

from detector.cases import CaseState, Suspension
from detector.columns import Vocabulary, Words
from detector.engine import Engine
from detector.facts_desk import FactState
from detector.learning.keeping import TOLD
from detector.learning.keeping import columns_of as learned
from detector.learning.keeping import restore as learn_again
from detector.ledger import LedgerError, Position
from detector.live.contents import InForce, Make, eras
from detector.live.shard import Heads, Kind, Shard
from detector.notice_state import NoticeState
from detector.officers import Officers
from detector.operators import Memory, OperatorState
from detector.pace import Pace
from detector.particulars import Particulars
from detector.records import COLUMNS, Records
from detector.tally import Tally

MAGIC = b"oriole\x00\x07"
SUFFIX = ".snapshot"
KEPT = 2
_HASH = 32
SEEN, FACTS, IDS = "seen_", "fact_", "event_ids_"  # how columns of known events … are named
_SLICE = 1 << 16  # words encoded at a time: other threads run between


class Torn(Exception):
    """The snapshot cannot be used; the message says why."""


@dataclass
class Captured:
    """A copy of a shard's state, taken between two batches: nothing in it is the shard's own."""

    seq: int  # of the journal's frame
    meta: bytes  # JSON
    arrays: dict[str, np.ndarray]
    words: dict[str, list[str]]


def engine_edition() -> str:
    """A hash of the engine's own text: another text may mean another state."""
    whole = hashlib.sha256()
    home = Path(__file__).resolve().parent.parent
    for path in sorted(
        [*home.glob("*.py"), *home.glob("learning/*.py"), *home.glob("counting/*.py")]
    ):
        whole.update(path.name.encode() + b"\0" + path.read_bytes())
    whole.update(np.__version__.encode())
    return whole.hexdigest()


class Twin:
    """Room for copies, kept from one snapshot to the next: fresh memory costs more than copying,
    so it is made ready beside the engine, and grows there before it is too small."""

    def __init__(self) -> None:
        self._room: dict[str, np.ndarray] = {}
        self._used: dict[str, int] = {}

    def copy(self, name: str, array: np.ndarray) -> np.ndarray:
        """What it holds now, in the room that is there if it fits."""
        room = self._room.get(name)
        if room is None or room.dtype != array.dtype or len(room) < len(array):
            room = self._room[name] = np.empty(_more(len(array)), array.dtype)
        self._used[name] = len(array)
        kept = room[: len(array)]
        kept[...] = array
        return kept

    def expect(self, name: str, dtype: np.dtype[Any], length: int) -> None:
        """Make room for about so many rows, each page of it touched."""
        self._room[name] = np.empty(_more(length), dtype)
        self._room[name].view(np.uint8).fill(0)

    def grow(self) -> None:
        """Make more room where little was left; no copy may be in use."""
        for name, room in list(self._room.items()):
            if self._used.get(name, 0) > 0.9 * len(room):
                self.expect(name, room.dtype, self._used[name])


def _more(length: int) -> int:
    return length + length // 4


def sizes(shard: Shard) -> list[tuple[str, np.dtype[Any], int]]:
    """What a copy of a shard's columns takes: name, kind and rows of each."""
    return [(name, array.dtype, len(array)) for name, array in _columns(shard).items()]


def _columns(shard: Shard) -> dict[str, np.ndarray]:
    cases, known = shard.state.cases, len(shard.words.case)
    return {
        "table": cases.table[:known], "next_due": cases.next_due[:known],
        "heads": shard.heads.numbers[:known],
        **{f"{IDS}{name}": column for name, column in cases.event_ids.columns().items()},
        **{f"{SEEN}{name}": column for name, column in cases.seen.columns().items()},
        **{f"{FACTS}{name}": column for name, column in shard.facts.seen.columns().items()},
    } | (cases.tally.arrays() if cases.tally else {})  # fmt: skip


def capture(shard: Shard, twin: Twin) -> Captured:
    """Copy a shard's state, and note what judges and has judged."""
    cases, operators = shard.state.cases, shard.state.operators
    arrays = _columns(shard) | {
        "facts": np.frombuffer(shard.state.facts.dump(), np.uint8),
        "notices": np.frombuffer(shard.state.notices.dump(), np.uint8),
    }
    if shard.state.learning is not None:
        arrays |= learned(shard.state.learning)
    held = operators.waiting()
    if held is not None:
        arrays |= {f"held_{name}": getattr(held, name) for name in COLUMNS}
    copied = {name: twin.copy(name, array) for name, array in arrays.items()}
    meta = {
        "edition": engine_edition(), "content": shard.contents[-1].digest,
        "contents": [one.seq for one in shard.contents],
        "seq": shard.position.seq, "next_event": shard.position.next_event,
        "hash": shard.position.hash.hex(),
        "watermark": cases.watermark, "earliest_due": cases.earliest_due,
        "compact_at": cases._compact_at, "seen_count": cases.seen.count,
        "fact_count": shard.facts.seen.count,
        "suspensions": [
            [case, [[getattr(s, f.name) for f in fields(s)] for s in some]]
            for case, some in cases.suspensions.items()
        ],
        "more_holders": list(cases.more_holders.items()),
        "stamped": list(cases.stamped.items()),
        "versions": [[key, sorted(contents)] for key, contents in cases.seen.versions.items()],
        "operators": [[code, *_told(memory)] for code, memory in operators.memory.items()],
        "has_held": held is not None,
        "heard": shard.heard,
        "tally": cases.tally.told() if cases.tally else None,
        "officers": [cases.officers.certificates, cases.officers.registers],
    }  # fmt: skip
    words = {f.name: list(getattr(shard.words, f.name).words) for f in fields(Words)}
    return Captured(shard.position.seq, msgspec.json.encode(meta), copied, words)


def _told(memory: Memory) -> list[Any]:
    raised = [[*key[0:1], *key[1], *value] for key, value in memory.raised.items()]
    paces = [[bucket, day, sorted(cases)] for bucket, (day, cases) in memory.pace.open.items()]
    return [memory.last, memory.window, memory.burst, raised, paces, list(memory.pace.past)]


def write(captured: Captured, folder: Path) -> Path:
    """Write a snapshot whole or not at all, and forget all but the latest ones."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{captured.seq:020d}{SUFFIX}"
    half = path.with_suffix(".half")
    sections: list[dict[str, Any]] = []
    packed: list[bytes] = []
    for name, data in _sections(captured, sections):
        packed.append(zstandard.compress(data, 1))
        sections[-1] |= {"name": name, "stored": len(packed[-1])}
    header = msgspec.json.encode({"meta": msgspec.Raw(captured.meta), "sections": sections})
    whole = hashlib.sha256()
    with half.open("wb") as out:
        for part in (MAGIC, struct.pack("<q", len(header)), header, *packed):
            whole.update(part)
            out.write(part)
        out.write(whole.digest())
        out.flush()
        os.fsync(out.fileno())
    half.replace(path)
    _sync(folder)
    for old in found(folder)[KEPT:]:
        old.unlink()
    return path


def _sections(captured: Captured, told: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    for name, array in captured.arrays.items():
        told.append({"dtype": msgspec.to_builtins(array.dtype.descr), "rows": len(array)})
        yield name, array.tobytes()
    for name, words in captured.words.items():
        told.append({"dtype": None, "rows": len(words)})
        slices = range(0, len(words), _SLICE)
        yield name, b"\n".join("\n".join(words[n : n + _SLICE]).encode() for n in slices)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def found(folder: Path) -> list[Path]:
    """The snapshots of a folder, newest first."""
    return sorted(folder.glob(f"*{SUFFIX}"), reverse=True) if folder.is_dir() else []


def load(
    path: Path, contents: Callable[[list[int]], list[InForce]], make: Make, kind: Kind = Shard
) -> Shard:
    """The shard of a snapshot. Raises `Torn` where it is damaged or belongs to something else.

    `contents` gives those in some frames of the journal.
    """
    try:
        data = memoryview(path.read_bytes())
    except OSError as fault:
        raise Torn(f"cannot be read: {fault.strerror}") from fault
    if len(data) < len(MAGIC) + 8 + _HASH or bytes(data[: len(MAGIC)]) != MAGIC:
        raise Torn("is no snapshot, or of another kind")
    if hashlib.sha256(data[:-_HASH]).digest() != bytes(data[-_HASH:]):
        raise Torn("is torn: its hash differs")
    at = len(MAGIC) + 8
    (length,) = struct.unpack("<q", data[len(MAGIC) : at])
    header = msgspec.json.decode(data[at : at + length])
    meta = header["meta"]
    if meta["edition"] != engine_edition():
        raise Torn("belongs to another edition of the engine")
    judged = _contents(meta, contents)
    at += length
    read: dict[str, Any] = {}
    for section in header["sections"]:
        raw = zstandard.decompress(data[at : at + section["stored"]])
        at += section["stored"]
        read[section["name"]] = _restored(section, raw)
    engine = make(judged[-1].content)
    engine.past = eras(judged, make)
    shard = _shard(meta, read, engine, kind)
    shard.contents, shard.make = judged, make
    return shard


def _contents(
    meta: dict[str, Any], contents: Callable[[list[int]], list[InForce]]
) -> list[InForce]:
    """What judges, and has judged, by the journal's own frames."""
    try:
        judged = contents(meta["contents"])
    except (LedgerError, KeyError) as fault:
        raise Torn(f"stands at no place of this journal: {fault}") from None
    if judged[-1].digest != meta["content"]:
        raise Torn("belongs to another district or rulebook")
    return judged


def _restored(section: dict[str, Any], raw: bytes) -> Any:
    if section["dtype"] is None:
        return raw.decode().split("\n") if section["rows"] else []
    kind = [tuple(tuple(x) if isinstance(x, list) else x for x in f) for f in section["dtype"]]
    dtype = np.dtype(kind[0][1] if len(kind) == 1 and not kind[0][0] else kind)
    return np.frombuffer(bytearray(raw), dtype)


def _shard(meta: dict[str, Any], read: dict[str, Any], engine: Engine, kind: Kind) -> Shard:
    plain = {f.name: Vocabulary(read[f.name]) for f in fields(Words) if f.name != "told"}
    for vocabulary in plain.values():
        vocabulary.hashes(np.zeros(0, np.int32))  # of all: the first batch shall not wait for them
    words = Words(**plain, told=Particulars(read["told"]))
    shard = kind(engine, words)
    shard.heard = {source: (told[0], told[1]) for source, told in meta["heard"].items()}
    shard.position = Position(meta["seq"], meta["next_event"], bytes.fromhex(meta["hash"]))
    shard.heads = Heads(read["heads"])
    shard.facts.seen.restore(_of(FACTS, read), meta["fact_count"])
    _cases(shard.state.cases, meta, read)
    _operators(shard.state.operators, words, meta, read)
    shard.state.facts = FactState.load(read["facts"].tobytes())
    shard.state.notices = NoticeState.load(read["notices"].tobytes())
    if shard.state.learning is not None and TOLD in read:
        learn_again(shard.state.learning, read, words)
    return shard


def _cases(cases: CaseState, meta: dict[str, Any], read: dict[str, Any]) -> None:
    if read["table"].dtype != cases.table.dtype:
        raise Torn("its rows are of another kind")
    cases.make_room()
    known = len(read["table"])
    cases.table[:known] = read["table"]
    cases.next_due[:known] = read["next_due"]
    cases.watermark, cases.earliest_due = meta["watermark"], meta["earliest_due"]
    cases.seen.restore(_of(SEEN, read), meta["seen_count"])
    cases.event_ids.restore(_of(IDS, read))
    cases._compact_at = meta["compact_at"]
    cases.suspensions = {c: [Suspension(*s) for s in some] for c, some in meta["suspensions"]}
    cases.seen.versions = {key: set(contents) for key, contents in meta["versions"]}
    certificates, registers = meta["officers"]
    some = {p: [(r, a, b) for r, a, b in told] for p, told in certificates.items()}
    cases.officers = Officers(some, registers)
    cases.more_holders = {c: [(k, r) for k, r in some] for c, some in meta["more_holders"]}
    cases.stamped = {c: [(at, found) for at, found in some] for c, some in meta["stamped"]}
    if cases.tally is not None:
        if meta["tally"] is None:
            raise Torn("counts no raw values")
        cases.tally = Tally.load(meta["tally"], read)


def _of(prefix: str, read: dict[str, Any]) -> dict[str, Any]:
    """The sections whose names begin so, without it."""
    return {name.removeprefix(prefix): one for name, one in read.items() if name.startswith(prefix)}


def _operators(
    operators: OperatorState, words: Words, meta: dict[str, Any], read: dict[str, Any]
) -> None:
    if meta["has_held"]:
        operators.hold(Records(words, *(read[f"held_{name}"] for name in COLUMNS)))
    for code, last, window, burst, raised, paces, past in meta["operators"]:
        pace = Pace({b: (d, set(c)) for b, d, c in paces}, deque((d, n) for d, n in past))
        operators.memory[code] = Memory(
            last, [(w[0], w[1], w[2], w[3]) for w in window], (burst[0], burst[1]),
            {(r[0], (r[1], r[2])): (r[3], r[4]) for r in raised}, pace,
        )  # fmt: skip
