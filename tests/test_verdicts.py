"""Verdicts are kept and counted, and judge nothing: what they say of a rule moves no limit."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal, getcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_laws import frame, raised
from live_kit import ACCEPT, SURVEY, Live, edited, event

from detector.ledger import Position, Query, Work
from detector.ledger.sqlite_file import FILE, open_ledger
from detector.ledger.verdicts import NONE, VERDICTS, VerdictCount, VerdictRow
from detector.precision import Precision, by_place, by_rule, wilson
from detector.testing import MemoryLedger
from replay.verify import verify

NAMES = [f"f{n}" for n in range(5)]
rows = st.lists(
    st.builds(
        VerdictRow, st.uuids().map(str), st.sampled_from([*NAMES, "unknown"]),
        st.sampled_from(VERDICTS), st.sampled_from(["P1", "P2"]), st.integers(0, 3),
    ),
    max_size=20, unique_by=lambda row: row.fact_id,
)  # fmt: skip


@given(rows, st.integers(0, 20))
def test_the_last_verdict_counts_in_whatever_order_they_come(told, cut):
    """Against a plain reading of the rule, however they are cut into batches."""
    ledger = MemoryLedger()
    moves = [raised(name, n, rule=f"r{n % 2}") for n, name in enumerate(NAMES)]
    here = ledger.commit(Position(), Work([frame(Position(), [b"{}"])], moves))
    for some in (told[:cut], told[cut:]):
        here = ledger.commit(here, Work([frame(here, [b"{}"])], verdicts=some))
    want: dict[str, VerdictRow] = {}
    for row in told:
        held = want.get(row.finding_id)
        if held is None or (row.at_us, row.fact_id) > (held.at_us, held.fact_id):
            want[row.finding_id] = row
    many = Counter((f"r{n % 2}", want[f].verdict) for n, f in enumerate(NAMES) if f in want)
    assert {(c.rule, c.verdict): c.n for c in ledger.verdict_counts()} == many
    for verdict in (*VERDICTS, NONE):
        found = {h.doc for _, h in ledger.findings(Query(verdict=verdict))}
        names = [f for f in NAMES if (want[f].verdict if f in want else NONE) == verdict]
        assert len(found) == len(names)
    assert len(ledger.stray_verdicts(99)) == sum(row.finding_id == "unknown" for row in told)


@given(st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(seen):
    """Against the formula of the book, in decimals of fifty places."""
    getcontext().prec = 50
    k, n = map(Decimal, seen)
    z = Decimal("3.841458820694").sqrt()
    p = k / n
    middle, half = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)).sqrt()
    for told, end in zip(wilson(*seen), (middle - half, middle + half), strict=True):
        exact = 1_000 * end / (1 + z * z / n)
        assert abs(told - exact) <= Decimal("0.500001") and 0 <= told <= 1_000
    low, high = wilson(*seen)
    share = Precision(seen[0], seen[1] - seen[0]).share
    assert share is not None and low <= share <= high


@pytest.mark.parametrize(
    ("k", "n", "want"), [(0, 1, (0, 793)), (1, 1, (207, 1_000)), (8, 10, (490, 943)),
                         (81, 263, (255, 366)), (0, 100, (0, 37)), (50, 100, (404, 596))],
)  # fmt: skip
def test_published_intervals(k, n, want):
    """81 of 263: Newcombe 1998, table I, method 3 (.2553, .3662)."""
    assert wilson(k, n) == want


def test_no_verdict_is_not_none_of_them_confirmed():
    assert Precision().share is None and Precision().interval is None
    assert Precision(justified=3).told()["share_permille"] is None
    assert Precision(0, 2).told()["share_permille"] == 0
    counts = [VerdictCount("r", i, "D", v, n) for i, v, n in (
        ("a", "confirmed", 3), ("a", "false_alarm", 1), ("b", "justified", 9),
    )]  # fmt: skip
    assert by_rule([*counts, VerdictCount("s", None, None, "confirmed", 1)]) == {
        "r": Precision(3, 1, 9), "s": Precision(1),
    }  # fmt: skip
    places = [(p.item, p.precision) for p in by_place(counts, "r")]
    assert places == [("b", Precision(0, 0, 9)), ("a", Precision(3, 1))]


def fast(case: str) -> list[dict[str, Any]]:
    """A case whose survey took forty seconds."""
    told = {"case_id": case}
    return [
        event("a", "09:00:00", "accept", **told),
        event("b", "09:00:40", step="survey", operator="P0102", **told),
    ]


def verdict(name: str, finding: str, word: str = "false_alarm", **told: Any) -> dict[str, Any]:
    """A line that says what somebody found."""
    return {"kind": "verdict", "fact_id": name, "finding_id": finding, "verdict": word,
            "by": "P0001", "at": "2026-03-02T12:00:00+08:00"} | told  # fmt: skip


def test_a_verdict_is_a_row_of_the_ledger(tmp_path):
    """It is kept with its batch and proved again; the same line again changes nothing, another
    under its name is refused, and one about nobody's finding is kept and told."""
    ledger = open_ledger(tmp_path / FILE)
    live = Live(ledger)
    live.post(ACCEPT, SURVEY)
    [found] = [f.finding_id for f in live.findings().values() if f.rule == "too_fast_step"]
    live.post(verdict("v1", found, reason="系统迁移补录"))
    live.post(verdict("v2", "nobody", "confirmed"))
    assert live.post(verdict("v1", found, reason="系统迁移补录")).duplicates == 1
    assert live.post(verdict("v1", found, "confirmed")).refused[0].error == "conflicting_duplicate"
    [row] = ledger.verdicts_of(found)
    assert (row.verdict, row.by, row.reason) == ("false_alarm", "P0001", "系统迁移补录")
    assert [one.fact_id for one in ledger.stray_verdicts(9)] == ["v2"]
    live.restart()
    assert live.post(verdict("v1", found, reason="系统迁移补录")).duplicates == 1
    live.stop()
    ledger.close()
    assert not live.failures and verify(tmp_path).fault == ""


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE verdicts SET verdict = 'confirmed'", "verdict v1: is another"),
        ("UPDATE verdicts SET reason = 'x'", "verdict v1: is another"),
        ("DELETE FROM verdicts", "verdict v1: is missing"),
        ("INSERT INTO verdicts SELECT 'v0', shard, seq, finding_id, verdict, \"by\", at_us, reason"
         " FROM verdicts", "verdict v0: follows from no input"),
    ],
)  # fmt: skip
def test_a_verdict_that_was_changed_behind_the_ledger_is_named(tmp_path, change, named):
    import pysqlite3.dbapi2 as driver

    ledger = open_ledger(tmp_path / FILE)
    live = Live(ledger)
    live.post(verdict("v1", "nobody"))
    live.stop()
    ledger.close()
    assert verify(tmp_path).fault == ""
    connection = driver.connect(str(tmp_path / FILE), isolation_level=None)
    connection.execute(change)
    connection.close()
    assert named in verify(tmp_path).fault


def told_by(live: Live) -> tuple[str, str, str]:
    """What of a service a verdict may never change."""
    shard = live.runner.shard
    return live.digest(), shard.engine.rulebook.digest, shard.contents[-1].digest


def law_no_verdict_moves_a_limit(make: Any) -> None:
    """A thousand verdicts, all of them false alarms, change no finding that was raised, none that
    is raised later, and nothing of what judges."""
    calm, told = make(), make()
    for live in (calm, told):
        live.post(*(line for n in range(20) for line in fast(f"c{n}")))
    found = [f for f in told.findings().values() if f.rule == "too_fast_step"]
    assert len(found) == 20
    told.post(*(verdict(f"v{n}", found[n % 20].finding_id) for n in range(1_000)))
    for live in (calm, told):  # the verdicts were inputs too, and moved the clock
        live.post({"kind": "tick", "at": "2026-03-02T12:00:01+08:00"})
        live.post(*fast("later"), {"kind": "tick", "at": "2026-03-03T00:00:00+08:00"})
        live.stop()
        assert not live.failures
    assert len(list(told.ledger.all_verdicts())) == 1_000
    assert told_by(told) == told_by(calm)


class Eager(Live):
    """Loosens a limit as soon as enough people say that it is wrong."""

    def post(self, *lines: Any) -> Any:
        told = super().post(*lines)
        if sum(c.n for c in self.ledger.verdict_counts()) >= 20:
            self.change(edited(self.content, "rulebook.toml", "limit_s = 1800", "limit_s = 30"))
        return told


def test_no_verdict_moves_a_limit():
    law_no_verdict_moves_a_limit(Live)


def test_the_law_rejects_a_service_in_which_one_does():
    with pytest.raises(AssertionError):
        law_no_verdict_moves_a_limit(Eager)
