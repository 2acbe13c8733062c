"""The county's events and truth as lines of NDJSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from detector.event import ACTION, ACTIONS
from detector.simulate.county import County
from detector.simulate.deeds import is_one
from detector.simulate.plan import GRANTED_DAYS, NOBODY
from detector.simulate.reports import Reports
from detector.simulate.rows import Truth
from detector.simulate.sources import NAMED, OWN, subjects, subjects_of
from detector.simulate.stream import US
from detector.simulate.suspensions import PROCEDURES, procedures_of
from detector.simulate.wording import REASONS, RESULTS

SUBJECTS = {  # of rules about others than the case
    "batch_entry": "operator", "silent_source": "source", "one_stamp_source": "source",
}  # fmt: skip
FORMER = "2019"  # of a catalogue that was replaced since
ROWS = 131_072  # spelled at a time
_S, _I, _L = pl.String, pl.Int64, pl.List(pl.String)
SCHEMA: dict[str, Any] = {
    "event_id": _S, "case_id": _S, "action": _S, "item": _S, "department": _S, "district": _S,
    "step": _S, "operator": _S, "occurred_at": _S, "recorded_at": _S, "received_at": _S,
    "result": _S, "reason": _S, "procedure": _S, "days_granted": _I, "fee_due": _S, "fee_paid": _S,
    "relief_reason": _S, "fine": _S, "grade": _S, "factors": _L, "party_kind": _S,
    "offence_at": _S, "documents": _L, "fields": _L, "channel": _S, "source": _S,
    "imported": pl.Boolean, "supersedes": _S,
}  # fmt: skip


def blocks(county: County) -> Iterator[bytes]:
    """The lines in order of arrival, each with its newline, some at a time."""
    for frame in frames(county):
        yield (lines_of(frame).str.join("\n").item() + "\n").encode()


def lines(county: County) -> list[bytes]:
    """All lines, without newlines."""
    return [line for block in blocks(county) for line in block.splitlines()]


def frames(county: County) -> Iterator[pl.DataFrame]:
    """The stream as texts, some rows at a time."""
    for begin in range(0, len(county.stream), ROWS):
        yield _frame(county, begin, min(begin + ROWS, len(county.stream)))


def lines_of(frame: pl.DataFrame) -> pl.Series:
    """Rows as lines: keys in order, those without a value left out."""
    pieces: list[pl.Expr] = []
    for name, kind in SCHEMA.items():
        lead, column = "{" if name == "event_id" else ",", pl.col(name)
        if kind == _L:
            begin, value, end = '["', column.list.join('","'), '"]'
        elif kind == _S:
            begin, value, end = '"', column, '"'
        else:
            begin, value, end = "", column.cast(_S), ""
        told = pl.concat_str(pl.lit(f'{lead}"{name}":{begin}'), value, pl.lit(end))
        pieces.append(told.fill_null(""))
    return frame.select(pl.concat_str([*pieces, pl.lit("}")])).to_series()


def _frame(county: County, begin: int, end: int) -> pl.DataFrame:
    plan, s, rows = county.plan, county.stream.take(slice(begin, end)), np.arange(begin, end)
    chance = (s.case.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    action, step = plan.action[s.item, s.slot], plan.step[s.item, s.slot]
    unlisted = is_one(county.cases.deed[s.case], "unlisted")
    codes, many = [*plan.codes, *(f"{code}_{FORMER}" for code in plan.codes)], len(plan.codes)
    ruled, rulings = s.ruling >= 0, county.rulings.told
    pauses = np.isin(action, [ACTION["suspend"], ACTION["resume"]])
    suspends = action == ACTION["suspend"]
    procedure = procedures_of(plan, s, county.cases.deed[s.case])
    same = s.version == 1  # the same line once more
    named = np.where(same, s.of, rows)
    corrects = s.version == 2
    frame = pl.DataFrame(
        {
            "row": named, "of": np.where(corrects, s.of, 0), "case": s.case,
            "day": county.stream.recorded[named],
            "of_day": county.stream.recorded[np.where(corrects, s.of, 0)],
            "occurred": s.occurred, "recorded": s.recorded, "received": s.received,
            "action": _words(ACTIONS, action), "item": _words(codes, s.item + unlisted * many),
            "department": _words(plan.departments, plan.department[s.item]),
            "step": _words(plan.steps, step, step > 0),
            "operator": _words(plan.people, s.operator, s.operator != NOBODY),
            "result": _words(RESULTS, s.result, s.result >= 0),
            "reason": _words(REASONS, s.reason, s.reason >= 0),
            "procedure": _words(PROCEDURES, procedure, pauses),
            "days_granted": _given(np.full(len(s), GRANTED_DAYS), suspends),
            "fee_due": _given(s.due, s.due >= 0), "fee_paid": _given(s.paid, s.paid >= 0),
            "relief_reason": _words(["低保对象免收"], rows * 0, s.relief),
            "fine": _given(s.fine, s.fine >= 0),
            "grade": _words([x.grade for x in rulings], s.ruling, ruled),
            "party_kind": _words([x.party_kind for x in rulings], s.ruling, ruled),
            "factors": _lists([x.factors for x in rulings], s.ruling, ruled),
            "offence": s.offence,
            "documents": _lists(plan.flow.papers.lists, s.papers, s.papers > 0),
            "fields": _lists(plan.flow.forms.lists, s.forms, s.forms > 0),
            "channel": _words(["1", "2", "3", "1"], chance % 4),
            "source": _words(NAMED, s.source, s.source != OWN),
            "imported": _given(s.imported, s.imported), "corrects": corrects,
        }
    )  # fmt: skip
    stamp = "%Y-%m-%dT%H:%M:%S+08:00"
    return frame.with_columns(
        event_id=event_id("day", "row"),
        case_id=pl.lit(f"{plan.district.code}26") + pl.col("case").cast(_S).str.zfill(9),
        district=pl.lit(plan.district.code),
        supersedes=pl.when("corrects").then(event_id("of_day", "of")),
        **{f"{n}_at": wall(n, stamp) for n in ("occurred", "recorded", "received")},
        offence_at=pl.when(pl.col("offence") >= 0).then(wall("offence", stamp)),
        **{name: _yuan(name) for name in ("fee_due", "fee_paid", "fine")},
    ).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def truth_lines(county: County, reports: Reports | None = None) -> bytes:
    """The truth: {rule, subject_kind, subject, event_id | at, tier}, in order; with what is true
    of the facts where they are reported, too."""
    parts = _truth_of(county, county.truth)
    if reports is not None:
        parts += _truth_of(county, reports.rows)
    told = b""
    if parts:  # a small county may be honest
        whole = pl.concat(parts).sort("order", "line")
        told = (whole["line"].str.join("\n").item() + "\n").encode()
    return told if reports is None else told + reports.truth()


def _truth_of(county: County, told: Truth) -> list[pl.DataFrame]:
    s, parts = county.stream, []
    for rule, rows, at, tier in zip(told.rules, told.rows, told.instants, told.tiers, strict=True):
        kind = SUBJECTS.get(rule, "case")
        frame = pl.DataFrame({"row": rows, "day": s.recorded[rows], "case": s.case[rows]})
        who = _subject(county, kind, rows)
        frame = frame.with_columns(subject=who, at=pl.Series(at // US, dtype=_I))
        named = pl.concat_str(pl.lit('"event_id":"'), event_id("day", "row"), pl.lit('"'))
        timed = pl.concat_str(pl.lit('"at":"'), wall("at", "%Y-%m-%dT%H:%M:%S+08:00"), pl.lit('"'))
        parts.append(
            frame.select(
                order=pl.lit(rule) + pl.col("row").cast(_S).str.zfill(12),
                line=pl.concat_str(
                    pl.lit(f'{{"rule":"{rule}","subject_kind":"{kind}","subject":"'),
                    pl.col("subject"), pl.lit('",'),
                    pl.when(pl.col("at") >= 0).then(timed).otherwise(named),
                    pl.lit(f',"tier":{tier}}}'),
                ),
            )
        )  # fmt: skip
    return parts


def _subject(county: County, kind: str, rows: np.ndarray) -> pl.Expr | pl.Series:
    """Whom the truth about these rows names."""
    plan, s = county.plan, county.stream
    if kind == "operator":
        return _words(plan.people, s.operator[rows])
    if kind == "source":
        return _words(subjects(plan), subjects_of(plan, s, rows))
    return pl.lit(f"{plan.district.code}26") + pl.col("case").cast(_S).str.zfill(9)


def event_id(day: str, row: str) -> pl.Expr:
    """The id of the event that stands in a row: its day, and the row's number."""
    return wall(day, "%Y%m%d") + pl.col(row).cast(_S).str.zfill(9)


def wall(name: str, form: str) -> pl.Expr:
    """Seconds UTC on the county's wall clock, eight hours ahead, as text."""
    local = (pl.col(name) + 8 * 3_600) * 1_000
    return local.cast(pl.Datetime("ms")).dt.strftime(form)


def _lists(lists: Sequence[tuple[str, ...]], at: np.ndarray, given: np.ndarray) -> pl.Series:
    """The lists at these places; null where not given, or empty."""
    told = pl.Series([list(one) or None for one in lists], dtype=_L)
    return told.gather(_places(at, given))


def _words(
    words: Sequence[str | None], at: np.ndarray, given: np.ndarray | None = None
) -> pl.Series:
    """The words at these places, null where not given."""
    return pl.Series(words, dtype=pl.String).gather(_places(at, given))


def _places(at: np.ndarray, given: np.ndarray | None) -> pl.Series:
    index = pl.Series(at.astype(np.int64))
    return index if given is None else pl.select(pl.when(pl.Series(given)).then(index)).to_series()


def _given(values: np.ndarray, given: np.ndarray) -> pl.Series:
    return pl.select(pl.when(pl.Series(given)).then(pl.Series(values))).to_series()


def _yuan(name: str) -> pl.Expr:
    """Fen as the decimal text of an amount in yuan."""
    fen = pl.col(name)
    return (fen // 100).cast(pl.String) + "." + (fen % 100).cast(pl.String).str.zfill(2)
