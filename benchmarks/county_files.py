"""The generated county as files: Parquet and NDJSON of the same content, kept in `scratch/`.

Texts stand in Parquet exactly as in NDJSON, so both files must lead to one digest. The NDJSON holds
on top, once in `BROKEN_EVERY` lines, a line that must be refused and cost its neighbours nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from polars.io.plugins import register_io_source

from benchmarks.county import DAYS, County, Stream, generate
from benchmarks.county_plan import FAULT, GRANTED_DAYS, NOBODY
from detector.district import load_district
from detector.event import ACTION, ACTIONS

ROOT = Path(__file__).resolve().parents[1]
SCRATCH = ROOT / "benchmarks" / "scratch"
DISTRICT = ROOT / "examples" / "county"
EDITION = 1  # of the generator: files of another one are made anew
SEED = 20_260_105
ROW_GROUP = 131_072
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
SCHEMA = {
    "event_id": pl.String, "case_id": pl.String, "action": pl.String, "item": pl.String,
    "department": pl.String, "district": pl.String, "step": pl.String, "operator": pl.String,
    "occurred_at": pl.String, "recorded_at": pl.String, "result": pl.String, "reason": pl.String,
    "procedure": pl.String, "days_granted": pl.Int64, "fee_due": pl.String,
    "fee_paid": pl.String, "relief_reason": pl.String, "channel": pl.String,
    "imported": pl.Boolean,
}  # fmt: skip
RESULTS = ("granted", "refused", "not_accepted", "withdrawn")
REASONS = (
    "申请材料齐全，符合法定条件，准予许可",
    "经审查符合法定形式，同意办理",
    "现场核查合格，同意发证",
    "材料真实有效，符合规定，予以确认",
    "符合条件，按程序办结",
    "经集体讨论，同意审核意见",
    "不符合法定条件，不予许可",
    "主要材料缺失，不予受理",
    "申请人主动撤回，终止办理",
)


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
        county = generate(events, seed, load_district(DISTRICT), days)
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
    lazy.sink_parquet(path, compression="zstd", row_group_size=ROW_GROUP, engine="streaming")


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


def lines_of(frame: pl.DataFrame) -> pl.Series:
    """The rows as lines of NDJSON."""
    return frame.select(pl.concat_str(_keys())).to_series()


def _joined(lines: pl.Series) -> bytes:
    return b"" if not len(lines) else (lines.str.join("\n").item() + "\n").encode()


def _keys() -> list[pl.Expr]:
    """Pieces of a line: required keys, then each optional key or nothing, in order."""
    pieces: list[pl.Expr] = []
    for name, kind in SCHEMA.items():
        lead = "{" if name == "event_id" else ","
        text = kind == pl.String
        head, tail = f'{lead}"{name}":' + ('"' if text else ""), '"' if text else ""
        value = pl.col(name) if text else pl.col(name).cast(pl.String)
        piece = pl.concat_str(pl.lit(head), value, pl.lit(tail))
        pieces.append(piece.fill_null(""))
    return [*pieces, pl.lit("}")]


def frames(county: County) -> Iterator[pl.DataFrame]:
    """The stream as texts, a row group at a time."""
    for begin in range(0, len(county.stream), ROW_GROUP):
        yield _frame(county, county.stream.take(slice(begin, begin + ROW_GROUP)), begin)


def _frame(county: County, s: Stream, begin: int) -> pl.DataFrame:
    plan, rows = county.plan, np.arange(len(s))
    rng = np.random.default_rng([county.seed, 1 << 21, begin])
    case_rng = (s.case.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    action = plan.action[s.item, s.slot]
    step = plan.step[s.item, s.slot]
    fault = county.cases.fault[s.case]
    ends = np.isin(action, [ACTION["decide"], ACTION["close"]])
    outcome = np.where(case_rng % 100 < 92, 0, case_rng % 3 + 1).astype(np.int64)
    reason = np.where(outcome == 0, rng.integers(0, 6, len(s)), 5 + outcome)
    pauses = np.isin(action, [ACTION["suspend"], ACTION["resume"]])
    pays, suspends = action == ACTION["pay"], action == ACTION["suspend"]
    due = plan.fee_fen[s.item]
    wrong = (fault == FAULT["wrong_fee"]) & pays
    relief = pays & (case_rng % 100 == 50)
    paid = np.where(wrong, due + np.where(rows % 3 == 0, 5_000, -2_050), np.where(relief, 0, due))
    imported = np.array([i.type == "07" for i in plan.items])[s.item] & (case_rng % 33 == 7)
    frame = pl.DataFrame(
        {
            "serial": begin + rows, "case": s.case,
            "occurred_at": s.occurred_s, "recorded_at": s.recorded_s,
            "action": _words(ACTIONS, action),
            "item": _words([i.code for i in plan.items], s.item),
            "department": _words(plan.departments, plan.department[s.item]),
            "step": _words(plan.steps, step, step > 0),
            "operator": _words(plan.people, s.operator, s.operator != NOBODY),
            "result": _words(RESULTS, outcome, ends), "reason": _words(REASONS, reason, ends),
            "procedure": _words(["expert_review", "hearing"], case_rng % 2, pauses),
            "days_granted": _given(np.full(len(s), GRANTED_DAYS), suspends),
            "fee_due": _given(due, pays), "fee_paid": _given(paid, pays),
            "relief_reason": _words(["低保对象免收"], rows * 0, relief),
            "channel": _words(["1", "2", "3", "1"], case_rng % 4),
            "imported": _given(imported, imported),
        }
    )  # fmt: skip
    stamp = "%Y-%m-%dT%H:%M:%S+08:00"
    return frame.with_columns(
        event_id=_wall("recorded_at", "%Y%m%d") + pl.col("serial").cast(pl.String).str.zfill(9),
        case_id=pl.lit(f"{plan.district.code}26") + pl.col("case").cast(pl.String).str.zfill(9),
        district=pl.lit(plan.district.code),
        **{name: _wall(name, stamp) for name in ("occurred_at", "recorded_at")},
        **{name: _yuan(name) for name in ("fee_due", "fee_paid")},
    ).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def _words(words: Sequence[str], at: np.ndarray, given: np.ndarray | None = None) -> pl.Series:
    """The words at these places, null where not given."""
    index = pl.Series(at.astype(np.int64))
    if given is not None:
        index = pl.select(pl.when(pl.Series(given)).then(index)).to_series()
    return pl.Series(words, dtype=pl.String).gather(index)


def _given(values: np.ndarray, given: np.ndarray) -> pl.Series:
    return pl.select(pl.when(pl.Series(given)).then(pl.Series(values))).to_series()


def _wall(name: str, form: str) -> pl.Expr:
    """Seconds UTC on the county's wall clock, eight hours ahead, as text."""
    local = (pl.col(name) + 8 * 3_600) * 1_000
    return local.cast(pl.Datetime("ms")).dt.strftime(form)


def _yuan(name: str) -> pl.Expr:
    """Fen as the decimal text of an amount in yuan."""
    fen = pl.col(name)
    return (fen // 100).cast(pl.String) + "." + (fen % 100).cast(pl.String).str.zfill(2)
