"""The generated county as files: Parquet and NDJSON of the same content, kept in `scratch/`.

Texts stand in Parquet exactly as in NDJSON, so both files must lead to one digest. The NDJSON holds
on top, once in `BROKEN_EVERY` lines, a line that must be refused and cost its neighbours nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from detector.district import load_district
from detector.simulate.county import County, simulate
from detector.simulate.text import ROWS, SCHEMA, frames, lines_of

ROOT = Path(__file__).resolve().parents[1]
SCRATCH = ROOT / "benchmarks" / "scratch"
DISTRICT = ROOT / "examples" / "county"
EDITION = 5  # of the generator: files of another one are made anew
SEED = 20_260_105
DAYS = 240  # calendar days in which cases begin
EVENTS_A_CASE = 6.2
BROKEN_EVERY = 10_007
BROKEN = (
    b'{"event_id":"b1","case_id":"c","action":"accept","item":"permit"',
    b'{"event_id":"b2","case_id":"c","action":"approve","item":"permit","department":"D01",'
    b'"occurred_at":"2026-03-02T09:00:00+08:00","recorded_at":"2026-03-02T09:00:00+08:00"}',
    b'{"event_id":"b3","case_id":"c","action":"pay","item":"permit","department":"D01",'
    b'"occurred_at":"2026-03-02T09:00:00+08:00","recorded_at":"2026-03-02T09:00:00+08:00",'
    b'"fee_due":"300.001"}',
    b'{"event_id":"b4","case_id":"c","action":"accept","item":"permit","department":"D01",'
    b'"occurred_at":"2026-02-30T09:00:00+08:00","recorded_at":"2026-03-02T09:00:00+08:00"}',
    b'{"event_id":"b5","case_id":"\xff","action":"accept"}',
)  # cut short, unknown action, three decimals, a day that is none, no UTF-8


def made(events: int, days: int = DAYS, seed: int = SEED) -> County:
    """The first so many events of a county that has a few more."""
    cases = int(events / EVENTS_A_CASE * 1.1) + 50
    county = simulate(cases, seed, days, load_district(DISTRICT))
    if len(county.stream) < events:
        raise RuntimeError(f"{cases} cases have {len(county.stream)} events, not {events}")
    stream = county.stream.take(slice(0, events))
    stream.of = np.minimum(stream.of, events - 1)
    return replace(county, stream=stream)


def parquet_file(events: int, days: int = DAYS) -> Path:
    """The stream as Parquet (zstd, row groups of 131,072), made on first asking."""
    return _files(events, days, SEED)[0]


def ndjson_file(events: int, days: int = DAYS) -> Path:
    """The stream as NDJSON with its broken lines, made on first asking."""
    return _files(events, days, SEED)[1]


def _files(events: int, days: int, seed: int) -> tuple[Path, Path]:
    name = f"county-{EDITION}-{events}-{days}-{seed}"
    parquet, ndjson = (SCRATCH / f"{name}.{suffix}" for suffix in ("parquet", "ndjson"))
    if not (parquet.exists() and ndjson.exists()):
        SCRATCH.mkdir(parents=True, exist_ok=True)
        county = made(events, days, seed)
        halves = [path.with_name(path.name + ".half") for path in (parquet, ndjson)]
        write_parquet(county, halves[0])
        write_ndjson(county, halves[1])
        for half, path in zip(halves, (parquet, ndjson), strict=True):
            half.replace(path)
    return parquet, ndjson


def write_parquet(county: County, path: Path) -> None:
    """Stream the columns into a Parquet file."""

    def source(*_: object) -> Iterator[pl.DataFrame]:
        yield from frames(county)

    lazy = register_io_source(source, schema=SCHEMA)
    lazy.sink_parquet(path, compression="zstd", row_group_size=ROWS, engine="streaming")


def write_ndjson(county: County, path: Path) -> None:
    """One object a line, absent keys left out, a broken line after every `BROKEN_EVERY`."""
    written = 0
    with path.open("wb") as out:
        for frame in frames(county):
            lines = lines_of(frame)
            begin, first = 0, BROKEN_EVERY - written % BROKEN_EVERY
            for cut in range(first, len(lines) + 1, BROKEN_EVERY):
                out.write(_joined(lines[begin:cut]))
                out.write(BROKEN[(written + cut) // BROKEN_EVERY % len(BROKEN)] + b"\n")
                begin = cut
            out.write(_joined(lines[begin:]))
            written += len(lines)


def _joined(lines: pl.Series) -> bytes:
    return b"" if not len(lines) else (lines.str.join("\n").item() + "\n").encode()
