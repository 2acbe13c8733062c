"""Another district or rulebook comes into force while a ledger goes on: what stands, and that the
same follows from the journal again."""

from __future__ import annotations

import random
from itertools import pairwise

import msgspec
import pytest
from bridge import engine_of
from live_kit import ACCEPT, SURVEY, Live, county, edited, event
from test_handover import changed_setting
from test_live import patient, told_stream

from detector.ledger.content import Content, read_content
from detector.ledger.journal import blocks_of, text_of
from detector.ledger.sqlite_file import FILE, open_ledger
from detector.testing import FakeClock, MemoryLedger
from replay.verify import verify

SEEDS = 30
RULEBOOK = "rulebook.toml"


@pytest.fixture(scope="module")
def content():
    return county()


@pytest.fixture
def live(content):
    """Under --clock events, in memory."""
    one = Live(content=content)
    yield one
    one.stop()
    assert not one.failures


def with_rules(content: Content, more: str) -> Content:
    """The county with more in its rulebook."""
    return edited(content, RULEBOOK, "# 同一人操作：", more + "\n# 同一人操作：")


def told(live: Live, rule: str) -> list[tuple]:
    """(code, local day, why withdrawn) of a rule's findings."""
    some = [f for f in live.findings().values() if f.rule == rule]
    return sorted((f.reason.code, f.at[:16], f.withdrawn and f.withdrawn.reason) for f in some)


def resumed(live: Live) -> str:
    """The digest after a start that reads the whole journal."""
    live.stop()
    live.restart()
    other = Live(MemoryLedger(), content=live.content, start=False)
    other.ledger = live.ledger
    other.restart(False)
    assert other.runner.shard.contents[-1].digest == live.runner.shard.contents[-1].digest
    state, again = live.runner.shard.state.cases, other.runner.shard.state.cases
    known = len(live.runner.shard.words.case)
    assert (state.table["raised"][:known] == again.table["raised"][:known]).all()
    return live.digest()


def tick(at: str) -> dict:
    return {"kind": "tick", "at": at}


# -- clocks ---------------------------------------------------------------------------------------


def test_a_deadline_that_moves_is_withdrawn_and_raised_anew(live, content):
    """A holiday more: what was overdue on the 11th is so on the 12th."""
    live.post(ACCEPT, tick("2026-03-20T00:00:00Z"))
    assert told(live, "overdue_promise") == [
        ("due_soon", "2026-03-09T17:30", "superseded"), ("overdue", "2026-03-11T09:00", None)
    ]  # fmt: skip
    holiday = edited(content, "district.toml", "off = [", 'off = ["2026-03-05", ')
    assert live.change(holiday) == ["district.toml", "calendar"]
    assert told(live, "overdue_promise") == [
        ("due_soon", "2026-03-09T17:30", "limit_changed"),
        ("due_soon", "2026-03-10T17:30", "superseded"),
        ("overdue", "2026-03-11T09:00", "limit_changed"),
        ("overdue", "2026-03-12T09:00", None),
    ]
    assert "2026-03-20T08:00:00.000001" in {
        f.withdrawn.at[:26] for f in live.findings().values() if f.withdrawn
    }
    digest = live.digest()
    assert resumed(live) == digest
    assert live.change(holiday) == [] and live.digest() == digest


def test_a_clock_that_is_off_leaves_its_findings_and_comes_back_dated(live, content):
    live.post(ACCEPT, tick("2026-03-20T00:00:00Z"))
    before = told(live, "overdue_promise")
    live.change(with_rules(content, '[rules.overdue_promise]\nmode = "off"'))
    live.post(event("z", "2026-03-10T09:00:00", "accept", case_id="c9"))
    live.post(tick("2026-04-20T00:00:00Z"))
    assert told(live, "overdue_promise") == before
    live.change(content)  # and now the other case is dated from what was remembered
    assert ("overdue", "2026-03-19T09:00", None) in told(live, "overdue_promise")
    digest = live.digest()
    assert resumed(live) == digest


def test_a_case_that_was_closed_is_not_judged_again(live, content):
    live.post(ACCEPT, event("e9", "2026-03-16T10:00:00", "close", result="granted"))
    before = told(live, "overdue_promise")
    assert ("overdue", "2026-03-11T09:00", None) in before
    live.change(edited(content, "district.toml", "off = [", 'off = ["2026-03-05", '))
    live.post(tick("2026-04-20T00:00:00Z"))
    assert told(live, "overdue_promise") == before


def test_a_year_that_comes_to_be_covered_gives_the_full_tier(content):
    early = edited(content, "district.toml", "covered_to = 2026", "covered_to = 2025")
    live = Live(content=early)
    live.post(ACCEPT, tick("2026-03-20T00:00:00Z"))
    tiers = {f.reason.code: f.tier for f in live.findings().values() if "promise" in f.rule}
    assert tiers == {"due_soon": 0, "overdue": 0}
    live.change(content)
    found = [f for f in live.findings().values() if f.rule == "overdue_promise"]
    assert {f.reason.code: (f.tier, f.stands) for f in found} == {
        "due_soon": (0, False), "overdue": (2, True)
    }  # fmt: skip
    digest = live.digest()
    assert resumed(live) == digest
    live.stop()
    assert not live.failures


# -- events ---------------------------------------------------------------------------------------


def test_findings_of_events_stay_and_the_next_event_meets_the_new_rulebook(live, content):
    live.post(ACCEPT, SURVEY)
    assert live.standing() == ["too_fast_step:too_fast"]
    live.change(edited(content, RULEBOOK, "limit_s = 1800", "limit_s = 30"))
    live.post(ACCEPT | {"case_id": "c2"}, SURVEY | {"case_id": "c2"})
    found = [f for f in live.findings().values() if f.rule == "too_fast_step"]
    assert [f.case_id for f in found if f.stands] == ["c1"]


def test_a_correction_judges_the_case_by_what_is_in_force_now(live, content):
    """What only the old rulebook found is withdrawn with it, also where it did not rest on the
    event that was wrong."""
    live.post(ACCEPT, SURVEY)
    live.post(event("e3", "11:00:00", step="review", operator="P0103"))
    live.change(edited(content, RULEBOOK, "limit_s = 1800", "limit_s = 30"))
    wrong = event("e3b", "11:30:00", step="review", operator="P0103", supersedes="e3")
    assert live.post(wrong).accepted == 1
    assert told(live, "too_fast_step") == [("too_fast", "2026-03-02T09:00", "corrected")]
    digest = live.digest()
    assert resumed(live) == digest


def test_what_the_new_rulebook_only_would_have_found_is_not_withdrawn(live, content):
    """It was never raised: the case had been judged by the rulebook of its day."""
    lenient = edited(content, RULEBOOK, "limit_s = 1800", "limit_s = 30")
    other = Live(content=lenient)
    other.post(ACCEPT, SURVEY)
    other.change(content)
    other.post(event("e2b", "11:00:00", step="survey", operator="P0102", supersedes="e2"))
    assert told(other, "too_fast_step") == []
    assert resumed(other) == other.digest()
    other.stop()
    assert not other.failures


def test_an_item_that_is_added_is_known_from_then_on(live, content):
    strange = {"item": "new_permit", "case_id": "c5"}
    live.post(ACCEPT | strange)
    new = '\n[[items]]\ncode = "new_permit"\nname = "新许可"\ntype = "01"\npromised_days = 3\n'
    new += '[[items.steps]]\ncode = "accept"\nrequired = true\n[[items.steps]]\ncode = "close"\n'
    files = content.district | {"catalogue/new.toml": new.encode()}
    live.change(msgspec.structs.replace(content, district=files))
    live.post(event("z", "2026-03-03T09:00:00", "close", result="granted", **strange))
    live.post(tick("2026-04-20T00:00:00Z"))
    assert "unlisted_power:unlisted" in live.standing()
    assert not [f for f in live.findings().values() if f.rule == "skipped_step"]
    assert resumed(live) == live.digest()


def test_lines_from_before_are_read_as_they_were(live, content):
    """Naive stamps, dropped fields: a timeline and a correction read old lines by their own day."""
    refusal = event("e2", "10:00:00", "return", result="returned", reason="x" * 12)
    live.post(ACCEPT, refusal)
    dropping = edited(content, "district.toml", "drop = [", 'drop = ["reason", ')
    live.change(dropping)
    live.post(event("e3", "11:00:00", step="survey", operator="P0102", reason="secret"))
    lines = [msgspec.json.decode(e.line) for e in live.runner.timeline("c1", live.ledger)]
    assert [line.get("reason") for line in lines] == [None, "x" * 12, None]
    live.post(event("e3b", "11:10:00", step="survey", operator="P0102", supersedes="e3"))
    assert not [f for f in live.findings().values() if f.rule == "unreasoned_refusal"]
    assert resumed(live) == live.digest()


# -- the journal ----------------------------------------------------------------------------------


def test_an_unchanged_file_is_journalled_once(live, content):
    changed = edited(content, RULEBOOK, "limit_s = 1800", "limit_s = 30")
    live.change(changed)
    first, second = live.ledger.frames()
    line = blocks_of(text_of(second))[0].data
    assert len(line) < len(text_of(first)) // 8 and b"limit_s = 30" in line
    read = read_content(line, content)
    assert read.digest() == changed.digest() and read.district == changed.district
    with pytest.raises(KeyError):
        read_content(line)


def test_before_any_input_a_change_has_no_time(live, content):
    live.change(edited(content, RULEBOOK, "limit_s = 1800", "limit_s = 30"))
    live.post(ACCEPT, SURVEY)
    assert live.standing() == []
    live.post(event("e2b", "11:00:00", step="survey", operator="P0102", supersedes="e2"))
    assert resumed(live) == live.digest()


def test_under_the_wall_clock_it_is_dated_by_that(content):
    from detector.values import read_time
    from detector.workcalendar import Zone

    wall = FakeClock(read_time("2026-03-02T09:00:58+08:00", Zone("Asia/Shanghai")))
    live = Live(wall=wall, content=content)
    live.post(ACCEPT)
    wall.move(60)
    live.change(edited(content, RULEBOOK, "limit_s = 1800", "limit_s = 30"))
    frame = list(live.ledger.frames())[-1]
    assert frame.at_lo == frame.at_hi >= wall.at_us - 1
    live.post(SURVEY)
    assert live.standing() == []
    live.stop()
    assert not live.failures


@pytest.fixture(scope="module")
def whole(tmp_path_factory, content):
    """A ledger on a disk in which the district changed twice, and the digest of its findings."""
    path = tmp_path_factory.mktemp("whole")
    ledger = open_ledger(path / FILE)
    live = Live(ledger, content=content)
    live.post(ACCEPT, tick("2026-03-20T00:00:00Z"))
    live.change(edited(content, "district.toml", "off = [", 'off = ["2026-03-05", '))
    live.post(event("a", "2026-03-21T09:00:00", "accept", case_id="c2"))
    live.change(with_rules(content, '[rules.overdue_promise]\nmode = "shadow"'))
    live.post(tick("2026-05-20T00:00:00Z"))
    live.stop()
    digest = live.digest()
    ledger.close()
    return path, digest


def test_it_is_proved_again(whole):
    path, digest = whole
    proved = verify(path)
    assert proved.fault == "" and proved.digest == digest


@pytest.mark.parametrize("column", ["data", "hash", "back", "seal"])
def test_a_content_that_was_tampered_with_is_named(whole, tmp_path, column):
    import pysqlite3.dbapi2 as driver

    (tmp_path / FILE).write_bytes((whole[0] / FILE).read_bytes())
    connection = driver.connect(str(tmp_path / FILE), isolation_level=None)
    rows = connection.execute(f"SELECT seq, {column}, n FROM journal ORDER BY seq").fetchall()
    seq, blob, _ = rows[2]  # the content, the acceptance with a tick, the change
    spoilt = bytearray(blob)
    spoilt[len(spoilt) // 2] ^= 1
    connection.execute(f"UPDATE journal SET {column} = ? WHERE seq = ?", (bytes(spoilt), seq))
    connection.close()
    assert f"journal frame {seq}" in verify(tmp_path).fault


def test_a_snapshot_behind_a_change_knows_who_judged_before(content, tmp_path):
    """It names the contents of its journal; a correction of the past asks for the old ones."""
    live = Live(content=content, snapshots=tmp_path)
    live.post(ACCEPT, SURVEY)
    live.take_snapshot()
    live.change(edited(content, RULEBOOK, "limit_s = 1800", "limit_s = 30"))
    live.change(edited(content, RULEBOOK, "limit_s = 1800", "limit_s = 20"))
    live.post(event("e3", "11:00:00", step="review", operator="P0103"))
    live.take_snapshot()
    live.stop()
    live.restart()
    assert live.recovered.snapshot_seq == live.ledger.position().seq
    assert [one.seq for one in live.runner.shard.contents] == [1, 3, 4]
    live.post(event("e3b", "11:30:00", step="review", operator="P0103", supersedes="e3"))
    assert told(live, "too_fast_step") == [("too_fast", "2026-03-02T09:00", "corrected")]
    timeline = live.runner.timeline("c1", live.ledger)
    assert timeline is not None and [e.number for e in timeline] == [1, 2, 5, 6]
    digest = live.digest()
    live.snapshots = None
    assert resumed(live) == digest
    live.stop()
    assert not live.failures


# -- the same, whatever happens -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(SEEDS))
def test_changed_cut_killed_and_resumed(seed, tmp_path):
    """A run with changes, straight, and killed and resumed at any point, come to the same."""
    setting, _, lines = told_stream(seed)
    rng = random.Random(seed)
    settings = [setting, changed_setting(rng, setting), changed_setting(rng, setting)]
    cuts = sorted({0, len(lines), *rng.sample(range(len(lines) + 1), min(6, len(lines)))})
    changes = {cut: n for n, cut in enumerate(sorted(rng.sample(cuts, min(2, len(cuts)))), 1)}

    def make(content):
        return engine_of(settings[int(content.district["which"])], make=patient)

    def which(number):
        return Content(0, {"which": b"%d" % number}, {}, {})

    def run(killed: bool) -> Live:
        live = Live(make=make, snapshots=tmp_path if killed else None, content=which(0))
        for begin, end in pairwise(cuts):
            if begin in changes:
                assert live.change(which(changes[begin])) == ["which"]
            live.post(*lines[begin:end])
            fate = rng.random() if killed else 1
            if fate < 0.25:
                live.take_snapshot()
            if fate < 0.5:
                live.stop()
                live.restart()
        live.stop()
        assert not live.failures
        return live

    straight, killed = run(False), run(True)
    assert killed.digest() == straight.digest()
    assert sorted(map(str, killed.ledger.counts())) == sorted(map(str, straight.ledger.counts()))
