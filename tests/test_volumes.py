"""A month's number against what was learned of that month: however the inputs come."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from learning_kit import learning_county, learning_folder, raced, run
from live_kit import Live
from screens_kit import Screens

from detector.learning.epochs import EpochBook, Guard
from detector.learning.stride import Stride
from detector.learnkit import Limit
from detector.ledger.content import Content, content_with
from detector.ledger.sqlite_file import FILE, open_ledger
from detector.rulekit import ORDINARY_EVIDENCE, Ordinary, RuleFault, check_rule
from detector.shelf import load_shelf
from detector.subjects import ORDINARY
from detector.verdict import Finding, canonical
from replay.run import Job, replay
from replay.verify import verify

RULE = "offline_operation"
ON = "[learning]\non = true\n"
ALONE = "".join(
    f"[learning.learners.{name}]\non = 0\n" for name in ("drift", "pace", "path", "shape")
)
COUNTY = learning_county(ON + ALONE)
FIRST, LAST = date(2026, 1, 5), date(2026, 6, 30)
UNTIL = "2026-09-10T00:00:00+08:00"


def accepts(n: int, day: date, item: str = "permit", department: str = "D01") -> dict[str, Any]:
    at = f"{day}T10:00:0{n}+08:00"
    told = {"event_id": f"{day}-{n}", "case_id": f"{item}-{day}-{n}", "action": "accept"}
    stamps = dict.fromkeys(("occurred_at", "recorded_at", "received_at"), at)
    return told | stamps | {"item": item, "department": department, "operator": "P0101"}


def number(period: str, cases: int, received: str, **told: Any) -> dict[str, Any]:
    fact = {"kind": "volume", "fact_id": f"{period}-{received}-{told}", "period": period}
    at = {"received_at": f"2026-{received}T12:00:00+08:00", "cases": cases}
    return fact | at | {"item": "permit", "department": "D01"} | told


NUMBERS = (
    number("2026-02", 100, "03-02"),
    number("2026-03", 85, "04-02"),  # no range yet: fewer than eight weeks lay before it
    number("2026-04", 75, "05-02"),  # ordinary
    number("2026-05", 40, "06-02"),  # far below
    number("2026-04", 74, "06-20"),  # mended, and ordinary still
    number("2026-04", 73, "08-20"),  # when nobody knows April's range any more but the desk
    number("2026-06", 30, "09-05"),  # the first number of June, after more than sixty days
    number("2026-03", 100, "04-02", item="food_permit", department="D02"),
    number("2026-04", 80, "05-02", item="food_permit", department="D02"),  # no record at all
)


def story() -> list[dict[str, Any]]:
    """Three permits accepted a day for half a year, and what was reported of its months."""
    days = [FIRST + timedelta(n) for n in range((LAST - FIRST).days + 1)]
    lines = [accepts(n, day) for day in days for n in range(3)]
    lines = sorted([*lines, *NUMBERS], key=lambda one: one["received_at"])
    return [*lines, {"kind": "tick", "at": UNTIL}]


LINES = [msgspec.json.encode(one) for one in story()]


def told(live: Live) -> tuple[Any, ...]:
    """All that a run came to."""
    epochs = [row.sha256 for row in live.ledger.all_epochs()]
    return live.digest(), epochs, sorted(map(str, live.ledger.counts()))


def judged(live: Live) -> dict[tuple[str, str, int], Finding]:
    """Findings of the rule by item, period and number."""
    some = [f for f in live.findings().values() if f.rule == RULE]
    return {(f.item or "", f.evidence["period"], f.evidence["cases"]): f for f in some}


@pytest.fixture(scope="module")
def calm() -> Live:
    return run(LINES, [], COUNTY)


def test_an_ordinary_fall_is_recorded_and_muted(calm):
    one = judged(calm)["permit", "2026-04", 73]
    assert (one.muted, one.tier, one.reason.code) == (ORDINARY, 0, "month_drop")
    assert one.withdrawn is None
    evidence = one.evidence
    assert evidence["ordinary_low"] <= 73 <= evidence["ordinary_high"]
    assert (evidence["since_day"], evidence["until_day"]) == ("2026-01-05", "2026-03-31")
    assert (evidence["months"], evidence["learned_cases"]) == (3, 86 * 3)
    assert [value for value, _ in evidence["ordinary"]][-1] == evidence["ordinary_high"]
    assert {*ORDINARY_EVIDENCE} < {*evidence}
    for cases in (75, 74):
        mended = judged(calm)["permit", "2026-04", cases]
        assert mended.muted == ORDINARY and mended.withdrawn
        assert mended.withdrawn.reason == "corrected"


def test_a_fall_below_it_speaks_and_says_what_is_ordinary(calm):
    one = judged(calm)["permit", "2026-05", 40]
    assert one.stands and one.evidence["ordinary_low"] > 40
    behind = f"{one.evidence['ordinary_low']} 至 {one.evidence['ordinary_high']} 件"
    assert behind in one.sentence.zh and "2026-01-05 至 2026-04-30" in one.sentence.zh
    assert f"{one.evidence['ordinary_low']} to {one.evidence['ordinary_high']}" in one.sentence.en


def test_without_a_published_range_it_is_the_published_rule_to_the_byte(calm):
    """No eight weeks before it, no record of the item, or a first number after sixty days."""
    unlearned = judged(run(LINES, [], learning_county("")))
    assert not any(f.muted or "ordinary" in f.evidence for f in unlearned.values())
    bare = [("permit", "2026-03", 85), ("permit", "2026-06", 30), ("food_permit", "2026-04", 80)]
    for key in bare:
        one = msgspec.structs.replace(judged(calm)[key], rulebook=unlearned[key].rulebook)
        assert msgspec.json.encode(one) == msgspec.json.encode(unlearned[key])
    assert judged(calm).keys() == unlearned.keys(), "nothing is found by what was learned"


@pytest.mark.parametrize("seed", range(2))
def test_any_cut_and_any_kill_gives_the_same(calm, seed, tmp_path):
    some = random.Random(seed)
    cuts = sorted(some.sample(range(1, len(LINES)), 12))
    assert told(run(LINES, cuts, COUNTY)) == told(calm)
    assert told(run(LINES, cuts, COUNTY, range(12), tmp_path)) == told(calm)


def test_one_that_does_not_walk_to_the_month_s_end_is_noticed(calm, monkeypatch):
    def hasty(self, learner, key, last_day, at):
        _, state = self.at_work
        return state.books[learner].on(last_day).get(key)

    monkeypatch.setattr(Stride, "limit_of", hasty)
    assert told(run(LINES, [], COUNTY)) != told(calm)


def test_verify_derives_the_range_again(calm, tmp_path, monkeypatch):
    ledger = open_ledger(tmp_path / FILE)
    live = Live(ledger, content=COUNTY)
    for begin in range(0, len(LINES), 100):
        live.post(*LINES[begin : begin + 100])
    assert told(live) == told(calm)
    live.stop()
    ledger.close()
    assert verify(tmp_path).fault == ""
    monkeypatch.setattr(Stride, "limit_of", lambda *asked: None)
    assert RULE in verify(tmp_path).fault


def folder_of(content: Content, tmp_path: Any) -> Any:
    folder = learning_folder(tmp_path / "district")
    (folder / "district.toml").write_bytes(content.district["district.toml"])
    return folder


@pytest.mark.parametrize("workers", [1, 3])
def test_a_replay_comes_to_the_same(calm, tmp_path, workers):
    (tmp_path / "log.ndjson").write_bytes(b"\n".join(LINES) + b"\n")
    folder, out = folder_of(COUNTY, tmp_path), tmp_path / "out"
    logs = (str(tmp_path / "log.ndjson"),)
    replay(Job(logs, str(folder), until=UNTIL, out=str(out), workers=workers))
    epochs = (out / "epochs.ndjson").read_bytes().splitlines()
    assert [msgspec.json.decode(e)["sha256"] for e in epochs] == told(calm)[1]
    found = (out / "findings.ndjson").read_bytes().splitlines()
    made = [msgspec.json.decode(line, type=Finding) for line in found]
    assert {f.finding_id: canonical(f) for f in made} == by_id(calm)


def by_id(live: Live) -> dict[str, bytes]:
    return {i: canonical(f) for i, f in live.findings().items()}


def test_ranges_reach_the_shard_that_judges_departments(calm):
    """Three shards of cases, in a race; the muted falls are told where departments are judged."""
    found, ledgers = raced([line + b"\n" for line in LINES], COUNTY, 40)
    assert found == by_id(calm)
    epochs = ledgers["department-0"].all_epochs()
    assert [row.sha256 for row in epochs] == told(calm)[1]


def test_the_page_of_a_fall_says_what_is_learned_and_what_is_not():
    live = run(LINES, [], COUNTY)
    live.restart()
    found = judged(live)
    with Screens(live) as site:
        page = site.get(f"/findings/{found['permit', '2026-05', 40].finding_id}").text
        assert "界限是公开规定的" in page and '<svg class="plot"' in page and "本月为 40 件" in page
        assert "/models/volume?item=permit#limits" in page and '"code">ordinary<' not in page
        assert "在该月通常范围内" in site.get("/findings?state=muted").text
        bare = site.get(f"/findings/{found['permit', '2026-03', 85].finding_id}").text
        assert "学习所得" not in bare and '<svg class="plot"' not in bare
        site.browser.close()
    live.stop()


# --- what a range may mute, and when it is one ----------------------------------------------------


def test_what_is_above_a_learned_tier_is_never_muted():
    """A district may set a fall to tier 2: then it speaks whatever is ordinary."""
    graver = (
        COUNTY.district["rulebook.toml"]
        + b"\n[rules.offline_operation.bands.month_drop]\ntier = 2\n"
    )
    content = content_with(COUNTY.district | {"rulebook.toml": graver}, COUNTY.rules, COUNTY.at)
    one = judged(run(LINES, [], content))["permit", "2026-04", 73]
    assert (one.tier, one.muted) == (2, None)
    assert one.evidence["ordinary_low"] <= 73 <= one.evidence["ordinary_high"]


def test_a_range_that_stood_still_is_of_another_month():
    """Rolled back in April, the learner stands still: May is judged as if nothing was known."""
    at = "2026-04-10T10:00:00+08:00"
    act = {"kind": "learning", "fact_id": "r1", "received_at": at, "at": at, "learner": "volume",
           "act": "rollback", "actor": "L1", "reason": "moved house"}  # fmt: skip
    lines = sorted([*story()[:-1], act], key=lambda one: one["received_at"])
    told = judged(run([msgspec.json.encode(one) for one in [*lines, story()[-1]]], [], COUNTY))
    assert told["permit", "2026-04", 75].muted == ORDINARY
    assert "ordinary" not in told["permit", "2026-05", 40].evidence


def limit(value: int, until: int = 89) -> Limit:
    return Limit(key=("i", "D"), value=value, n=600, people=0, since=0, until=until)


@pytest.mark.parametrize("monthly", [False, True])
def test_each_month_has_a_limit_of_its_own_however_near(monthly):
    book = EpochBook("volume", 1, Guard(0, 1_000, free=True, monthly=monthly))
    book.begin(90, 0, [limit(100)], 9)
    book.begin(120, 1, [limit(101, 119)], 9)
    assert book.force["i", "D"].until == (119 if monthly else 89)


def test_a_book_knows_what_was_in_force_at_the_end_of_a_day():
    book = EpochBook("volume", 1, Guard(0, 1_000, free=True, monthly=True))
    for day, value in ((90, 100), (120, 200), (150, 300)):
        book.begin(day, day, [limit(value, day - 1)], 9)
    known = {day: [one.value for one in book.on(day).values()] for day in (89, 90, 119, 120, 150)}
    assert known == {89: [], 90: [100], 119: [100], 120: [200], 150: [300]}


SAID = Ordinary("volume", "{ordinary_low} 件", "{ordinary_low} cases")


@pytest.mark.parametrize(
    ("rule", "changes", "fault"),
    [
        (RULE, {"ordinary": Ordinary("volume", "{people} 人", "by {people}")}, "people"),
        (RULE, {"sentence_zh": "{ordinary_low} 件"}, "ordinary_low"),
        ("treasury_gap", {"ordinary": SAID}, "only of a month's volume"),
    ],
)
def test_a_rule_names_what_is_known_of_the_ordinary(rule, changes, fault):
    with pytest.raises(RuleFault, match=fault):
        check_rule(replace(load_shelf()[rule].rule, **changes))
