"""The living middle: what is answered is durable, and judging it again comes to the same."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest
from bridge import Run, engine_of, name_all
from live_kit import ACCEPT, BEGAN, SURVEY, Live, event, line_of
from streams import random_stream

from detector.engine import Engine
from detector.event import Event, Fact
from detector.ledger import LedgerError, Query
from detector.ledger.sqlite_file import FILE, open_ledger
from detector.live import Answer, Fault, Unavailable, Unreadable, snapshot
from detector.live.outside import Limits
from detector.testing import FakeClock, MemoryLedger
from detector.values import read_time

SEEDS = 60


@pytest.fixture
def live():
    """Under --clock events, in memory."""
    one = Live()
    yield one
    one.stop()
    assert not one.failures


def wall_at(at: str) -> FakeClock:
    from detector.workcalendar import Zone

    return FakeClock(read_time(at, Zone("Asia/Shanghai")))


def test_a_finding_is_there_when_the_answer_is(live):
    assert live.post(ACCEPT, SURVEY) == Answer(2, 0, [])
    (found,) = live.findings().values()
    assert found.rule == "too_fast_step" and found.events == ("e1", "e2")
    assert "58" in found.sentence.zh and found.evidence["previous_step"] == "accept"
    assert live.ledger.position().next_event == 3  # the content, and two events


def test_what_is_sent_again_changes_nothing(live):
    live.post(ACCEPT, SURVEY)
    before = live.ledger.position(), live.digest()
    assert live.post(ACCEPT, SURVEY) == Answer(0, 2, [])
    live.restart()
    assert live.post(SURVEY) == Answer(0, 1, [])
    assert (live.ledger.position(), live.digest()) == before
    other = SURVEY | {"operator": "P0103"}
    assert live.post(other) == Answer(0, 0, [Fault(1, "event_id", "conflicting_duplicate")])
    assert [r.text for _, r in live.ledger.refusals(0, 9)] == [msgspec.json.encode(other).decode()]


def test_a_bad_line_costs_its_neighbours_nothing(live):
    answer = live.post(b"nonsense", ACCEPT, {"kind": "odd"}, b"", SURVEY, ACCEPT | {"event_id": ""})
    assert (answer.accepted, answer.duplicates) == (2, 0)
    assert [(f.line, f.field) for f in answer.refused] == [
        (1, "line"),
        (3, "kind"),
        (6, "event_id"),
    ]
    assert [r.line for _, r in live.ledger.refusals(0, 9)] == [1, 3, 6]
    assert live.standing() == ["too_fast_step:too_fast"]
    mended = {
        "kind": "login",
        "fact_id": "f",
        "person": "P",
        "role": "operator",
        "at": "2026-03-02",
    }
    assert live.post(mended) == Answer(1, 0, [])


def test_a_json_array_is_lines_too(live):
    one, two = msgspec.json.format(msgspec.json.encode(ACCEPT)), msgspec.json.encode(SURVEY)
    assert b"\n" in one and live.send(b" [" + one + b",\n" + two + b"]") == Answer(2, 0, [])
    assert isinstance(live.send(b"[1, {"), Unreadable)
    assert live.send(b"[]") == Answer(0, 0, [])
    assert live.send(b"") == Answer(0, 0, [])


def test_facts_are_taken_once(live):
    fact = {
        "kind": "treasury",
        "fact_id": "t1",
        "department": "D01",
        "amount": "5",
        "paid_on": "2026-03-02",
    }
    assert live.post(fact, fact) == Answer(1, 1, [])
    live.restart()
    assert live.post(fact) == Answer(0, 1, [])
    assert live.post(fact | {"amount": "6"}) == Answer(0, 1, []), "known by its id alone"


def test_reporters_are_nowhere(live):
    secret = "zhang-the-reporter"
    told = ACCEPT | {"reporter_name": secret, "extra": {"reporter_phone": secret}}
    assert live.post(told, SURVEY, {"event_id": "x", "reporter_id": secret}).accepted == 2
    kept = b"\n".join(live.lines()) + live.ledger.refusals(0, 9)[0][1].text.encode()
    assert secret.encode() not in kept and b'"extra":{}' in kept
    live.restart()  # what was kept still reads as it was judged
    assert live.post(ACCEPT) == Answer(0, 1, [])


def test_a_correction_finds_its_past_in_the_ledger(live):
    live.post(ACCEPT, SURVEY)
    live.post(event("e3", "10:00:00", step="review", operator="P0103"))
    live.restart()
    mended = event("e2b", "10:30:00", step="survey", operator="P0102", supersedes="e2")
    assert live.post(mended | {"occurred_at": "2026-03-02T09:40:00+08:00"}).accepted == 1
    assert "too_fast_step:too_fast" not in live.standing()
    gone = [f for f in live.findings().values() if f.withdrawn]
    assert [f.withdrawn.reason for f in gone] == ["corrected"]
    told = live.runner.timeline("c1", live.ledger)
    assert [e.number for e in told] == [1, 2, 3, 4]
    assert msgspec.json.decode(told[1].line) == SURVEY
    assert live.runner.timeline("nobody", live.ledger) is None


def test_a_late_comer_is_taken_to_have_arrived_late(live):
    """Under --clock events what comes behind the clock cannot move it back."""
    live.post(event("e9", "2026-03-20T09:00:00", "accept", case_id="other"))
    live.post(ACCEPT)  # its deadlines passed long ago: they are found at once, at their instants
    assert any(line.startswith(b"@>=") for line in live.lines())
    limits = ("overdue_promise", "overdue_statutory")
    assert {f.at[:10] for f in live.findings().values() if f.rule in limits} == {
        "2026-03-09", "2026-03-11", "2026-03-16",
    }  # fmt: skip
    digest = live.digest()
    live.restart()
    assert live.post(ACCEPT) == Answer(0, 1, []) and live.digest() == digest


def test_a_leap_of_a_year_is_refused(live):
    live.post(ACCEPT)
    late = event("z", "2028-03-02T09:00:00", case_id="c2")
    error = "clock_jump: lies too far after the clock"
    assert live.post(late).refused == [Fault(1, "received_at", error)]
    assert live.post(SURVEY).accepted == 1


# -- the wall clock -------------------------------------------------------------------------------


@pytest.fixture
def wall():
    """Under --clock wall, from Monday 2026-03-02 09:00:58 on."""
    one = Live(wall=wall_at("2026-03-02T09:00:58+08:00"))
    yield one
    one.stop()
    assert not one.failures


def test_arrival_is_stamped_whatever_a_line_says(wall):
    wall.post(ACCEPT, SURVEY | {"received_at": "2026-09-09T09:00:00+08:00"})
    stamp = wall.wall.at_us
    assert wall.lines()[0] == b"@%d" % stamp
    assert [e.received_at for e in wall.runner.timeline("c1", wall.ledger)] == [stamp, stamp]


def test_ten_minutes_ahead_is_the_limit(wall):
    assert wall.post(event("a", "09:10:58", "accept")).accepted == 1
    refused = wall.post(event("b", "09:10:59", "accept", case_id="c2")).refused
    assert [(f.field, f.error[:10]) for f in refused] == [("occurred_at", "clock_jump")]


def test_nobody_else_ticks(wall):
    answer = wall.post({"kind": "tick", "at": "2027-01-01T00:00:00Z"})
    assert [f.field for f in answer.refused] == ["kind"]


def test_a_deadline_is_found_when_the_clock_says_so(wall):
    wall.post(ACCEPT, event("e2", "09:00:58", step="survey", operator="P0102"))
    frames = wall.ledger.position().seq
    wall.wall.move(86_400 * 12)
    wall.until(lambda: len(wall.findings()) >= 5)
    assert wall.standing() == [
        "overdue_promise:overdue", "overdue_step:over", "too_fast_step:too_fast",
    ]  # fmt: skip
    at = {f.reason.code: f.at for f in wall.findings().values() if f.rule == "overdue_promise"}
    assert at == {"due_soon": "2026-03-09T17:30:00+08:00", "overdue": "2026-03-11T09:00:00+08:00"}
    ticks = [line for line in wall.lines() if b'"tick"' in line]
    # one for the deadlines; before it one for the notice, unless a tick had come in that instant
    assert len(ticks) in (1, 2) and wall.ledger.position().seq - frames in (1, 2)
    digest = wall.digest()
    wall.stop()
    wall.restart()
    assert wall.digest() == digest


def test_a_clock_that_jumps_back_stands_still_for_us(wall):
    wall.post(ACCEPT)
    stamp = wall.wall.at_us
    wall.wall.move(-3_600)
    assert wall.post(SURVEY).accepted == 1
    assert wall.runner.figures.clock_back_us == 3_600_000_000
    entries = wall.runner.timeline("c1", wall.ledger)
    first, then = (entry.received_at for entry in entries)
    assert first in (stamp, stamp + 1)  # or just behind a tick of that instant
    assert then in (first, first + 1)
    wall.stop()
    wall.restart()  # the ledger remembers where the clock stood
    wall.post(event("e3", "09:00:58", step="review", operator="P0103"))
    assert wall.runner.timeline("c1", wall.ledger)[-1].received_at >= stamp


# -- full, stopping, failing ----------------------------------------------------------------------


def test_a_full_queue_says_when_to_come_again():
    live = Live(limits=Limits(queue_bodies_max=2, queue_bytes_max=1_000), start=False)
    live.runner.state = "ready"  # and nobody takes anything
    said: list[object] = []
    live.runner.submit(b"{}", said.append)
    with pytest.raises(Unavailable, match="full") as full:
        live.runner.submit(b"x" * 1_000, said.append)
    assert (full.value.status, full.value.retry_after_s) == (429, 1)
    live.runner.submit(b"{}", said.append)
    with pytest.raises(Unavailable):
        live.runner.submit(b"{}", said.append)
    assert not said and live.runner.waiting() == (2, 4)


def test_what_is_queued_is_judged_before_the_end():
    live = Live(start=False)
    live.runner.state = "ready"
    said: list[object] = []
    for body in (ACCEPT, SURVEY):
        live.runner.submit(msgspec.json.encode(body), said.append)
    live.runner.start()
    live.runner.stop(30)
    assert said == [Answer(1, 0, []), Answer(1, 0, [])] and live.runner.state == "stopped"
    assert live.runner.figures.batches == 1  # both in one batch
    with pytest.raises(Unavailable, match="stopped"):
        live.runner.submit(b"{}", said.append)


def test_a_full_disk_refuses_and_goes_on_when_there_is_room():
    room = [True]
    live = Live(room=lambda: room[0])
    live.post(ACCEPT)
    room[0] = False
    full = live.send(msgspec.json.encode(SURVEY))
    assert isinstance(full, Unavailable) and full.status == 507 and "disk" in full.reason
    room[0] = True
    assert live.post(SURVEY) == Answer(1, 0, [])
    live.stop()
    assert not live.failures


class Breaks(MemoryLedger):
    """Cannot be written from the third batch on."""

    def commit(self, before, work):
        if before.seq >= 2:
            raise LedgerError("the disk is full: free space under the data folder")
        return super().commit(before, work)


def test_a_commit_that_fails_ends_the_service_and_is_said():
    live = Live(Breaks())
    live.post(ACCEPT)
    said = live.send(msgspec.json.encode(SURVEY))
    assert isinstance(said, Unavailable) and "the disk is full" in said.reason
    live.runner._thread.join(30)
    assert live.runner.state == "failed" and len(live.failures) == 1
    with pytest.raises(Unavailable):
        live.runner.submit(b"{}", print)
    assert live.ledger.position().seq == 2 and not live.findings()


# -- the same, whatever happens -------------------------------------------------------------------


def told_stream(seed: int):
    """A setting and its inputs in order of arrival, all with ids."""
    setting, events = random_stream(random.Random(seed))
    setting = replace(setting, operators_known=True, reasons_known=True)
    setting = replace(setting, documents_known=True, fields_known=True)
    placed = sorted(
        enumerate(name_all(events)),
        key=lambda p: (p[1].received_at, isinstance(p[1], Fact) and p[1].kind == "tick", p[0]),
    )
    events = [e for _, e in placed if isinstance(e, Event) or e.kind == "tick"]
    at = max(e.received_at for e in events) + setting.lateness_s * 1_000_000
    tick = Fact(kind="tick", received_at=at, fields={"at": at})
    return setting, events, [line_of(e) for e in [*events, tick]]


def patient(district, rulebook):
    """An engine whose clock may leap: some streams begin with a slip of years."""
    limits = replace(district.limits, clock_jump_days_max=36_600)
    return Engine(replace(district, limits=limits), rulebook)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_cut_killed_and_sent_again(seed, tmp_path):
    """Any cut, any restart, with and without a snapshot: the digest of one straight run."""
    setting, events, lines = told_stream(seed)
    rng = random.Random(seed)
    live = Live(make=lambda content: engine_of(setting, make=patient), snapshots=tmp_path)
    cuts = sorted({0, len(lines), *rng.sample(range(len(lines) + 1), min(6, len(lines)))})
    for begin, end in pairwise(cuts):
        answer = live.post(*lines[begin:end])
        fate = rng.random()
        if fate < 0.25:
            live.take_snapshot()
        if fate < 0.5:
            live.stop()
            live.restart()
        if not answer.refused:  # what was refused may be taken when it is sent again
            again = live.post(*lines[begin:end])
            events_sent = sum(b'"tick"' not in line for line in lines[begin:end])
            assert again.duplicates == events_sent and not again.refused
    live.stop()
    straight = Run(setting, events)
    assert live.digest_of_findings() == straight.digest()
    assert not live.failures
    held = {(c.rule, c.reason): 0 for c in live.ledger.counts()}
    for count in live.ledger.counts():
        held[count.rule, count.reason] += count.n
    wanted = {k: n for k, n in straight.outcome.undetermined.items() if n}
    assert {k: n for k, n in held.items() if k in wanted} == wanted


def test_a_snapshot_that_does_not_fit_is_passed_over(tmp_path):
    live = Live(snapshots=tmp_path)
    live.post(ACCEPT)
    live.take_snapshot()
    live.post(SURVEY)
    live.take_snapshot()
    live.stop()
    digest = live.digest()
    newest, older = snapshot.found(tmp_path)
    whole = newest.read_bytes()
    for cut in (0, 7, 40, len(whole) // 2, len(whole) - 1):
        newest.write_bytes(whole[:cut])
        live.restart()
        assert live.recovered.snapshot_seq == 2 and live.recovered.replayed == 1
        assert "snapshot" in live.recovered.passed_over[0] and live.digest() == digest
        live.stop()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    newest.write_bytes(flipped)
    older.unlink()
    live.restart()
    assert (live.recovered.snapshot_seq, live.recovered.replayed) == (0, 2)
    assert live.post(SURVEY) == Answer(0, 1, [])
    live.stop()


def test_a_snapshot_of_another_engine_or_journal_is_passed_over(tmp_path, monkeypatch):
    live = Live(snapshots=tmp_path)
    live.post(ACCEPT)
    live.take_snapshot()
    live.stop()
    other = Live(snapshots=tmp_path)
    assert "no place of this journal" in other.recovered.passed_over[0]
    other.stop()
    monkeypatch.setattr(snapshot, "engine_edition", lambda: "another")
    live.restart()
    assert "another edition" in live.recovered.passed_over[0]
    live.stop()


def test_a_ledger_is_begun_once(tmp_path):
    from detector.live.genesis import begin

    ledger = open_ledger(tmp_path / FILE)
    live = Live(ledger)
    live.stop()
    changed = msgspec.structs.replace(
        live.content, district=live.content.district | {"people.csv": b""}
    )
    begin(ledger, changed)  # another is taken as a change, not as a beginning
    begin(ledger, msgspec.structs.replace(live.content, at=BEGAN + 5))
    assert ledger.position().seq == 1 and ledger.findings(Query()) == []
    live.restart(False)
    assert live.runner.shard.contents[0].content.at == BEGAN
    ledger.close()


def test_sentences_speak_as_people_do(live):
    """Chinese words for steps and duties, numbers of two decimals; codes in English."""
    live.post(ACCEPT, event("e2", "2026-03-04T10:00:00", step="survey", operator="P0102"))
    late = event("e3", "2026-03-12T15:07:11", "decide")
    live.post(late | {"occurred_at": "2026-03-05T09:00:00+08:00"})
    told = {f.rule: f.sentence for f in live.findings().values()}
    assert "“受理”" in told["same_person"].zh and "accept" not in told["same_person"].zh
    assert '"accept"' in told["same_person"].en
    assert "39.62 个工作小时" in told["back_entry"].zh and "允许 24 个" in told["back_entry"].zh
