"""Files of every format in, columns and refusals out, however they are cut and shared."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from lines import ODD_CODES, ODD_DAYS, ODD_MONEY, ODD_STAMPS, STAMPS, random_line

from detector.columns import ARRAYS, Inputs, Words
from detector.decode import Decoded, Decoder
from detector.event import LINE_BYTES_MAX, Fact, Reading
from detector.values import ABSENT, iso_time
from detector.workcalendar import Zone
from replay.mapping import Mapping, load_mapping, read_mapping
from replay.readers import ReplayError, lookups, read
from replay.readers.columnar import Columns
from replay.readers.csv import open_csv
from replay.readers.ndjson import open_ndjson
from replay.readers.parquet import open_parquet
from replay.readers.streams import Source, blocks
from replay.readers.xes import open_xes

RECEIPT = Path(__file__).parents[1] / "examples" / "receipt"
OPEN: dict[str, Any] = {
    ".ndjson": open_ndjson, ".csv": open_csv, ".xes": open_xes, ".parquet": open_parquet,
}  # fmt: skip
SIZES = {".ndjson": 97, ".csv": 97, ".xes": 61, ".parquet": 7}  # of blocks, pieces, slices
CODED = {
    "case": "case", "item": "item", "department": "department", "step": "step",
    "operator": "operator", "procedure": "other", "source": "other", "channel": "other",
    "told": "told",
}  # fmt: skip
SEEDS = st.integers(0, 2**64 - 1)


@dataclass
class Told:
    """All that a reading gave: rows spelled out and sorted by position, refusals, facts."""

    rows: list[dict[str, Any]]
    refusals: list[tuple[str, int, str, str, str]]
    facts: list[Fact]
    dropped: int

    @property
    def lines(self) -> list[int]:
        return [row["position"] // 16 for row in self.rows]

    @property
    def errors(self) -> list[tuple[int, str, str]]:
        return [(line, field, error) for _, line, field, error, _ in self.refusals]

    def of(self, *names: str) -> list[tuple[Any, ...]]:
        return [tuple(row[name] for name in names) for row in self.rows]


def spelled(inputs: Inputs) -> list[dict[str, Any]]:
    columns = {name: getattr(inputs, name).tolist() for name in ARRAYS}
    for name, vocabulary in CODED.items():
        columns[name] = getattr(inputs.words, vocabulary).texts(getattr(inputs, name))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def told(chunks: Iterator[Decoded]) -> Told:
    parts = list(chunks)
    rows = [row for part in parts for row in spelled(part.inputs)]
    refusals = [(r.file, r.line, r.field, r.error, r.text) for part in parts for r in part.refusals]
    facts = sorted((f for part in parts for f in part.inputs.facts), key=repr)
    dropped = sum(part.dropped for part in parts)
    return Told(sorted(rows, key=lambda r: r["position"]), sorted(refusals), facts, dropped)


def decoder(
    mapping: Mapping | None = None, drop: tuple[str, ...] = (), zone: str = "Asia/Shanghai"
):
    unknown = mapping.unknown if mapping else frozenset[str]()
    return Decoder(Words(), Reading(Zone(zone)), drop=drop, unknown=unknown)


def reading(
    path: Path, mapping: Mapping | None = None, share: tuple[int, int] = (0, 1),
    size: int | None = None, drop: tuple[str, ...] = (), zone: str = "Asia/Shanghai",
) -> Told:  # fmt: skip
    reader = decoder(mapping, drop, zone)
    if size is None:
        return told(read(path, reader, mapping, share))
    reader.file = str(path)
    return told(OPEN[Source(path).format](Source(path), reader, mapping, share, size))


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that hypothesis may write to again and again."""
    return tmp_path_factory.mktemp("logs")


# --- real logs ------------------------------------------------------------------------------------

ONE_STAMP = """
[columns]
case_id = "case:concept:name"
step = "concept:name"
operator = "org:resource"
recorded_at = "time:timestamp"
[constants]
item = "x"
department = "x"
"""


def mapped(text: str) -> Mapping:
    return read_mapping("mapping.toml", text.encode())


def counts(path: Path, zone: str) -> tuple[int, int, int]:
    reader = decoder(mapping := mapped(ONE_STAMP), zone=zone)
    parts = list(read(path, reader, mapping))
    rows, refused = sum(len(p.inputs) for p in parts), sum(len(p.refusals) for p in parts)
    return rows, len(reader.words.case), refused


def test_the_receipt_log_and_its_flat_twin_are_one(shared_data: Path) -> None:
    mapping = load_mapping(RECEIPT / "mapping.toml")
    tree = reading(shared_data / "Receipt.xes.gz", mapping, zone="Europe/Amsterdam")
    flat = reading(shared_data / "receipt.csv.gz", mapping, zone="Europe/Amsterdam")
    assert len(tree.rows) == 8577 and not tree.refusals and not flat.refusals
    assert len({row["case"] for row in tree.rows}) == 1434
    for one in (*tree.rows, *flat.rows):
        del one["position"]
    assert tree.rows == flat.rows


def test_bpic15_is_read_whole(shared_data: Path) -> None:
    path = shared_data / "BPIC15_1.xes.gz"  # begins with a byte-order mark
    assert counts(path, "Europe/Amsterdam") == (52_217, 1_199, 0)


@pytest.mark.slow
def test_the_fines_are_read_whole(shared_data: Path) -> None:
    path = shared_data / "Road_Traffic_Fine_Management_Process.xes.gz"
    assert counts(path, "Europe/Rome") == (561_470, 150_370, 0)


def test_the_sample_has_the_columns_of_the_flat_log(shared_data: Path) -> None:
    with gzip.open(shared_data / "receipt.csv.gz", "rt") as real:
        header = real.readline()
    sample = (RECEIPT / "sample.csv").read_text("utf-8")
    assert sample.splitlines(keepends=True)[0] == header
    read_back = reading(RECEIPT / "sample.csv", load_mapping(RECEIPT / "mapping.toml"))
    assert len(read_back.rows) == 130 and not read_back.refusals


# --- bad input ------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "event_id": "e1", "case_id": "c1", "action": "step", "item": "permit", "department": "D1",
    "step": "survey", "occurred_at": "2026-03-02T09:00:00+08:00",
    "recorded_at": "2026-03-02T09:00:00+08:00",
}  # fmt: skip
LATE = "2026-03-02T09:00:00+08:00"
BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"case_id": None}, "case_id", "is missing"),
    ({"case_id": "a\x01b"}, "case_id", "odd characters"),
    ({"action": "fly"}, "action", "is unknown"),
    ({"kind": "party"}, "kind", "is unknown"),
    ({"recorded_at": None}, "recorded_at", "is missing"),
    ({"recorded_at": "yesterday"}, "recorded_at", "is not a time"),
    ({"recorded_at": "2026-02-30T00:00:00Z"}, "recorded_at", "the calendar does not have"),
    ({"recorded_at": "1989-01-01T00:00:00Z"}, "recorded_at", "before 1990 or after 2100"),
    ({"occurred_at": "2028-03-02T09:00:00+08:00"}, "occurred_at", "clock_jump"),
    ({"received_at": LATE, "recorded_at": "2028-03-02T09:00:00Z"}, "recorded_at", "clock_jump"),
    ({"fee_paid": "-3"}, "fee_paid", "is negative"),
    ({"fee_paid": "3.005"}, "fee_paid", "more than two decimals"),
    ({"fee_paid": "much"}, "fee_paid", "is not an amount"),
    ({"days_granted": "3661"}, "days_granted", "must be a whole number"),
    ({"imported": "perhaps"}, "imported", "must be true or false"),
    ({"procedure": "party"}, "procedure", "is unknown"),
]
BAD_TYPES: list[tuple[dict[str, Any], str, str]] = [
    ({"case_id": ["c1"]}, "case_id", "must be text"),
    ({"recorded_at": 20260302}, "recorded_at", "must be a text with a time"),
    ({"fee_paid": True}, "fee_paid", "is not an amount"),
    ({"documents": [1]}, "documents", "must be a list of texts"),
]
BAD_BYTES: list[tuple[bytes, str]] = [
    (b'{"case_id": ', "is not JSON"),
    (b"[1]", "is not a JSON object"),
    (b'{"reason": "\xff"}', "is not valid UTF-8"),
    (b'{"reason": "' + b"x" * LINE_BYTES_MAX + b'"}', "is longer than 65536 bytes"),
    (b"[" * 5_000, "is nested too deep"),
]


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def around(bad: dict[str, Any]) -> list[dict[str, Any]]:
    return [GOOD, {**GOOD, "event_id": "e2", **bad}, {**GOOD, "event_id": "e3"}]


def check_refused(found: Told, path: Path, line: int, field: str, error: str) -> None:
    assert len(found.refusals) == 1, found.refusals
    assert found.refusals[0][:3] == (str(path), line, field)
    assert error in found.refusals[0][3]
    assert [row["event_id"] for row in found.rows] == [b"e1", b"e3"]


@pytest.mark.parametrize(("bad", "field", "error"), BAD + BAD_TYPES)
def test_ndjson_refuses_the_line(tmp_path: Path, bad: Any, field: str, error: str) -> None:
    lines = "\n".join(map(json.dumps, around(bad)))
    path = put(tmp_path, "x.ndjson", lines.encode())
    check_refused(reading(path), path, 2, field, error)


@pytest.mark.parametrize(("bad", "error"), BAD_BYTES)
def test_ndjson_refuses_what_is_no_line(tmp_path: Path, bad: bytes, error: str) -> None:
    good = [json.dumps({**GOOD, "event_id": e}).encode() for e in ("e1", "e3")]
    path = put(tmp_path, "x.ndjson", b"\n".join([good[0], bad, good[1]]))
    for size in (None, 50, 4_000, 70_000):
        check_refused(reading(path, size=size), path, 2, "line", error)


@pytest.mark.parametrize(("bad", "field", "error"), BAD)
def test_csv_refuses_the_line(tmp_path: Path, bad: Any, field: str, error: str) -> None:
    path = put(tmp_path, "x.csv", as_csv(around(bad)))
    check_refused(reading(path), path, 3, field, error)


@pytest.mark.parametrize(("bad", "field", "error"), BAD + BAD_TYPES)
def test_parquet_refuses_the_row(tmp_path: Path, bad: Any, field: str, error: str) -> None:
    rows = around(bad)
    if not all(isinstance(value, str | None) for value in bad.values()):  # a column has one type
        rows = [{**row, **{n: None for n in bad if n not in GOOD}, **bad} for row in rows]
        path = put(tmp_path, "x.parquet", b"")
        pl.DataFrame(rows).write_parquet(path)
        found = reading(path)
        assert [(line, name) for line, name, _ in found.errors] == [(n, field) for n in (1, 2, 3)]
        assert error in found.errors[0][2] and not found.rows
        return
    path = put(tmp_path, "x.parquet", b"")
    pl.DataFrame(rows).write_parquet(path)
    check_refused(reading(path), path, 2, field, error)


CSV_BAD = [
    (b"c1,step,permit,D1", "has 4 cells, not 6"),
    (b"c1,step,permit,D1,%s,%s,", "has 7 cells, not 6"),
    (b'c1,step,"permit,D1,%s,%s', "has a quote that does not close"),
    (b'c1,step,"per"mit,D1,%s,%s', "is not CSV"),
    (b"c1,step,per\rmit,D1,%s,%s", "is not CSV"),
    (b"c1,step,per\0mit,D1,%s,%s", "holds a NUL"),
    (b"c1,step,per\xffmit,D1,%s,%s", "is not valid UTF-8"),
    (b"c1,step,%s,D1,%%s,%%s" % (b"x" * LINE_BYTES_MAX), "is longer than 65536 bytes"),
    (b'c1,step,"%s,D1,%%s,%%s' % (b"x" * LINE_BYTES_MAX), "is longer than 65536 bytes"),
]


@pytest.mark.parametrize(("bad", "error"), CSV_BAD)
@pytest.mark.parametrize("size", [None, 60, 4_000])
def test_csv_refuses_what_is_no_record(tmp_path, bad: bytes, error: str, size: int | None) -> None:
    stamp = LATE.encode()
    good = b'c%%d,step,"per, ""mit""",D1,%s,%s\n' % (stamp, stamp)
    header = b"case_id,action,item,department,occurred_at,recorded_at\n"
    line = bad.replace(b"%s", stamp) + b"\n"
    path = put(tmp_path, "x.csv", header + good % 1 + line + good % 3 + b"\n" + good % 5)
    found = reading(path, size=size)
    assert found.of("case", "item") == [(f"c{n}", 'per, "mit"') for n in (1, 3, 5)]
    assert found.lines == [2, 4, 6]
    assert [(n, field) for n, field, _ in found.errors] == [(3, "line")]
    assert error in found.errors[0][2]


def test_a_csv_cell_may_hold_line_ends(tmp_path: Path) -> None:
    rows = [{**GOOD, "reason": "one\r\ntwo\n\nthree, four"}, {**GOOD, "event_id": "e2"}]
    data = b"\xef\xbb\xbf" + as_csv(rows).replace(b"e2", b'"e2"').replace(b"e1", b'"e1"')
    whole = reading(put(tmp_path, "x.csv", data))
    assert whole.lines == [2, 6] and not whole.refusals
    single = reading(put(tmp_path, "y.ndjson", "\n".join(map(json.dumps, rows)).encode()))
    assert whole.of("content") == single.of("content")
    for size in range(20, 200, 7):
        assert reading(tmp_path / "x.csv", size=size).rows == whole.rows


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "has no header"),
        (b"\n\n", "has no header"),
        (b",,\n", "has no header"),
        (b"a,b,a,b,\n", "its header names a, b more than once"),
        (b"a\xff\nc1,step\n", "its header is not valid UTF-8"),
        (b'a,"b\n', "its header has a quote that does not close"),
        (b"case_id,action\n", 'has no column "item"'),
    ],
)
def test_a_header_that_cannot_be_used(tmp_path: Path, data: bytes, error: str) -> None:
    path = put(tmp_path, "x.csv", data)
    with pytest.raises(ReplayError) as caught:
        read(path, decoder())
    assert str(caught.value).startswith(f"{path}: ")
    assert error in str(caught.value)


def test_a_missing_column_is_named_with_what_is_near(tmp_path: Path) -> None:
    text = ONE_STAMP + '[[emit]]\nwhen = "case:closd"\n[emit.columns]\nrecorded_at = "case:closd"\n'
    mapping = mapped(text + '[emit.constants]\naction = "close"\n')
    row = {"case:concept:name": "c", "concept:name": "a", "org:resource": "p"}
    row |= {"time:timestamp": LATE, "case:closed": LATE}
    for name in ("x.csv", "x.ndjson", "x.parquet", "x.xes"):
        path = tmp_path / name
        write(path, [row], "case:concept:name")
        with pytest.raises(ReplayError) as caught:
            read(path, decoder(mapping), mapping)
        assert str(caught.value) == (
            f'{path}: has no column "case:closd", which mapping.toml: emit[0].columns.recorded_at'
            f" names; near it: case:closed{str(caught.value).partition('case:closed')[2]}"
        )


def test_what_no_reading_can_mend(tmp_path: Path) -> None:
    for name in ("x.txt", "x.gz", "x", "x.csv.zip"):
        with pytest.raises(ReplayError, match="its format is not known: use"):
            read(put(tmp_path, name, b""), decoder())
    for name in ("x.ndjson", "x.csv", "x.parquet", "x.csv.gz"):
        with pytest.raises(ReplayError, match="cannot be read: No such file"):
            read(tmp_path / "nowhere" / name, decoder())
    with pytest.raises(ReplayError, match="an XES log needs a mapping"):
        read(put(tmp_path, "x.xes", b"<log/>"), decoder())


# --- XES ------------------------------------------------------------------------------------------


def as_xes(rows: list[dict[str, Any]], case: str = "case:concept:name", gap: str = "\n") -> str:
    """Rows as traces; a trace's attributes come after its events in every second one."""
    out, open_case, number = ["<?xml version='1.0' encoding='UTF-8' ?>", "<log>"], None, 0
    attributes: list[str] = []
    for row in [*rows, {case: None}]:
        if row[case] != open_case:
            if open_case is not None:
                out += [*attributes, "</trace>"]
            open_case, number = row[case], number + 1
            tags = [(n[5:], v) for n, v in row.items() if n.startswith("case:") and v is not None]
            attributes = [tag(name, value) for name, value in tags]
            if open_case is not None:
                out += ["<trace>", *(attributes if number % 2 else [])]
                attributes = [] if number % 2 else attributes
        tags = [(n, v) for n, v in row.items() if not n.startswith("case:") and v is not None]
        if tags:
            out += ["<event>", *(tag(name, value) for name, value in tags), "</event>"]
    return gap.join([*out, "</log>", ""])


def tag(name: str, value: Any) -> str:
    kind = "float" if isinstance(value, float) else "string"
    inner = '<string key="org:resource" value="x"><date key="time:timestamp" value="x"/></string>'
    return f"<{kind} key={quoteattr(name)} value={quoteattr(str(value))}>{inner}</{kind}>"


XES_ROWS = [
    {"case:concept:name": f"c{n // 3}", "concept:name": f"a{n}", "org:resource": f"p{n % 2}",
     "time:timestamp": f"2026-03-02T09:{n:02d}:00+08:00"}
    for n in range(20)
]  # fmt: skip


def test_xes_lists_and_nested_attributes_do_no_harm(tmp_path: Path) -> None:
    text = as_xes(XES_ROWS)
    lists = '<list key="concept:name"><values><string key="concept:name" value="no"/></values>'
    lists += '</list><container key="time:timestamp"><event/><trace/></container><event/>'
    harmed = text.replace("</event>", f"{lists}</event>").replace("<log>", f"<log>{lists[:-8]}")
    found = reading(put(tmp_path, "x.xes", harmed.encode()), mapped(ONE_STAMP))
    assert not found.refusals
    assert found.of("case", "step", "operator") == [
        (r["case:concept:name"], r["concept:name"], r["org:resource"]) for r in XES_ROWS
    ]
    lines = [n for n, line in enumerate(harmed.split("\n"), 1) if line == "<event>"]
    assert found.lines == lines


def test_xes_events_without_time_are_refused_where_they_stand(tmp_path: Path) -> None:
    rows = [dict(row) for row in XES_ROWS]
    del rows[4]["time:timestamp"]
    path = put(tmp_path, "x.xes", as_xes(rows).encode())
    found, lines = reading(path, mapped(ONE_STAMP)), path.read_text().split("\n")
    events = [n for n, line in enumerate(lines, 1) if line == "<event>"]
    assert found.errors == [(events[4], "occurred_at", "is missing")]
    assert found.refusals[0][0] == str(path) and len(found.rows) == len(rows) - 1
    for row in rows:
        row.pop("time:timestamp", None)
    text = as_xes(rows)
    none = reading(put(tmp_path, "y.xes", text.encode()), mapped(ONE_STAMP))
    events = [n for n, line in enumerate(text.split("\n"), 1) if line == "<event>"]
    assert none.errors == [(line, "occurred_at", "is missing") for line in events]


def test_xes_on_one_line_keeps_its_order(tmp_path: Path) -> None:
    path = put(tmp_path, "x.xes", as_xes(XES_ROWS, gap=" ").encode())
    found = reading(path, mapped(ONE_STAMP))
    assert found.of("step") == [(row["concept:name"],) for row in XES_ROWS]
    assert len(set(found.lines)) == len(XES_ROWS)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda text: text.replace('"a7"', '"a<7"'), "it is no XML here: not well-formed"),
        (lambda text: text[: text.index('"a7"')], "it is no XML here: "),
        (lambda text: text.replace('"a7"', '"a7' + "x" * (1 << 21) + '"'), "it holds a tag of"),
        (
            lambda text: text.replace("<string", "<s>" * 70 + "<string", 30).replace("a7", "x"),
            "it nests deeper than 64 levels",
        ),
        (lambda text: text.replace("UTF-8", "klingon"), "its encoding cannot be read"),
        (lambda text: text.replace("UTF-8", "gbk"), "its encoding cannot be read"),
        (lambda text: text.replace("<log>", "<logs>"), "it is no XES log"),
        (lambda text: "", "it is no XML here: no element found"),
    ],
)
def test_xes_that_breaks_keeps_what_came_before(tmp_path: Path, change: Any, error: str) -> None:
    text = change(as_xes(XES_ROWS))
    path = put(tmp_path, "x.xes", text.encode())
    for size in (None, 17, 50_000) if len(text) < 50_000 else (None,):
        found = reading(path, mapped(ONE_STAMP), size=size)
        assert len(found.refusals) == 1
        file, line, field, told_error, _ = found.refusals[0]
        assert (file, field) == (str(path), "file")
        assert told_error.startswith(f"is cut off or damaged: {error}")
        before = text.split("</event>\n")[: 7 if "a6" in text and "a5" in text else 0]
        if "no XML" in error and text:
            assert found.of("step") == [(f"a{n}",) for n in range(7)]
            assert {row["case"] for row in found.rows} == {"c0", "c1", "c2"} and before
            assert text.split("\n")[line - 1].startswith("<string") or line == text.count("\n") + 1


def test_xes_may_not_define_entities(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE log [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>'
    text = as_xes(XES_ROWS).replace("<log>", bomb + "<log>")
    with pytest.raises(ReplayError, match=r"has a document type \(DTD\)"):
        read(put(tmp_path, "x.xes", text.encode()), decoder(), mapped(ONE_STAMP))


def test_xes_numbers_as_java_writes_them(tmp_path: Path) -> None:
    rows = [{**XES_ROWS[0], "fee": fee} for fee in (35.0, 71.5, 1e7, 12345678.25, 1e300)]
    text = as_xes(rows).replace("10000000.0", "1.0E7").replace("12345678.25", "1.234567825E7")
    mapping = mapped(ONE_STAMP.replace("[constants]", 'fee_due = "fee"\n[constants]'))
    found = reading(put(tmp_path, "x.xes", text.encode()), mapping)
    assert found.of("fee_due") == [(3_500,), (7_150,), (1_000_000_000,), (1_234_567_825,)]
    assert [field for _, field, _ in found.errors] == ["fee_due"]


def test_an_xes_trace_without_events_still_gives_what_its_case_emits(tmp_path: Path) -> None:
    text = ONE_STAMP + '[[emit]]\nper = "case"\nwhen = "case:end"\n[emit.columns]\n'
    mapping = mapped(text + 'recorded_at = "case:end"\n[emit.constants]\naction = "close"\n')
    row = {"case:concept:name": "c1", "case:end": LATE}
    path = put(tmp_path, "x.xes", as_xes([row, {**row, "case:concept:name": "c2"}]).encode())
    found = reading(path, mapping)
    assert found.of("case", "step") == [("c1", "close"), ("c2", "close")]
    assert [p % 16 for (p,) in found.of("position")] == [1, 1]


def test_a_huge_trace_is_cut_and_closed_once(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("replay.readers.traces.TRACE_EVENTS_MAX", 3)
    monkeypatch.setattr("replay.readers.traces.CHUNK_ROWS", 2)
    text = ONE_STAMP + '[[emit]]\nper = "case"\n[emit.columns]\n'
    mapping = mapped(text + 'recorded_at = "case:end"\n[emit.constants]\naction = "close"\n')
    rows = [{**row, "case:concept:name": "c", "case:end": LATE} for row in XES_ROWS]
    for n in range(1, 8):
        found = reading(put(tmp_path, "x.xes", as_xes(rows[:n]).encode()), mapping)
        assert found.of("case", "step") == [("c", f"a{k}") for k in range(n)] + [("c", "close")]


# --- every format says the same -------------------------------------------------------------------

FOREIGN = """
[columns]
case_id = "case:id"
step = "act"
operator = "who"
recorded_at = "at"
due_at = "case:due"
fee_paid = "paid"
days_granted = "days"
imported = "bulk"
documents = "docs"
reason = "why"
procedure = "special"
[constants]
item = "permit"
department = "D1"
channel = "1"
[values.action]
"Opened" = "accept"
"Closed" = "close"
[values.procedure]
"Anhoerung" = "hearing"
[values.operator]
"robot" = ""
[[emit]]
per = "case"
when = "case:ended"
[emit.columns]
recorded_at = "case:ended"
operator = "who"
[emit.constants]
action = "issue"
[[emit]]
when = "paid"
[emit.columns]
recorded_at = "at"
occurred_at = "at"
fee_paid = "paid"
event_id = "act"
[emit.constants]
action = "pay"
"""


def foreign_row(rng: random.Random, case: int) -> dict[str, Any]:
    def seldom(*values: Any) -> Any:
        return rng.choice(values) if rng.random() < 0.4 else None

    return {
        "case:id": f"c{case}", "case:due": f"2026-04-0{case % 9 + 1}T00:00:00Z",
        "case:ended": None if case % 2 else "2026-03-20T00:00:00+01:00",
        "act": rng.choice(("Opened", "Closed", "survey", "")) or None,
        "who": seldom("p1", "p2", "robot", "p" * 129),
        "at": rng.choice((*STAMPS[:3], "x")),
        "paid": seldom("3", "4.50", "-1"), "days": seldom("3", "03", "5000", "x"),
        "bulk": seldom("true", "False", "1", "?"), "docs": seldom("a;b", "a", ";", "a; ;b"),
        "why": seldom("because, of \"it\"", "二\n三", "x" * 1_200),
        "special": seldom("Anhoerung", "hearing", "party"), "unused": seldom("x"),
    }  # fmt: skip


def foreign_rows(rng: random.Random, most: int = 30) -> list[dict[str, Any]]:
    """Rows of a foreign log, case by case; the last has every column, so that none is missing."""
    cases = sorted(rng.randrange(8) for _ in range(rng.randint(0, most)))
    last = dict.fromkeys(foreign_row(rng, 8), "x") | {"case:id": "c9", "at": STAMPS[0]}
    return [foreign_row(rng, case) for case in cases] + [last]


def write(path: Path, rows: list[dict[str, Any]], case: str = "case:id") -> None:
    if path.suffix == ".csv":
        path.write_bytes(as_csv(rows))
    elif path.suffix == ".ndjson":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    elif path.suffix == ".xes":
        path.write_text(as_xes(rows, case), "utf-8")
    else:
        names = dict.fromkeys(rows[0], pl.String)
        pl.DataFrame(rows, schema=names).write_parquet(path, row_group_size=11)


def without_places(found: Told) -> tuple[Any, ...]:
    rows = [{**row, "position": row["position"] % 16} for row in found.rows]
    return rows, [(field, error) for _, field, error in found.errors], found.facts, found.dropped


@settings(max_examples=60)
@given(SEEDS)
def test_a_foreign_log_means_the_same_in_every_format(place: Path, seed: int) -> None:
    rng = random.Random(seed)
    rows, mapping = foreign_rows(rng), mapped(FOREIGN)
    if any(row["case:id"] == "c0" for row in rows):
        rows = [row for row in rows if row["case:id"] != "c0"] or rows
    results = {}
    for suffix in OPEN:
        write(place / f"x{suffix}", rows)
        results[suffix] = reading(place / f"x{suffix}", mapping)
    first = without_places(results[".csv"])
    assert all(without_places(one) == first for one in results.values())
    assert results[".parquet"].lines == sorted(results[".parquet"].lines)


@pytest.mark.slow
@settings(max_examples=25)
@given(SEEDS)
def test_no_cut_and_no_sharing_changes_anything(place: Path, seed: int) -> None:
    rng = random.Random(seed)
    rows, mapping = foreign_rows(rng), mapped(FOREIGN)
    for suffix, size in SIZES.items():
        path = place / f"y{suffix}"
        write(path, rows)
        size = rng.randint(16, 16 * size) if suffix != ".parquet" else rng.randint(1, 40)
        whole, cut = reading(path, mapping), reading(path, mapping, size=size)
        assert cut == whole
        n = rng.randint(2, 4)
        parts = [reading(path, mapping, (k, n), size) for k in range(n)]
        assert sorted((r for p in parts for r in p.rows), key=lambda r: r["position"]) == whole.rows
        assert sorted(r for p in parts for r in p.refusals) == whole.refusals


@pytest.mark.slow
def test_each_share_has_something_to_do(tmp_path: Path) -> None:
    rows = [{**foreign_row(random.Random(n), n), "at": LATE} for n in range(4_500)]
    for suffix in OPEN:
        write(tmp_path / f"x{suffix}", rows)
        size = {".parquet": 1_000, ".xes": None}.get(suffix, 100_000)
        for k in range(2):
            assert len(reading(tmp_path / f"x{suffix}", mapped(FOREIGN), (k, 2), size).rows) > 200


def test_sharing_would_be_seen_to_fail(tmp_path: Path) -> None:
    path = put(tmp_path, "x.ndjson", b"\n".join([json.dumps(GOOD).encode()] * 9))
    parts = [reading(path, share=(k, 2), size=90) for k in (0, 0)]
    rows = [row["position"] for part in parts for row in part.rows]
    assert sorted(rows) != [row["position"] for row in reading(path).rows]


def test_our_own_lines_pass_beside_a_foreign_log(tmp_path: Path) -> None:
    fact = {"kind": "login", "fact_id": "f1", "person": "p1", "role": "operator", "at": LATE}
    row = foreign_row(random.Random(1), 1) | {"at": LATE, "paid": None, "special": None}
    row |= {"days": None, "bulk": None, "who": "p1", "case:ended": LATE}
    lines = [fact, row, {**GOOD, "kind": "case"}, {"kind": "x"}, row, {**row, "case:id": {}}]
    text = "\n".join(map(json.dumps, lines))
    path = put(tmp_path, "x.ndjson", text.encode() + b"\n{oops\n")
    for size in (None, 80):
        found = reading(path, mapped(FOREIGN.replace('when = "case:ended"\n', "")), size=size)
        assert [fact.kind for fact in found.facts] == ["login"]
        assert [line for line, _, _ in found.errors] == [4, 6, 6, 7]
        assert {(row["case"], row["position"]) for row in found.rows} >= {
            ("c1", 2 * 16), ("c1", 3 * 16), ("c1", 5 * 16)
        }  # fmt: skip


def test_facts_come_in_flat_files_too(tmp_path: Path) -> None:
    rows = [{"kind": "treasury", "fact_id": "f1", "department": "D1", "amount": "3.50",
             "paid_on": "2026-03-02", "case_id": None, "action": None},
            {"kind": "case", **GOOD, "fact_id": None}]  # fmt: skip
    path = put(tmp_path, "x.csv", as_csv(rows))
    pl.DataFrame(rows).write_parquet(tmp_path / "x.parquet")
    for one in (path, tmp_path / "x.parquet"):
        found = reading(one)
        assert [(fact.kind, fact.fields["amount"]) for fact in found.facts] == [("treasury", 350)]
        assert found.of("event_id") == [(b"e1",)] and not found.refusals


def test_what_privacy_drops_is_counted_and_shown_nowhere(tmp_path: Path) -> None:
    drop = ("reporter_*", "title")
    rows = [
        {**GOOD, "event_id": "e1", "reporter_phone": "139", "title": "Zhang"},
        {**GOOD, "event_id": "e2", "reporter_phone": None, "title": None},
        {**GOOD, "event_id": "e3", "reporter_phone": "139", "title": None, "fee_due": "-1"},
    ]
    plain = reading(put(tmp_path, "p.csv", as_csv([GOOD])))
    write(tmp_path / "x.csv", rows)
    write(tmp_path / "x.parquet", [{"fee_due": None, **row} for row in rows])
    text = "\n".join(json.dumps({k: v for k, v in row.items() if v}) for row in rows)
    put(tmp_path, "x.ndjson", text.encode())
    for suffix in (".csv", ".ndjson", ".parquet"):
        found = reading(tmp_path / f"x{suffix}", drop=drop)
        assert found.of("event_id") == [(b"e1",), (b"e2",)]
        assert found.rows[0]["content"] == plain.rows[0]["content"]
        assert found.errors[0][1] == "fee_due"
        assert not any("139" in text or "Zhang" in text for *_, text in found.refusals)
        assert found.dropped >= 2
    ragged = put(tmp_path, "y.csv", as_csv(rows) + b"139,Zhang\n")
    assert "139" not in reading(ragged, drop=drop).refusals[-1][4]
    renamed = FOREIGN.replace('"why"', '"reporter_name"')
    row = {**foreign_row(random.Random(3), 2), "reporter_name": "Zhang", "bulk": "true"}
    row |= {"special": "hearing", "days": "3", "paid": "3", "why": "of him", "docs": "a;b"}
    row |= {"act": "survey", "at": LATE, "who": "p1"}
    for suffix in OPEN:
        write(tmp_path / f"z{suffix}", [row])
        found = reading(tmp_path / f"z{suffix}", mapped(renamed), drop=drop)
        without = reading(tmp_path / f"z{suffix}", mapped(FOREIGN.replace('reason = "why"', "")))
        assert found.of("content") == without.of("content") and found.dropped == 1


# --- packed and damaged files ---------------------------------------------------------------------


def packed(data: bytes, suffix: str) -> bytes:
    return gzip.compress(data) if suffix == ".gz" else zstandard.ZstdCompressor().compress(data)


@pytest.mark.parametrize("packing", [".gz", ".zst"])
@pytest.mark.parametrize("suffix", list(OPEN))
def test_packed_files_are_read_as_they_are(tmp_path: Path, suffix: str, packing: str) -> None:
    path = tmp_path / f"x{suffix}"
    write(path, foreign_rows(random.Random(5)))
    data = path.read_bytes()
    whole = without_places(reading(path, mapped(FOREIGN)))
    half = len(data) // 2
    for name, content in (
        (f"a{suffix}{packing}", packed(data, packing)),
        (
            f"b{suffix}{packing}".upper(),
            packed(data[:half], packing) + packed(data[half:], packing),
        ),
    ):
        found = reading(put(tmp_path, name, content), mapped(FOREIGN))
        assert without_places(found) == whole


@pytest.mark.parametrize("packing", [".gz", ".zst"])
@pytest.mark.parametrize("suffix", [".ndjson", ".csv"])
def test_a_file_cut_in_the_middle_of_a_member(tmp_path: Path, suffix: str, packing: str) -> None:
    rng = random.Random(7)
    rows = [{**GOOD, "event_id": f"e{n}", "reason": rng.randbytes(40).hex()} for n in range(4_000)]
    write(tmp_path / f"x{suffix}", rows)
    data = packed((tmp_path / f"x{suffix}").read_bytes(), packing)
    first = 1 + (suffix == ".csv")
    for end in (len(data) // 2, len(data) - 6, len(data) - 1, 3, 0):
        path = put(tmp_path, f"y{suffix}{packing}", data[:end])
        if suffix == ".csv" and end <= 3:
            with pytest.raises(ReplayError, match="is cut off or damaged"):
                read(path, decoder())
            continue
        found = reading(path)
        n = len(found.rows)
        assert found.of("event_id") == [(f"e{k}".encode(),) for k in range(n)]
        assert n > 1_000 or end <= 3
        *partial, last = found.refusals
        assert (last[0], last[2]) == (str(path), "file")
        assert last[3].startswith("is cut off or damaged: it ends in the middle of a")
        assert last[1] == first + n + len(partial)
        assert [line for _, line, *_ in partial] == [first + n][: len(partial)]
        parts = [reading(path, share=(k, 3)) for k in range(3)]
        assert sorted(r for part in parts for r in part.refusals) == found.refusals


def test_gzip_that_is_damaged_gives_all_up_to_there(tmp_path: Path) -> None:
    lines = [json.dumps({**GOOD, "event_id": f"e{n}"}).encode() for n in range(200)]
    data = bytearray(gzip.compress(b"\n".join(lines)))
    data[-6] ^= 255  # the checksum: all came out, and not what went in
    found = reading(put(tmp_path, "x.ndjson.gz", bytes(data)))
    assert len(found.rows) == 200 and len(found.refusals) == 1
    assert found.refusals[0][1] == 201 and "incorrect data check" in found.refusals[0][3]
    junk = reading(put(tmp_path, "y.ndjson.gz", gzip.compress(lines[0]) + b"\0\0junk"))
    assert len(junk.rows) == 1 and "incorrect header check" in junk.refusals[0][3]
    padded = reading(put(tmp_path, "z.ndjson.gz", gzip.compress(lines[0]) + b"\0\0"))
    assert len(padded.rows) == 1 and not padded.refusals


@pytest.mark.parametrize("packing", [".gz", ".zst"])
def test_a_bomb_takes_no_more_room_than_a_block(tmp_path: Path, packing: str) -> None:
    zst = zstandard.ZstdCompressor().compressobj()
    pack: Any = zlib.compressobj(9, wbits=31) if packing == ".gz" else zst
    zeros = bytes(1 << 20)
    data = b"".join([*(pack.compress(zeros) for _ in range(160)), pack.flush()])
    path = put(tmp_path, f"x.ndjson{packing}", data)
    tracemalloc.start()
    try:
        found = reading(path)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()
    assert [(line, field) for line, field, _ in found.errors] == [(1, "line")]


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(3, 64))
def test_blocks_are_the_lines_of_the_file(place: Path, parts: list[bytes], size: int) -> None:
    data = b"\n".join(parts)
    source = Source(put(place, "x.ndjson", data))
    lines: list[bytes] = []
    for block in blocks(source, size):
        assert block.line == len(lines) + 1
        assert block.data
        lines += block.data.removesuffix(b"\n").split(b"\n")
    text = data.removeprefix(b"\xef\xbb\xbf")
    assert lines == (text.removesuffix(b"\n").split(b"\n") if text else [])


# --- Parquet --------------------------------------------------------------------------------------

TYPED_TIMES: list[Any] = [
    datetime(2026, 3, 2, 9, 0, 0, 250_000), datetime(2026, 3, 29, 2, 30), datetime(1989, 1, 1),
    datetime(2099, 12, 31, 23, 59, 59, 999_999), datetime(1, 1, 1), datetime(2027, 3, 4), None,
]  # fmt: skip
CODES: list[Any] = [None, "", "a", "b", "c1", *(c for c in ODD_CODES if c != "\ud800")]
TEXTS: list[Any] = [None, "", "why", "二三", "x" * 999, "x" * 1_001, "x" * 8_001, "x" * 30_000]
Pool = tuple[Any, list[Any]]  # a type of a column, and what may stand in it
CODE_POOLS: list[Pool] = [
    (pl.String, [c for c in CODES if isinstance(c, str | None)]), (pl.Int64, [None, 0, 7, -1]),
    (pl.Categorical, [None, "", "a", "x" * 129]), (pl.Float64, [None, 1.0, float("nan")]),
    (pl.Boolean, [None, True]), (pl.Binary, [None, b"a", b"\xff"]), (pl.Null, [None]),
    (pl.List(pl.String), [None, [], ["a"]]), (pl.Enum(["a", "b"]), [None, "a", "b"]),
]  # fmt: skip
TIME_POOLS: list[Pool] = [
    (pl.String, [None, *STAMPS, *(t for t in ODD_STAMPS if isinstance(t, str))]),
    (pl.String, [None, "2026-03-02T09:00:00Z", "2026-03-02T09:00:01Z", "2026-13-02T09:00:00Z"]),
    *((pl.Datetime(unit, zone), TYPED_TIMES)
      for unit in ("ms", "us", "ns") for zone in (None, "UTC", "Europe/Rome")
      if unit != "ns"),
    (pl.Datetime("ns"), [TYPED_TIMES[0], TYPED_TIMES[5], None]),
    (pl.Date, [None, date(2026, 3, 2), date(1, 1, 1), date(2100, 1, 1)]),
    (pl.Int64, [None, 20260302, 0]), (pl.Time, [None]), (pl.Categorical, [None, STAMPS[0]]),
]  # fmt: skip
MONEY_POOLS: list[Pool] = [
    (pl.String, [None, *(m for m in ODD_MONEY if isinstance(m, str)), "3", "3.50"]),
    (pl.Int64, [None, 0, 7, -1, 10**13, 10**13 + 1, 2**63 - 1]), (pl.UInt64, [None, 5, 2**64 - 1]),
    (pl.Float64, [None, 3.5, 0.1 + 0.2, 1.005, -0.0, 0.0, 1e13, 1e22, float("nan"), float("inf")]),
    (pl.Float32, [None, 0.1, 3.5, 1.005, 16_777_217.0]), (pl.Boolean, [None, True]),
    (pl.Decimal(20, 2), [None, Decimal("3.50"), Decimal("-1"), Decimal("10000000000001")]),
    (pl.Decimal(38, 6), [None, Decimal("3.5"), Decimal("3.005"), Decimal("12345678901234567890")]),
    (pl.Decimal(20, 0), [None, Decimal(3)]), (pl.Int8, [None, 1, -1]), (pl.Null, [None]),
]  # fmt: skip
DAY_POOLS: list[Pool] = [
    (pl.String, [None, *(d for d in ODD_DAYS if isinstance(d, str))]), (pl.Int16, [None, 3, -1]),
    (pl.Int64, [None, 3660, 3661, 2**63 - 1]), (pl.Float64, [None, 5.0, 5.5, float("nan")]),
    (pl.UInt64, [None, 2**64 - 1]), (pl.Decimal(9, 0), [None, Decimal(5)]),
]  # fmt: skip
FLAG_POOLS: list[Pool] = [
    (pl.Boolean, [None, True, False]), (pl.String, [None, "", "true", "TRUE", "0", "x"]),
    (pl.Int8, [None, 1]), (pl.Categorical, [None, "true"]),
]  # fmt: skip
LIST_POOLS: list[Pool] = [
    (pl.String, [None, "", "a;b", "a; ;b", ";", "x" * 5_000]), (pl.Int64, [None, 3]),
    (pl.List(pl.String), [None, [], ["a"], ["a", None], ["a"] * 257, ["x" * 5_000], ["b", "c"]]),
    (pl.List(pl.Int64), [None, [], [1]]), (pl.Array(pl.String, 2), [None, ["a", "b"]]),
]  # fmt: skip
TEXT_POOLS: list[Pool] = [(pl.String, TEXTS), (pl.Int64, [None, 3]), (pl.Categorical, ["a", None])]
PROCEDURE_POOLS: list[Pool] = [(pl.String, [None, "", "hearing", "x"]), (pl.Int64, [None, 3])]
KIND_POOLS: list[Pool] = [(pl.String, [None, "case", "", "login", "tick"]), (pl.Null, [None])]
POOLS: dict[str, list[Pool]] = {
    **dict.fromkeys(("event_id", "operator", "step", "district", "source", "result", "channel",
                     "grade", "party_kind", "supersedes"), CODE_POOLS),
    **dict.fromkeys(("received_at", "due_at", "offence_at"), TIME_POOLS),
    **dict.fromkeys(("fee_due", "fee_paid", "fine"), MONEY_POOLS),
    **dict.fromkeys(("days_granted", "promised_days", "statutory_days"), DAY_POOLS),
    **dict.fromkeys(("documents", "fields", "factors"), LIST_POOLS),
    **dict.fromkeys(("reason", "title", "relief_reason"), TEXT_POOLS),
    "imported": FLAG_POOLS, "procedure": PROCEDURE_POOLS, "kind": KIND_POOLS,
}  # fmt: skip
SOUND: dict[str, Pool] = {
    **dict.fromkeys(("case_id", "item", "department"), (pl.String, ["a", "b", "c1", "许可"])),
    **dict.fromkeys(("occurred_at", "recorded_at"), TIME_POOLS[1]),
    "action": (pl.String, ["step", "accept", "close"]), "event_id": (pl.String, ["e1", "e22"]),
}  # fmt: skip


def random_frame(rng: random.Random) -> pl.DataFrame:
    """A frame of odd types and values, in which some rows are sound."""
    rows = rng.randint(1, 24)
    pools = dict(SOUND)
    pools |= {name: rng.choice(some) for name, some in POOLS.items() if rng.random() < 0.3}
    for name in ("case_id", "item", "department", "action"):
        if rng.random() < 0.15:
            pools[name] = rng.choice(CODE_POOLS)
    for name in ("occurred_at", "recorded_at"):
        if rng.random() < 0.5:
            pools[name] = rng.choice(TIME_POOLS)
    columns = []
    for name, (kind, values) in pools.items():
        usual = values[:2] if rng.random() < 0.5 else values
        cells = [rng.choice(usual if rng.random() < 0.8 else values) for _ in range(rows)]
        columns.append(pl.Series(name, cells, dtype=kind, strict=False))
    return pl.DataFrame(columns)


def one_by_one(self: Columns, frame: pl.DataFrame, positions: np.ndarray) -> Any:
    inputs, unsure = WHOLE(self, frame, positions)
    return inputs, np.ones_like(unsure)


WHOLE = Columns.read


def both_roads(path: Path, mapping: Mapping | None, zone: str) -> tuple[Told, Told]:
    quick = reading(path, mapping, zone=zone)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Columns, "read", one_by_one)
        return quick, reading(path, mapping, zone=zone)


@settings(max_examples=150)
@given(SEEDS)
def test_whole_columns_say_what_the_rows_say(place: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = place / "law.parquet"
    random_frame(rng).write_parquet(path)
    zone = rng.choice(("Asia/Shanghai", "Europe/Amsterdam", "America/New_York"))
    quick, slow = both_roads(path, None, zone)
    assert quick == slow


@settings(max_examples=30)
@given(SEEDS)
def test_mapped_columns_say_what_the_rows_say(place: Path, seed: int) -> None:
    path = place / "mapped.parquet"
    write(path, foreign_rows(random.Random(seed)))
    quick, slow = both_roads(path, mapped(FOREIGN), "Asia/Shanghai")
    assert quick == slow


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("_fen", lambda text: 0),
        ("_days", lambda text: 3),
        ("EARLIEST_US", -(2**62)),
    ],
)
def test_the_law_of_both_roads_rejects_a_broken_reading(
    place: Path, name: str, broken: Any
) -> None:
    differed = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lookups, name, broken)
        for seed in range(120):
            if differed:
                break
            path = place / "broken.parquet"
            random_frame(random.Random(seed)).write_parquet(path)
            quick, slow = both_roads(path, None, "Asia/Shanghai")
            differed += quick != slow
    assert differed


def test_typed_columns_mean_what_their_texts_mean(tmp_path: Path) -> None:
    wall = datetime(2026, 3, 29, 2, 30)  # does not exist in Amsterdam
    frame = pl.DataFrame(
        {
            **{name: [GOOD[name]] * 2 for name in ("case_id", "action", "item", "department")},
            "operator": pl.Series([17, None], dtype=pl.Int32),
            "recorded_at": pl.Series([wall, wall], dtype=pl.Datetime("ns")),
            "occurred_at": pl.Series([datetime(2026, 3, 28, tzinfo=UTC)] * 2),
            "due_at": pl.Series([date(2026, 4, 1), None]),
            "fee_due": pl.Series([Decimal("300.50"), None]),
            "fee_paid": pl.Series([300.5, 0.0]),
            "promised_days": pl.Series([7, None], dtype=pl.Int8),
            "documents": pl.Series([["a", "b"], None]),
            "imported": [True, None],
        }
    )
    frame.write_parquet(tmp_path / "x.parquet")
    found = reading(tmp_path / "x.parquet", zone="Europe/Amsterdam")
    lines = [
        {**{n: GOOD[n] for n in ("case_id", "action", "item", "department")}, "operator": "17",
         "recorded_at": "2026-03-29T02:30:00", "occurred_at": "2026-03-28T00:00:00Z",
         "due_at": "2026-04-01", "fee_due": "300.50", "fee_paid": "300.50", "promised_days": 7,
         "documents": ["a", "b"], "imported": True},
        {**{n: GOOD[n] for n in ("case_id", "action", "item", "department")}, "fee_paid": 0,
         "recorded_at": "2026-03-29T02:30:00", "occurred_at": "2026-03-28T00:00:00Z"},
    ]  # fmt: skip
    path = put(tmp_path, "x.ndjson", "\n".join(map(json.dumps, lines)).encode())
    assert found == reading(path, zone="Europe/Amsterdam") and not found.refusals
    assert found.of("fee_due", "promised_days") == [(30_050, 7), (ABSENT, ABSENT)]
    assert iso_time(found.rows[0]["recorded_at"]) == "2026-03-29T01:30:00Z"


def parquet_bytes(rows: int = 300, compression: Any = "zstd") -> bytes:
    cells = [{**GOOD, "event_id": f"e{n}", "reason": f"r{n % 7}"} for n in range(rows)]
    out = io.BytesIO()
    frame = pl.DataFrame(cells).with_columns(documents=pl.lit(["a", "b"]), days_granted=3)
    frame.write_parquet(out, row_group_size=100, compression=compression)
    return out.getvalue()


def test_a_damaged_row_group_costs_its_own_rows(tmp_path: Path) -> None:
    data = bytearray(parquet_bytes(compression="uncompressed"))
    at = data.index(b"e100")  # behind the header of its page
    data[at - 40 : at - 4] = bytes(36)
    path = put(tmp_path, "x.parquet", bytes(data))
    for size in (None, 30):
        found = reading(path, size=size)
        assert 0 < len(found.rows) <= 200
        assert found.lines[0] == 1 and found.lines[-1] == 300
        assert {field for _, field, _ in found.errors} == {"file"}
        assert found.errors[0][0] == 101 and found.errors[0][2].startswith("rows 101 to ")


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" * 5, b"x" * 500, parquet_bytes()[:-9]])
def test_what_is_no_parquet_is_one_refusal(tmp_path: Path, data: bytes) -> None:
    path = put(tmp_path, "x.parquet", data)
    for found in (reading(path), reading(put(tmp_path, "x.parquet.gz", gzip.compress(data)))):
        assert not found.rows and len(found.refusals) == 1
        assert found.errors[0][:2] == (1, "file")
        assert found.errors[0][2].startswith("is cut off or damaged: it is no sound Parquet file")
    assert reading(path, share=(1, 2)).refusals == []


# --- fuzz -----------------------------------------------------------------------------------------


def harmed(rng: random.Random, data: bytes) -> bytes:
    """The bytes with a few changed, lost or added."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out) + 1)
        if rng.random() < 0.6 and at < len(out):
            out[at] = rng.choice(b'\x00\xff"\n\r,;<>&/=\xc3\x80 0{}[]') if rng.random() < 0.7 else 7
        elif rng.random() < 0.5:
            del out[at : at + rng.randint(1, 20)]
        else:
            out[at:at] = rng.randbytes(rng.randint(1, 9))
    return bytes(out)


@settings(max_examples=200)
@given(SEEDS)
def test_no_bytes_break_a_reader(place: Path, seed: int) -> None:
    rng = random.Random(seed)
    suffix = rng.choice([".csv", ".ndjson", ".xes", ".csv.gz", ".ndjson.zst", ".xes.gz"])
    path = place / f"fuzz{Path(suffix).stem if suffix.count('.') > 1 else suffix}"
    path = place / ("fuzz." + suffix.split(".")[1])
    write(path, foreign_rows(rng))
    data = path.read_bytes()
    if suffix.count(".") > 1:
        data = packed(data, "." + suffix.split(".")[2])
    path = put(place, f"fuzzed{suffix}", harmed(rng, data))
    size = rng.choice((None, rng.randint(16, 4_000)))
    try:
        found = reading(path, mapped(FOREIGN), size=size)
    except ReplayError as fault:
        assert str(path) in str(fault)
        return
    assert all(line >= 1 and error for line, _, error in found.errors)
    assert all(file == str(path) for file, *_ in found.refusals)


@settings(max_examples=150)
@given(SEEDS)
def test_no_bytes_break_the_parquet_reader(place: Path, seed: int) -> None:
    rng = random.Random(seed)
    compression = rng.choice(("zstd", "uncompressed", "snappy"))
    data = harmed(rng, parquet_bytes(compression=compression))
    try:
        found = reading(put(place, "fuzz.parquet", data))
    except ReplayError:
        return
    assert len(found.rows) <= 300 and found.lines == sorted(set(found.lines))
    if len(found.rows) < 300:
        assert found.refusals


@settings(max_examples=120)
@given(SEEDS)
def test_a_bad_line_costs_its_neighbours_nothing(place: Path, seed: int) -> None:
    rng = random.Random(seed)
    rows = [{**GOOD, "event_id": f"e{n}", "reason": rng.choice(('a "b", c', ", x", "", "二"))}
            for n in range(rng.randint(2, 9))]  # fmt: skip
    suffix = rng.choice((".csv", ".ndjson"))
    write(place / f"line{suffix}", rows)
    lines = (place / f"line{suffix}").read_bytes().splitlines()
    bad = rng.randrange(suffix == ".csv", len(lines))
    new = harmed(rng, lines[bad]).replace(b"\n", b" ")
    new = new if rng.random() < 0.9 else new + b"x" * LINE_BYTES_MAX
    lines[bad] = new
    path = put(place, f"lines{suffix}", b"\n".join(lines))
    found = reading(path, size=rng.choice((None, rng.randint(16, 500), 70_000)))
    head = lines[:1] if suffix == ".csv" else []
    rows_alone, refusals_alone = [], []
    for number, line in enumerate(lines[len(head) :], len(head) + 1):
        alone = reading(put(place, f"alone{suffix}", b"\n".join([*head, line])))
        shift = number - len(head) - 1
        rows_alone += [{**row, "position": row["position"] + 16 * shift} for row in alone.rows]
        refusals_alone += [(number, field, error) for _, field, error in alone.errors]
    assert found.rows == rows_alone
    assert found.errors == refusals_alone


@settings(max_examples=100)
@given(SEEDS)
def test_ndjson_is_the_decoder_line_by_line(place: Path, seed: int) -> None:
    rng = random.Random(seed)
    lines = [random_line(rng).replace(b"\n", b" ") for _ in range(rng.randint(1, 12))]
    path = put(place, "decoder.ndjson", b"\n".join(lines))
    found = reading(path, size=rng.randint(16, 2_000))
    whole = decoder()
    whole.file = str(path)
    one = told(iter([whole.decode(b"\n".join(lines))]))
    assert found.facts == one.facts and found.refusals == one.refusals
    assert found.rows == [{**row, "position": row["position"] * 16} for row in one.rows]
