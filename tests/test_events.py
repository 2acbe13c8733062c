"""`--events`: the judged events as columns, whoever judged them and in whatever batches."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from detector.columns import ARRAYS, Inputs, Words, from_events
from detector.event import Event
from replay import events
from replay.run import Job, replay
from replay.stream import sort_inputs

COUNTY = str(Path(__file__).resolve().parent.parent / "examples" / "county")
NOT_WRITTEN = {"content", "position"}  # what these say, the other columns and the order say too
SHARES = 3


def line(case: str, event: str, action: str, at: str, **fields: Any) -> str:
    """One event of the county."""
    plain = {
        "case_id": case, "event_id": event, "action": action, "item": "food_permit",
        "department": "D01", "operator": "P1", "occurred_at": at, "recorded_at": at,
    }  # fmt: skip
    return json.dumps(plain | fields, ensure_ascii=False) + "\n"


LOG = (
    line("c1", "e1", "accept", "2026-03-02T09:00:00+08:00", documents=["b", "a"])
    + line("c2", "e1", "accept", "2026-03-02T08:00:00+08:00", fee_due="12.50", fee_paid=0)
    + line("c1", "e2", "step", "2026-03-02T09:00:58+08:00", step="survey", operator=None)
    + line("c1", "e2", "step", "2026-03-02T09:00:58+08:00", step="survey", operator=None)
    + line("c1", "e2", "step", "2026-03-02T09:30:00+08:00", step="survey")  # a conflict
    + line("c3", "e1", "pay", "never")
    + line("c1", "e3", "step", "2026-03-02T11:00:00+08:00", step="survey", supersedes="e2")
    + line("c3", "e2", "decide", "2026-03-02T09:00:00+08:00", result="refused", fine=300)
    + line("c3", "e3", "close", "2026-03-04T09:00:00+08:00")  # after the end
)
UNTIL = "2026-03-03T09:00:00+08:00"


def replayed(folder: Path, text: str = LOG, **options: Any) -> Path:
    """The output folder of a replay of this text."""
    log, out = folder / "log.ndjson", folder / "out"
    log.write_text(text)
    replay(Job((str(log),), COUNTY, out=str(out), until=UNTIL, **options))
    return out


def test_what_was_judged_in_the_order_in_which_it_was(tmp_path: Path) -> None:
    told = pl.read_parquet(replayed(tmp_path, events=True) / "events.parquet")
    names = told.select("case_id", "event_id").rows()
    assert names == [("c2", "e1"), ("c1", "e1"), ("c3", "e2"), ("c1", "e2"), ("c1", "e3")]
    first, accepted, decided, survey, again = told.rows(named=True)
    assert (first["fee_due"], first["fee_paid"], first["fine"]) == (1250, 0, None)
    assert first["recorded_at"] == datetime(2026, 3, 2, 0, tzinfo=UTC)
    assert (accepted["step"], accepted["documents"], accepted["due_at"]) == (
        "accept", ["a", "b"], None,
    )  # fmt: skip
    assert (decided["result"], decided["fine"], decided["documents"]) == ("refused", 30_000, None)
    assert (survey["action"], survey["step"], survey["operator"]) == ("step", "survey", None)
    assert (survey["supersedes"], again["supersedes"]) == (None, "e2")


@pytest.mark.slow
def test_workers_and_batches_change_no_byte(tmp_path: Path) -> None:
    told = set()
    for workers, batch_rows in ((1, 32_768), (1, 2), (2, 32_768), (2, 1)):
        folder = tmp_path / f"{workers}-{batch_rows}"
        folder.mkdir()
        out = replayed(folder, events=True, workers=workers, batch_rows=batch_rows)
        told.add((out / "events.parquet").read_bytes())
    assert len(told) == 1


def test_none_are_left_of_an_earlier_replay(tmp_path: Path) -> None:
    assert (replayed(tmp_path, events=True) / "events.parquet").exists()
    assert not (replayed(tmp_path) / "events.parquet").exists()


def test_nothing_judged_is_a_table_without_rows(tmp_path: Path) -> None:
    told = pl.read_parquet(replayed(tmp_path, "", events=True) / "events.parquet")
    assert (told.height, told.columns) == (0, [name for name, _, _ in events.COLUMNS])


def test_every_column_of_the_engine_is_written() -> None:
    written = {column for _, spell, column in events.COLUMNS if spell is not events._said}
    assert written == set(ARRAYS) - NOT_WRITTEN - {"told"}


def made_up(rows: int) -> list[Event]:
    """Events of which many bear one stamp, in no order."""
    chance = np.random.default_rng(7)
    return [
        Event(
            case_id=f"c{case}", event_id=f"e{number}", action="step", item="x", department="d",
            operator=f"p{case}" if case % 2 else None, reason="because" if case % 3 else None,
            occurred_at=0, recorded_at=0, received_at=int(at) * 1_000_000,
        )
        for number, (case, at) in enumerate(chance.integers(0, 40, (rows, 2)).tolist())
    ]  # fmt: skip


def share(told: list[Event], number: int, shares: int) -> Inputs:
    """The cases of one of so many workers, in judged order and in words of its own."""
    mine = [n for n, e in enumerate(told) if int(e.case_id[1:]) % shares == number]
    return sort_inputs(from_events([told[n] for n in mine], Words(), mine))


def test_slices_are_interleaved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SLICE_ROWS", 7)
    monkeypatch.setattr(events, "GROUP_ROWS", 11)
    told, files = made_up(400), []
    for shares in (1, SHARES):
        folder = tmp_path / str(shares)
        folder.mkdir()
        for number in range(shares):
            inputs = share(told, number, shares)
            events.write_events(folder, number, inputs, np.ones(len(inputs), bool))
        events.merge_events(folder, folder, shares)
        files.append(folder / "events.parquet")
    whole = pl.read_parquet(files[0])
    order = sorted(range(len(told)), key=lambda n: (told[n].received_at, n))
    assert whole["event_id"].to_list() == [told[n].event_id for n in order]
    assert whole["operator"].to_list() == [told[n].operator for n in order]
    assert pl.read_parquet(files[1]).equals(whole)
    assert files[0].read_bytes() == files[1].read_bytes()
