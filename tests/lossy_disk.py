"""A disk that forgets what was not synced, and the ledger on it: a process of its own.

`python tests/lossy_disk.py POINTS SYNCHRONOUS` crashes a ledger at so many points of its life, each
time with a disk of which any part of the unsynced writes, torn by sectors, may or may not be there,
and says as JSON what of the ledger's promises did not hold. It stands apart because two SQLite
libraries must not meet in one process.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import apsw
import numpy as np
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from detector.ledger import RAISED, Move, Position, Refusal, Work, after
from detector.ledger.journal import Block, checked, make_frame
from detector.ledger.sqlite import SqliteLedger
from detector.ledger.tables import META

SECTOR = 512
COMMITS = 14
NAME = "ledger"


class Crash(Exception):
    """The power went."""


class Disk:
    """Files as they are seen, as they are on the platter, and what lies between."""

    def __init__(self, platter: dict[str, bytes], crash_at: int | None) -> None:
        self.platter = dict(platter)
        self.seen = {name: bytearray(data) for name, data in platter.items()}
        self.pending: list[tuple[str, int, bytes]] = []  # offset -1: truncate to len(data)
        self.operations = self.syncs = 0
        self.crash_at = crash_at
        self.dead = False

    def operate(self) -> None:
        """Count one write or sync; the power goes at one of them, and no other is done after it."""
        self.operations += 1
        if self.dead or self.operations == self.crash_at:
            self.dead = True
            raise Crash

    def after_crash(self, rng: random.Random) -> dict[str, bytes]:
        """What the platter holds: what was synced, and some of the rest."""
        files = {name: bytearray(data) for name, data in self.platter.items()}
        for name, offset, data in self.pending:
            if offset < 0:
                if rng.random() < 0.5 and name in files:
                    files[name] = files[name][: len(data)]
                continue
            for begin in range(0, len(data), SECTOR):
                if rng.random() < 0.5:
                    put(files.setdefault(name, bytearray()), offset + begin,
                        data[begin : begin + SECTOR])  # fmt: skip
        return {name: bytes(data) for name, data in files.items()}


def put(file: bytearray, offset: int, data: bytes) -> None:
    """Write into a file, which grows as far as it must."""
    if len(file) < offset:
        file.extend(bytes(offset - len(file)))
    file[offset : offset + len(data)] = data


class File:
    """One open file of a disk."""

    def __init__(self, disk: Disk, name: str) -> None:
        self.disk, self.name = disk, name
        self.bytes = disk.seen.setdefault(name, bytearray())

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self.bytes[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self.disk.operate()
        put(self.bytes, offset, data)
        self.disk.pending.append((self.name, offset, bytes(data)))

    def xTruncate(self, size: int) -> None:
        self.disk.operate()
        del self.bytes[size:]
        self.disk.pending.append((self.name, -1, bytes(size)))

    def xSync(self, flags: int) -> None:
        self.disk.operate()
        self.disk.syncs += 1
        self.disk.platter[self.name] = bytes(self.bytes)
        self.disk.pending = [p for p in self.disk.pending if p[0] != self.name]

    def xFileSize(self) -> int:
        return len(self.bytes)

    def xLock(self, level: int) -> None:
        pass

    def xUnlock(self, level: int) -> None:
        pass

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, ptr: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return SECTOR

    def xDeviceCharacteristics(self) -> int:
        return 0

    def xClose(self) -> None:
        pass


class Vfs(apsw.VFS):
    """A file system on a disk."""

    def __init__(self, name: str, disk: Disk) -> None:
        self.disk, self.title = disk, name
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        flags[1] = flags[0]
        return File(
            self.disk, Path(str(name.filename() if hasattr(name, "filename") else name)).name
        )

    def xFullPathname(self, name: str) -> str:
        return name

    def xAccess(self, path: str, flags: int) -> bool:
        return Path(path).name in self.disk.seen

    def xDelete(self, path: str, syncdir: bool) -> None:
        self.disk.operate()
        self.disk.seen.pop(Path(path).name, None)
        self.disk.platter.pop(Path(path).name, None)


def open_on(disk: Disk, synchronous: str) -> SqliteLedger:
    """The ledger of a disk; its settings are the service's, but that one process has it alone."""
    vfs = Vfs(f"lossy-{id(disk)}", disk)

    def connect() -> Any:
        connection = apsw.Connection(NAME, vfs=vfs.title)
        for setting in ("locking_mode=EXCLUSIVE", "page_size=8192", "journal_mode=WAL",
                        f"synchronous={synchronous}", "wal_autocheckpoint=24"):  # fmt: skip
            connection.execute(f"PRAGMA {setting}")
        have = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
        dialect = sqlite.dialect()
        for table in META.sorted_tables:
            if table.name not in have:
                connection.execute(str(CreateTable(table).compile(dialect=dialect)))
                for index in table.indexes:
                    connection.execute(str(CreateIndex(index).compile(dialect=dialect)))
        return connection

    ledger = SqliteLedger(connect, apsw.Error)
    ledger.vfs = vfs  # type: ignore[attr-defined]  # it must live as long
    return ledger


def work(position: Position, number: int) -> Work:
    """A batch that says its number everywhere."""
    lines = b"".join(b'{"n":%d,"k":%d}\n' % (number, k) for k in range(40 * number + 1))
    n = lines.count(b"\n")
    frame = make_frame(
        position, [Block(number, lines, n)], np.full(n, number), np.zeros(n, np.int64)
    )
    doc = b'{"finding_id":"f%d","withdrawn":null}' % number
    moves = [Move(f"f{number}", RAISED, "oriole", "2026", rule="r", at_us=number, doc=doc)]
    if number > 1:
        moves.append(Move(f"f{number - 1}", "superseded", "oriole", "2026"))
    return Work([frame], moves, [Refusal(number, 1, "item", "is missing", "{}")])


def live(disk: Disk, synchronous: str) -> tuple[int, list[int]]:
    """Commit batch after batch until the power goes: how many were answered, syncs of each."""
    answered, syncs = 0, []
    try:
        ledger = open_on(disk, synchronous)
        position = ledger.position()
        for number in range(1, COMMITS + 1):
            before = disk.syncs
            position = ledger.commit(position, work(position, number))
            answered = number
            syncs.append(disk.syncs - before)
    except Exception:
        if not disk.dead:
            raise
    return answered, syncs


def broken_promises(platter: dict[str, bytes], answered: int) -> list[str]:
    """What does not hold of the ledger that is found after a crash."""
    ledger = open_on(Disk(platter, None), "FULL")
    found = ledger.position()
    faults = []
    if found.seq < answered:
        faults.append(f"{answered} batches were answered, {found.seq} are there")
    if found.seq > answered + 1:
        faults.append(f"{found.seq} batches are there, {answered} were answered")
    walked = Position()
    for frame in ledger.frames():
        checked(frame, walked)
        walked = after(walked, [frame])
    if walked != found:
        faults.append(f"the journal ends at {walked.seq}, the position is {found.seq}")
    raised = [n for n in range(1, COMMITS + 1) if ledger.finding(f"f{n}")]
    if raised != list(range(1, found.seq + 1)):
        faults.append(f"findings {raised} of {found.seq} batches")
    if len(ledger.refusals(0, 99)) != found.seq:
        faults.append("refusals are not those of the batches")
    if found.seq and ledger.last_move() != 2 * found.seq - 1:
        faults.append("moves are not those of the batches")
    return faults


def main(points: int, synchronous: str) -> dict[str, Any]:
    """Crash at evenly spaced points of a whole life."""
    sys.unraisablehook = lambda told: None  # a connection that is let go of finds no power
    whole = Disk({}, None)
    answered, syncs = live(whole, synchronous)
    assert answered == COMMITS
    rng = random.Random(7)
    told: dict[str, Any] = {"operations": whole.operations, "points": 0, "faults": [],
                            "syncs_a_commit_min": min(syncs)}  # fmt: skip
    spaced = sorted({1 + n * whole.operations // points for n in range(points)})
    while len(spaced) < points:  # more points than operations: other tears of the same
        spaced.append(rng.randrange(1, whole.operations))
    for crash_at in spaced:
        disk = Disk({}, crash_at)
        answered, _ = live(disk, synchronous)
        assert disk.dead
        try:
            faults = broken_promises(disk.after_crash(rng), answered)
        except Exception as fault:
            faults = [f"{type(fault).__name__}: {fault}"]
        told["points"] += 1
        told["faults"] += [f"at operation {crash_at}: {fault}" for fault in faults]
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]), sys.argv[2])) + "\n")
