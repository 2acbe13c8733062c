"""A commit of the ledger against the least that durability costs: appending the same bytes.

Ready batches (frames packed, 2 % of the events with a finding, four indexes) are committed by the
service's own ledger; then the very bytes of their frames and documents are appended to a plain file
with one fdatasync a batch. Both in turn on the same disk, medians of five.
"""

from __future__ import annotations

import os
import shutil
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.county_files import SCRATCH, ndjson_file
from deploy.servers import Postgres
from detector.ledger import RAISED, Move, Position, Work, after
from detector.ledger.journal import Block, compress, finish_frame, frames_of
from detector.ledger.journal import canonical as text_of_blocks
from detector.ledger.sqlite_file import FILE, open_ledger

FOLDER = SCRATCH / "ledger"
SIZES = (256, 4_096, 16_384)
RUNS = 5
EVENTS = 200_000
FINDING_SHARE = 50  # an event in so many has a finding
DOC = b'{"finding_id":"%032d","sentence":"' + b"x" * 1_200 + b'","withdrawn":null}'


def run(events: int) -> list[dict[str, Any]]:
    """A row a batch size: share of the plain file's rate; and events/s of PostgreSQL, with its
    share of the file ledger's rate, where it is installed."""
    with ndjson_file(events).open("rb") as source:
        lines = [source.readline() for _ in range(EVENTS)]
    mine = [_bench(lines, size) for size in SIZES]
    return mine + _postgres(lines, [row["value"] for row in mine])


def _postgres(lines: list[bytes], files: list[int]) -> list[dict[str, Any]]:
    from detector.ledger.postgres_open import migrate
    from detector.ledger.postgres_open import open_ledger as open_shard

    if Postgres.missing():
        return []
    server = Postgres(durable=True)
    server.start()
    empty, rows = server.database(), []
    migrate(server.address(empty))
    for size, file in zip(SIZES, files, strict=True):
        works, rates = list(_works(lines, size)), []
        for _ in range(RUNS):
            ledger = open_shard(server.address(server.database(empty)), "case-0")
            rates.append(EVENTS / _committed(ledger, works))
        rate = round(median(rates))
        rows.append(
            {"name": f"ledger_postgres_{size}", "value": rate, "unit": "events/s",
             "against": f"ledger_{size}", "ratio": round(rate / file, 2),
             "note": f"{', '.join(f'{one:,.0f}' for one in rates)}; {len(works)} batches, synced"}
        )  # fmt: skip
    server.stop()
    return rows


def _bench(lines: list[bytes], size: int) -> dict[str, Any]:
    shares, rates, plain = [], [], []
    works = list(_works(lines, size))
    for _ in range(RUNS):
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
        mine, theirs = _commit(works), _append(works)
        rates.append(EVENTS / mine)
        plain.append(EVENTS / theirs)
        shares.append(theirs / mine)
    shutil.rmtree(FOLDER)
    note = (
        f"{median(rates):,.0f} events/s against {median(plain):,.0f} appended and synced; shares"
        f" {', '.join(f'{s:.0%}' for s in shares)}; {len(works)} batches"
    )
    return {
        "name": f"ledger_{size}", "value": round(median(rates)), "unit": "events/s",
        "against": "append_fdatasync", "ratio": round(median(shares), 2), "note": note,
    }  # fmt: skip


def _works(lines: list[bytes], size: int) -> Any:
    position, number = Position(), 0
    for begin in range(0, len(lines), size):
        some = lines[begin : begin + size]
        frames = []
        for blocks in frames_of([Block(1, b"".join(some), len(some))]):
            n = blocks[0].n
            packed = compress(text_of_blocks(blocks), position.hash)
            frames.append(finish_frame(position, packed, np.full(n, 1), np.arange(n)))
            position = after(position, frames)
        moves = []
        for k in range(0, len(some), FINDING_SHARE):
            number += 1
            name = f"{number * 2_654_435_761 % (1 << 64):032x}"
            moves.append(
                Move(name, RAISED, "oriole", "2026", "rule", f"D{k % 8:02}", f"c{number % 999}",
                     "permit", "P1", number, 2, None, DOC % number)
            )  # fmt: skip
        yield Work(frames, moves)


def _commit(works: list[Work]) -> float:
    return _committed(open_ledger(FOLDER / FILE), works)


def _committed(ledger: Any, works: list[Work]) -> float:
    """Seconds for all batches; the ledger is closed."""
    position = Position()
    begin = perf_counter()
    for work in works:
        position = ledger.commit(position, work)
    taken = perf_counter() - begin
    ledger.close()
    return taken


def _append(works: list[Work]) -> float:
    handle = os.open(FOLDER / "plain", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    begin = perf_counter()
    for work in works:
        parts = [f.data + f.back for f in work.frames] + [m.doc or b"" for m in work.moves]
        os.write(handle, b"".join(parts))
        os.fdatasync(handle)
    taken = perf_counter() - begin
    os.close(handle)
    return taken
