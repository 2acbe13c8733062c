"""Facts from end to end: a living service, its snapshots, its proof, and replays of its lines."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from live_kit import COUNTY, Live, event

from detector.facts_desk import FactState
from detector.ledger.sqlite_file import FILE, open_ledger
from detector.testing import MemoryLedger
from replay.run import Job, Replayed, replay
from replay.verify import verify

UNTIL = "2026-05-12T00:00:00+08:00"
FOUND = {
    "overdue_complaint", "overdue_consultation", "idle_supervisor", "treasury_gap",
    "offline_operation",
}  # fmt: skip


def story() -> list[dict[str, Any]]:
    """Two months of a county's facts and fines, some of them late, mended or told twice."""
    rng, lines = random.Random(7), list[dict[str, Any]]()

    def fact(kind: str, name: str, received: str, **told: Any) -> None:
        lines.append(
            {"kind": kind, "fact_id": name, "received_at": f"2026-{received}+08:00"} | told
        )

    for n in range(12):
        kind, day = ("complaint", "consultation")[n % 2], f"03-{n + 2:02d}"
        told = {"department": f"D0{n % 3 + 1}", "received_on": f"2026-{day}"}
        fact(kind, f"v{n}", f"{day}T23:59:59", **told)
        fact(kind, f"v{n}", f"04-{n + 2:02d}T10:00:00", **told, answered_on=f"2026-03-{n + 15:02d}")
    for n in range(30):
        day, who = f"03-{rng.randint(2, 31):02d}T09:00:00", rng.choice(("P0105", "P0205"))
        late = day if n % 3 else "04-02T12:00:00"
        fact("login", f"l{n}", late, person=who, role="supervisor", at=f"2026-{day}+08:00")
    for n in range(20):
        told = {"case_id": f"c{n}", "item": "safety_fine", "fine": f"{1 + n}0000"}
        at = f"2026-03-{n + 2:02d}T10:00:00"
        lines.append(event("e1", at, "decide", **told))
        if n % 4 == 0:
            later = {"supersedes": "e1", "fine": "500", "occurred_at": f"{at}+08:00"}
            lines.append(event("e2", f"2026-04-{n + 6:02d}T10:00:00", "decide", **told | later))
        if n % 3:
            paid = {"amount": f"{1 + n}0000", "paid_on": "2026-03-25", "department": "D01"}
            fact("treasury", f"t{n}", f"04-{n + 8:02d}T09:00:00", case_id=f"c{n}", **paid)
    for period, cases, received in (
        ("02", 900, "03-02"),
        ("03", 800, "04-02"),
        ("03", 700, "04-30"),
    ):
        told = {"department": "D01", "item": "safety_fine", "period": f"2026-{period}"}
        fact("volume", f"n{period}{cases}", f"{received}T12:00:00", **told, cases=cases)
    lines += rng.sample(lines, 10)
    lines.sort(key=lambda line: (line.get("received_at") or line["recorded_at"])[:19])
    return lines


STORY = story()
TICK = {"kind": "tick", "at": UNTIL}


def lived(live: Live, rng: random.Random | None = None) -> str:
    """Feed the story in pieces, now and then with a snapshot or a kill between two; the digest."""
    begin = 0
    while begin < len(STORY):
        end = begin + (rng.randint(1, 12) if rng else 50)
        live.post(*STORY[begin:end])
        begin = end
        if rng and rng.random() < 0.4:
            live.take_snapshot()
        if rng and rng.random() < 0.4:
            live.stop()
            live.restart()
    live.post(TICK)
    return live.digest()


def test_killed_and_resumed_as_if_nothing_was(tmp_path):
    straight, broken = Live(), Live(snapshots=tmp_path)
    digest = lived(straight)
    stands = {f.rule for f in straight.findings().values() if f.stands}
    withdrawn = {f.rule for f in straight.findings().values() if f.withdrawn}
    assert stands >= FOUND
    assert withdrawn >= FOUND
    assert lived(broken, random.Random(3)) == digest
    state = broken.runner.shard.state.facts
    broken.stop()
    broken.take_snapshot()
    broken.restart()
    assert broken.recovered.snapshot_seq > 0
    assert broken.recovered.replayed == 0, "the snapshot holds everything"
    assert broken.runner.shard.state.facts == state
    broken.stop()
    again = Live(broken.ledger)
    assert again.runner.shard.state.facts == state, "and so does the journal alone"
    again.stop()
    straight.stop()


def test_a_snapshot_that_forgets_the_facts_is_noticed(tmp_path, monkeypatch):
    live = Live(snapshots=tmp_path)
    digest = lived(live)
    live.stop()
    live = Live(MemoryLedger(), snapshots=tmp_path / "other")
    live.post(*STORY[:60])
    live.take_snapshot()
    live.stop()
    monkeypatch.setattr(FactState, "load", classmethod(lambda cls, data: cls()))
    live.restart()
    live.post(*STORY[60:], TICK)
    assert live.digest() != digest
    live.stop()


def test_the_ledger_of_facts_is_proved_again(tmp_path):
    ledger = open_ledger(tmp_path / FILE)
    live = Live(ledger)
    digest = lived(live)
    live.stop()
    ledger.close()
    told = verify(tmp_path)
    assert (told.fault, told.digest) == ("", digest)


def test_a_ledger_whose_undetermined_facts_were_counted_is_proved_again(tmp_path):
    ledger = open_ledger(tmp_path / FILE)
    live = Live(ledger)
    live.post(*[line for line in STORY if line.get("kind") in (None, "volume")], TICK)
    live.stop()
    told = {(c.rule, c.reason, c.department): c.n for c in ledger.counts()}
    assert told["treasury_gap", "no_treasury", "D01"] == 1
    assert told["offline_operation", "no_history", "D01"] == 1
    ledger.close()
    assert verify(tmp_path).fault == ""


@pytest.mark.slow  # processes
def test_replays_come_to_what_was_found_alive_however_many_work(tmp_path):
    live = Live()
    digest = lived(live)
    live.stop()
    one, three = (_replayed(tmp_path, workers=n, batch_rows=b) for n, b in ((1, 4_096), (3, 2)))
    assert one.summary["digest"] == digest
    for name in ("digest", "undetermined_reasons", "by_rule", "withdrawn_by_rule", "facts"):
        assert one.summary[name] == three.summary[name]
    assert (tmp_path / "out-1" / "findings.ndjson").read_bytes() == (
        tmp_path / "out-3" / "findings.ndjson"
    ).read_bytes()


@pytest.mark.slow
def test_what_nobody_can_know_is_written_with_its_subject(tmp_path):
    replayed = _replayed(tmp_path, keep=lambda line: line.get("kind") in (None, "volume"))
    reasons = replayed.summary["undetermined_reasons"]
    assert reasons["idle_supervisor"] == {"no_logins": 9}, "once a supervisor"
    assert reasons["treasury_gap"] == {"no_treasury": 1}
    assert reasons["offline_operation"] == {"no_history": 1}
    told = [
        msgspec.json.decode(line)
        for line in (tmp_path / "out-1" / "undetermined.ndjson").read_bytes().splitlines()
    ]
    [gap] = [row for row in told if row["rule"] == "treasury_gap"]
    assert (gap["per"], gap["subject_kind"], gap["subject"]) == ("subject", "department", "D01")
    assert (gap["item"], gap["case_id"], gap["event_id"]) == ("safety_fine", None, None)
    assert gap["at"] == "2026-04-20T09:00:00+08:00"
    [other, *_] = [row for row in told if row["per"] == "event"] or [None]
    assert other is None or (other["subject"], type(other["case_id"])) == (None, str)


def _replayed(tmp_path: Path, workers: int = 1, keep: Any = None, **how: Any) -> Replayed:
    path = tmp_path / "log.ndjson"
    lines = [line for line in STORY if keep is None or keep(line)]
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    out = str(tmp_path / f"out-{workers}")
    return replay(Job((str(path),), str(COUNTY), until=UNTIL, workers=workers, out=out, **how))
