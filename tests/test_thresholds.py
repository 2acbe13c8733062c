"""The explorer over HTTP and as a page: what one sees of it, and what it says where it cannot."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from live_kit import Live, county, edited, event
from screens_kit import Screens, county_screens
from typer.testing import CliRunner
from web_kit import CannedService

from detector.__main__ import app
from detector.ledger.sqlite_file import FILE, open_ledger
from detector.live.shard import Shard, counting
from detector.shelf import load_shelf
from detector.thresholds import curve, why_not
from detector.web.problems import Problem
from detector.web.readers import Readers
from detector.web.thresholds import Thresholds, Wanted
from detector.web.who import Who

WHOLE = Wanted()
API = "/api/v1/rules/too_fast_step/thresholds"


@pytest.fixture(scope="module")
def screens():
    yield from county_screens()


def test_the_counts_at_the_limit_in_force_are_the_findings(screens):
    every = [f for f in screens.every_finding() if f["rule"] == "too_fast_step"]
    told = screens.get(API).json()
    found = Counter(f["department"] for f in every if f["limit"] == told["chosen"] == 60)
    place = told["in_force"]
    assert told["totals"][place] == found.total() > 5 and told["limits"][place] == 60
    by_department = dict(zip(told["departments"], told["by_department"][place], strict=True))
    assert +Counter(by_department) == found
    assert sum(told["by_week"][place]) == told["totals"][place] and len(told["weeks"]) >= 3
    other = screens.get(API, params={"limit": 1800}).json()
    assert other["totals"][other["in_force"]] == len(every) - found.total() > 0
    whole = screens.get(API, params={"every": True}).json()
    assert whole["in_force"] is None and whole["chosen"] is None
    assert [one["where"] for one in whole["choices"]] == [
        ["default_limit_s"], ["limits: * · accept · survey"],
    ]  # fmt: skip


def test_what_is_just_inside_and_outside_is_shown(screens):
    told = screens.get(API, params={"at": [61, 1000.5]}).json()
    first, second = told["at"]
    assert (first["asked"], first["limit"], second["limit"]) == (61, 60, 992)
    assert first["n"] == told["totals"][first["place"]]
    assert {row["value"] < 60 for row in first["inside"]} == {True}
    assert {row["value"] < 60 for row in first["outside"]} == {False}
    assert len(first["inside"]) == len(first["outside"]) == 10
    values = [abs(row["value"] - 60) for row in first["outside"]]
    assert values == sorted(values) and first["outside"][0]["case_id"] and first["outside"][0]["at"]


def test_the_same_question_is_answered_by_its_mark(screens):
    told = screens.get(API)
    again = screens.get(API, headers={"if-none-match": told.headers["etag"]})
    assert (told.status_code, again.status_code) == (200, 304)


def test_a_rule_that_cannot_be_tried_out_says_why(screens):
    for rule, why in (
        ("overdue_promise", "clock"), ("same_person", "no limit"), ("batch_entry", "not about"),
    ):  # fmt: skip
        told = screens.get(f"/api/v1/rules/{rule}/thresholds", headers={"accept-language": "en"})
        assert told.status_code == 409 and why in told.json()["detail"], rule
        page = screens.get(f"/rules/{rule}/thresholds", params={"lang": "en"})
        assert page.status_code == 200 and "tune.js" not in page.text
    for path, status in (
        ("/api/v1/rules/nothing/thresholds", 404), (f"{API}?limit=77", 404),
        (f"{API}?surprise=1", 400), (f"{API}?at=soon", 400), ("/rules/nothing/thresholds", 404),
        ("/rules/too_fast_step/thresholds?at=soon", 400), (f"{API}?at=nan", 400),
    ):  # fmt: skip
        assert screens.get(path).status_code == status, path


def test_the_page_holds_the_curve_and_shows_its_place_without_script(screens):
    for lang in ("zh", "en"):
        page = screens.get("/rules/too_fast_step/thresholds", params={"at": "90", "lang": lang})
        told = screens.get(API, params={"at": 90}).json()
        place, n = told["at"][0]["place"], told["at"][0]["n"]
        begin = page.text.index('id="start">') + len('id="start">')
        start = msgspec.json.decode(page.text[begin : page.text.index("</script>", begin)])
        assert start["place"] == place and start["totals"] == told["totals"]
        assert f" {n} " in page.text and f"{told['limits'][place]:g}" in page.text
        for row in told["at"][0]["inside"]:
            assert row["case_id"] in page.text
    assert "/rules/too_fast_step/thresholds" in screens.get("/rules/too_fast_step").text
    assert "/thresholds" not in screens.get("/rules/overdue_promise").text
    assert "<script>alert" not in page.text


async def asked(screens: Screens, who: Who, wanted: Wanted = WHOLE) -> Any:
    """What somebody is answered."""
    made = Thresholds(screens.service, screens.readers, lambda: screens.live.runner.shard.engine)
    return await made.curve("too_fast_step", wanted, who)


def test_who_sees_some_departments_sees_those_alone(screens):
    scoped = Who("x", "supervisor", ("D01",))
    told = asyncio.run(asked(screens, scoped))
    whole = asyncio.run(asked(screens, Who("y", "leader")))
    assert told.departments == ["D01"] and len(whole.departments) > 1
    place = whole.in_force
    assert told.totals[place] == whole.by_department[place][whole.departments.index("D01")] > 0
    assert {row.department for row in told.rows} == {"D01"} < {r.department for r in whole.rows}
    narrowed = asyncio.run(asked(screens, Who("y", "leader"), Wanted(department="D01")))
    assert narrowed == told
    with pytest.raises(Problem, match="no_department"):
        asyncio.run(asked(screens, scoped, Wanted(department="D02")))
    nothing = asyncio.run(asked(screens, Who("z", "supervisor", ())))
    assert nothing.weeks == [] and nothing.rows == [] and sum(nothing.totals) == 0


# --- verdicts, and a shard that does not tell -----------------------------------------------------


def test_verdicts_are_counted_on_their_side(screens):
    found = next(
        f for f in screens.findings(rule="too_fast_step", state="stands") if f["limit"] == 60
    )
    screens.live.post(
        {"kind": "verdict", "fact_id": "v1", "finding_id": found["finding_id"],
         "verdict": "false_alarm", "by": "S1", "at": found["at"], "reason": "x"},
        {"kind": "tick", "at": screens.live.runner.shard.engine.teller.stamps(
            np.array([screens.live.runner.figures.clock_us + 1_000_000]))[0]},
    )  # fmt: skip
    told = screens.get(API).json()
    beyond = [limit > found["value"] for limit in told["limits"]]
    assert told["verdicts"] == {"false_alarm": [int(one) for one in beyond]}
    page = screens.get("/rules/too_fast_step/thresholds", params={"lang": "en"}).text
    assert 'data-verdict="false_alarm">1<' in page


def test_a_shard_that_does_not_tell_is_named():
    live = Live(start=False)
    service = CannedService()
    readers = Readers(live.ledger.reader)
    made = Thresholds(service, readers, lambda: live.runner.shard.engine)
    with pytest.raises(Problem, match="shard_untold") as told:
        asyncio.run(made.curve("too_fast_step", Wanted(), Who("x", "leader")))
    assert told.value.status == 503 and "case-1" in told.value.detail("zh")
    readers.close()


# --- the service's own memory ---------------------------------------------------------------------


def lines_from(day: int, many: int) -> list[dict[str, Any]]:
    """Cases of one day, surveyed ever later after their acceptance."""
    told = []
    for n in range(many):
        case = {"case_id": f"c{day}-{n}", "item": "permit", "department": "D01", "operator": "A"}
        at = f"2026-03-{day:02d}T09:{n:02d}"
        told += [
            event(f"a{day}-{n}", f"{at}:00+08:00", "accept", **case),
            event(f"b{day}-{n}", f"{at}:{n + 20:02d}+08:00", step="review", **case),
        ]
    return told


def told_of(live: Live, rule: str = "too_fast_step", **wanted: Any) -> Any:
    shard = live.runner.shard
    [one] = [c for c in shard.engine.rulebook.rules if c.rule.id == rule]
    assert shard.state.cases.tally is not None
    return curve(shard.state.cases.tally.of(rule, shard.words), one, **wanted)


def test_a_restart_goes_on_counting_from_a_snapshot(tmp_path):
    straight = Live(kind=counting)
    broken = Live(kind=counting, snapshots=tmp_path)
    for day in (2, 3, 4):
        straight.post(*lines_from(day, 12))
        broken.post(*lines_from(day, 12))
        if day == 3:
            broken.take_snapshot()
            broken.stop()
            broken.restart()
            assert broken.recovered.snapshot_seq > 0
    for rule in ("too_fast_step", "off_hours", "late_exchange"):
        assert told_of(broken, rule) == told_of(straight, rule)
    assert told_of(straight).totals[-1] >= 30
    straight.stop()
    broken.stop()


def test_a_snapshot_that_counted_nothing_is_passed_over(tmp_path):
    live = Live(snapshots=tmp_path)
    live.post(*lines_from(2, 5))
    live.take_snapshot()
    live.stop()
    live.kind = counting
    live.restart()
    assert "counts no raw values" in live.recovered.passed_over[0]
    assert told_of(live).totals[-1] == 5
    live.stop()
    live.kind = Shard  # and one that did serves whoever does not
    live.restart()
    assert live.recovered.snapshot_seq > 0 or live.recovered.passed_over == []
    live.stop()


def test_a_limit_that_is_changed_is_a_choice_of_its_own():
    live = Live(kind=counting)
    live.post(*lines_from(2, 10))
    before = told_of(live)
    live.change(edited(county(), "rulebook.toml", "default_limit_s = 60", "default_limit_s = 25"))
    live.post(*lines_from(3, 10))
    told = told_of(live)
    own = {one.limit: (one.where, one.rows) for one in told.choices}
    assert told.chosen == 25 and own[60] == ([], 10) and own[25] == (["default_limit_s"], 10)
    assert told.totals[told.in_force] == 5 and told_of(live, limit=60).totals == before.totals
    assert told_of(live, every=True).totals[-1] == before.totals[-1] + told.totals[-1]
    live.stop()


def test_a_rule_whose_value_fails_is_told_and_finds_all_the_same():
    content = county()
    text = content.rules["off_hours.py"].decode()
    wrong = text.replace("most=240 * HOUR", "most=240 * HOUR, value=lambda c, p: c['nothing']")
    assert wrong != text
    rules = content.rules | {"off_hours.py": wrong.encode()}
    content = msgspec.structs.replace(content, rules=rules)
    live = Live(kind=counting, content=content)
    live.post(event("n1", "2026-03-02T23:00:00+08:00", "accept", case_id="c1"))
    assert told_of(live, "off_hours").fault == "KeyError"
    assert any(one.startswith("off_hours") for one in live.standing())
    live.stop()


def test_every_rule_of_a_shelf_says_whether_it_can_be_tried_out():
    told = {name: why_not(one.rule) for name, one in load_shelf().items()}
    assert {None, "clock", "measure", "subject"} == set(told.values())
    assert told["too_fast_step"] is None and told["overdue_statutory"] == "clock"


def test_the_terminal_tells_the_same(tmp_path, monkeypatch):
    ledger = open_ledger(tmp_path / FILE)
    live = Live(ledger, kind=counting, snapshots=tmp_path / "snapshots")
    live.post(*lines_from(2, 20))
    told = told_of(live)
    live.take_snapshot()
    live.stop()
    live.ledger.close()
    monkeypatch.setenv("COLUMNS", "100")

    def tune(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["rules", "tune", *words, "--data", str(tmp_path)])
        assert done.exit_code == code, done.output
        return done.output

    place = told.nearest(30)
    answered = msgspec.json.decode(tune("too_fast_step", "--at", "30", "--json"))
    assert answered["curve"] == msgspec.to_builtins(told)
    assert (answered["at"]["limit"], answered["at"]["n"]) == (30, told.totals[place]) == (30, 10)
    shown = tune("too_fast_step", "--at", "30")
    assert "in force" in shown and "D01" in shown and "█" in shown
    assert "clock of the law" in tune("overdue_promise", code=2)
    assert "no such rule" in tune("nothing", code=2)
    assert "no row was judged" in tune("too_fast_step", "--judged-under", "77", code=2)
