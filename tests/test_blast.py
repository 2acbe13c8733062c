"""The blast-radius guard: a rule that was changed and floods a department is put in shadow."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from live_kit import Live, county, edited, event
from test_change import resumed, tick, with_rules

from detector.ledger.content import Content
from detector.ledger.sqlite_file import FILE, open_ledger
from detector.live.blast import Blast
from detector.live.contents import following
from replay.run import Job, replay
from replay.verify import verify

MOST = 5
LOUDER = "[rules.off_hours.bands.off_hours]\nedge = 5"
RULE = "off_hours"


@pytest.fixture(scope="module")
def content() -> Content:
    return limited(county(), MOST)


def limited(content: Content, most: int) -> Content:
    """The county with a limit of the guard."""
    book = content.district["rulebook.toml"]
    files = content.district | {"rulebook.toml": b"blast_radius_max = %d\n" % most + book}
    return Content(content.at, files, content.rules, content.calendar)


class Guarded(Live):
    """A live service with its guard."""

    def restart(self, start: bool = True) -> None:
        super().restart(start=False)
        self.said: list[tuple[str, dict]] = []
        Blast(self.runner, lambda *told: self.said.append(told)).begin(self.ledger.reader())
        if start:
            self.runner.start()

    def guarded(self) -> list[str]:
        """The rules that are guarded once everything that is queued was done."""
        self.post()
        return self.runner.shard.contents[-1].content.guarded


@pytest.fixture
def live(content):
    one = Guarded(content=content)
    yield one
    one.stop()
    assert not one.failures


def late(first: int, count: int, day: str = "2026-03-03", **more) -> list[dict]:
    """Applications, each of a case of its own, an hour and a half after the office closed."""
    return [
        event(f"a{n}", f"{day}T19:{n % 60:02d}:00", "apply", case_id=f"a{n}", **more)
        for n in range(first, first + count)
    ]


def muted(live: Live) -> list[str | None]:
    some = [f for f in live.findings().values() if f.rule == RULE]
    return [f.muted for f in sorted(some, key=lambda f: f.at)]


def test_a_changed_rule_that_floods_an_hour_is_put_in_shadow(live, content):
    live.post(event("e1", "09:00:00", "accept"))
    live.change(with_rules(content, LOUDER))
    live.post(*late(0, MOST))
    assert live.guarded() == [], "as many are allowed"
    live.post(*late(MOST, 1))
    assert live.guarded() == [RULE]
    live.post(*late(MOST + 1, 3))
    assert muted(live) == [None] * (MOST + 1) + ["blast_radius"] * 3
    [(what, told)] = live.said
    assert what == "rules_guarded" and told["rules"] == [RULE]
    assert told["floods"] == [
        {"rule": RULE, "department": "D01", "findings": MOST + 1, "hour": "2026-03-03T11:00:00Z"}
    ]  # fmt: skip
    assert live.runner.about()["guarded"] == [RULE]
    told = {(c.rule, c.reason): c.n for c in live.ledger.counts() if c.kind == "muted"}
    assert told[RULE, "blast_radius"] == 3
    digest = live.digest()
    assert resumed(live) == digest


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (late(0, MOST) + late(10, MOST, department="D02"), "departments are counted apart"),
        (late(0, MOST) + late(10, MOST, "2026-03-04"), "and so are hours"),
        (late(0, 2 * MOST, imported=True), "what may not speak is not counted"),
    ],
)
def test_what_is_no_flood(live, content, lines, why):
    live.post(event("e1", "09:00:00", "accept"))
    live.change(with_rules(content, LOUDER))
    live.post(*lines)
    assert live.guarded() == [], why


def test_a_rule_that_was_not_changed_may_say_what_it_has_to(live, content):
    live.post(*late(0, 2 * MOST))
    live.change(with_rules(content, "[rules.late_exchange]\nmode = 'shadow'"))
    live.post(*late(20, 2 * MOST, "2026-03-04"))
    assert live.guarded() == []


def test_a_change_is_new_for_seven_days(live, content):
    live.post(event("e1", "09:00:00", "accept"), tick("2026-03-02T10:00:00+08:00"))
    live.change(with_rules(content, LOUDER))
    live.post(tick("2026-03-09T10:00:01+08:00"), *late(0, 2 * MOST, "2026-03-09"))
    assert live.guarded() == []


def test_a_clock_rule_is_never_silenced(live, content):
    live.post(*(event(f"e{n}", "09:00:00", "accept", case_id=f"c{n}") for n in range(20)))
    live.change(with_rules(content, "[rules.overdue_promise.bands.overdue]\ntier = 3"))
    live.post(tick("2026-04-20T10:00:00+08:00"))
    late = [f for f in live.findings().values() if f.rule == "overdue_promise" and f.stands]
    assert len(late) == 20 and live.guarded() == []


def test_a_guarded_rule_stays_so_until_somebody_looks(live, content):
    live.post(event("e1", "09:00:00", "accept"))
    changed = with_rules(content, LOUDER)
    live.change(changed)
    live.post(*late(0, MOST + 1))
    assert live.guarded() == [RULE]

    def take(following_content: Content) -> list[str]:
        shard = live.runner.shard
        change = following(following_content, shard.contents[-1], shard.engine)
        live.change(change.content)
        return live.guarded()

    elsewhere = edited(changed, "district.toml", "off = [", 'off = ["2026-03-05", ')
    assert take(elsewhere) == [RULE], "another change leaves it"
    live.stop()
    live.restart()
    assert live.guarded() == [RULE], "and so does a new start"
    mended = edited(changed, "rulebook.toml", LOUDER, LOUDER.replace("5", "6"))
    assert take(mended) == [], "its own change lifts it"
    live.post(*late(30, MOST + 1, "2026-03-04"))
    assert live.guarded() == [RULE]
    assert take(edited(mended, "rulebook.toml", f"_max = {MOST}", "_max = 60")) == []
    live.post(*late(50, MOST + 1, "2026-03-04"))
    assert live.guarded() == [], "who moves the limit has looked"


def test_what_came_before_a_new_start_counts(live, content):
    live.post(event("e1", "09:00:00", "accept"))
    live.change(with_rules(content, LOUDER))
    live.post(*late(0, MOST))
    live.stop()
    live.restart()
    live.post(*late(MOST, 1))
    assert live.guarded() == [RULE]


def test_a_change_that_another_overtook_is_not_taken(live, content):
    shard = live.runner.shard
    mine = following(with_rules(content, LOUDER), shard.contents[-1], shard.engine)
    live.change(with_rules(content, "# another"))
    said: list[Any] = []
    live.runner.change(mine, said.append)
    live.post()
    assert "another change came first" in str(said[0].reason)


def test_a_ledger_with_a_guarded_rule_is_proved_again(content, tmp_path):
    ledger = open_ledger(tmp_path / FILE)
    live = Guarded(ledger, content=content)
    live.post(event("e1", "09:00:00", "accept"))
    live.change(with_rules(content, LOUDER))
    live.post(*late(0, 3 * MOST))
    assert live.guarded() == [RULE]
    live.post(*late(30, MOST))
    digest = live.digest()
    live.stop()
    ledger.close()
    proved = verify(tmp_path)
    assert (proved.fault, proved.digest) == ("", digest)


@pytest.mark.parametrize(("most", "floods"), [(MOST, 1), (MOST + 3, 0)])
def test_a_replay_says_what_would_have_been_stopped(content, tmp_path, most, floods):
    folder = tmp_path / "county"
    for name, data in limited(county(), most).district.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    lines = late(0, MOST + 3) + late(20, MOST + 3, imported=True, department="D02")
    log = tmp_path / "log.ndjson"
    log.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    plain, told = (replay(Job((str(log),), str(folder), guard=g)).summary for g in (False, True))
    hour = {"rule": RULE, "department": "D01", "hour": "2026-03-03T19", "findings": MOST + 3}
    assert told.pop("floods") == [hour] * floods
    assert "floods" not in plain and told["digest"] == plain["digest"]
    assert told["muted_reasons"][RULE] == {"imported": MOST + 3}


def test_an_override_cannot_escape_the_guard(content):
    loud = '[[rules.off_hours.override]]\ndepartment = "D02"\nmode = "on"\nreason = "a"\n'
    loud += 'approved_by = "b"'
    quiet = loud.replace("D02", "D03").replace('"on"', '"off"')
    changed = with_rules(content, f"{LOUDER}\n{loud}\n{quiet}")
    [rule] = [c for c in changed.engine().rulebook.rules if c.rule.id == RULE]
    one = rule.guarded()
    for department, mode in (("D01", "guarded"), ("D02", "guarded")):
        met = one.meets(None, department, None, 0)
        assert met is not None and met.mode == mode
    assert one.meets(None, "D03", None, 0) is None
    assert one.hushed(None, "D01", None, 0) == "blast_radius"
