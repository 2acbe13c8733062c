"""A correction leaves no learned accusation behind, and is learned once."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import learning_kit
import msgspec
import pytest
from learning_kit import LEARNS, learning_county, learning_folder, raced
from live_kit import Live

from detector.learning import desk
from detector.learning.desk import LearnDesk
from detector.values import iso_time
from detector.verdict import Finding, canonical
from replay.run import Job, replay

MANY = LEARNS.replace("cases_max = 50", "cases_max = 1000")
COUNTY = learning_county(MANY)
DAY, NINE = 86_400_000_000, 1_772_413_200_000_000  # 2026-03-02 09:00 in Shanghai
MINUTE = 60_000_000
RULE = "unusually_fast"
FLOW = (("accept", ""), ("step", "survey"), ("step", "review"), ("decide", ""), ("close", ""))


def case(name: str, day: int, at: int, gaps: list[int]) -> list[dict[str, Any]]:
    """A case of a day (the first is 2 March): a record so many seconds after the one before."""
    told, then = [], NINE + day * DAY + at * MINUTE
    for n, ((action, step), gap) in enumerate(zip(FLOW, [0, *gaps], strict=False)):
        then += gap * 1_000_000
        told.append(
            {"event_id": f"{name}-{n}", "case_id": name, "item": "permit", "action": action,
             "department": "D01", "operator": f"P010{1 + (n + at) % 5}"} | stamped(then)
            | ({"step": step} if step else {})
        )  # fmt: skip
    return told


def stamped(at: int) -> dict[str, str]:
    return dict.fromkeys(("occurred_at", "recorded_at", "received_at"), iso_time(at))


def in_order(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By arrival, and a tick at noon of the sixth day."""
    told = sorted(told, key=lambda one: one["received_at"])
    return [*told, {"kind": "tick", "at": iso_time(NINE + 5 * DAY)}]


def usual(days: int = 2) -> list[dict[str, Any]]:
    """Days of surveys after half an hour, and of reviews after another."""
    return [
        one
        for day in range(days)
        for n in range(30)
        for one in case(f"u{day}-{n}", day, 4 * n, [1_800 + n, 1_800 + 3 * n, 600, 600])
    ]


def mended(wrong: dict[str, Any], at: int, name: str, recorded: int | None = None) -> Any:
    """A correction of a step, received at an instant, which says when it was recorded."""
    told = wrong | {"event_id": name, "supersedes": wrong["event_id"]} | stamped(at)
    return told | ({"recorded_at": iso_time(recorded)} if recorded is not None else {})


def run(told: list[dict[str, Any]], cuts: Any = (), folder: Any = None) -> Live:
    """A live run of these lines, cut so; killed at each cut, with snapshots where a folder is."""
    lines = [msgspec.json.encode(one) for one in told]
    again = range(len(cuts) + 1) if folder is not None else ()
    return learning_kit.run(lines, cuts, COUNTY, again, folder)


def accused(live: Live, name: str) -> list[Finding]:
    """What was found too fast of a case."""
    return [f for f in live.findings().values() if f.rule == RULE and f.case_id == name]


def stands(live: Live, *rules: str) -> list[bytes]:
    """The learned findings of rules that are not withdrawn."""
    found = [f for f in live.findings().values() if f.rule in rules and f.withdrawn is None]
    return sorted(canonical(f) for f in found)


def epochs(live: Live, *learners: str) -> list[str]:
    return [row.sha256 for row in live.ledger.all_epochs() if row.learner in learners]


FAST = case("fast", 2, 0, [60])


@pytest.mark.parametrize("days", [0, 1])
def test_a_corrected_event_takes_its_accusation_along(days):
    """On the same day as on another: withdrawn `corrected`, when the correction came."""
    at = NINE + (2 + days) * DAY + 90 * MINUTE
    right = mended(FAST[1], at, "right")
    told = run(in_order([*usual(), *FAST, right]))
    [found] = accused(told, "fast")
    assert found.events == ("fast-1",) and found.withdrawn is not None
    assert found.withdrawn.reason == "corrected"
    assert found.withdrawn.at[:16] == iso_time(at + 8 * 3_600_000_000)[:16]


def test_a_correction_that_is_too_fast_itself_is_said():
    at = NINE + 2 * DAY + 90 * MINUTE
    right = mended(FAST[1], at, "right", NINE + 2 * DAY + 2 * MINUTE)
    told = run(in_order([*usual(), *FAST, right]))
    found = {f.events: f for f in accused(told, "fast")}
    assert found["fast-1",].withdrawn is not None and found["right",].withdrawn is None
    again = mended(FAST[1], at, "fast-1", NINE + 2 * DAY + 2 * MINUTE)
    told = run(in_order([*usual(), *FAST, again]))
    [one] = accused(told, "fast")
    assert one.withdrawn is None and one.value == 120


def test_who_follows_on_a_correction_is_judged_anew():
    """A review a minute after a survey that is mended: it follows upon the acceptance now."""
    story = case("c", 2, 0, [1_850, 60])
    told = run(in_order([*usual(), *story, mended(story[1], NINE + 2 * DAY + 90 * MINUTE, "r")]))
    [found] = accused(told, "c")
    assert found.events == ("c-2",) and found.withdrawn is not None


def test_a_closed_case_is_shown_with_its_correction_in_its_place():
    """A survey that is mended after the close was not left out."""
    whole = [1_850, 1_850, 600, 600]
    lacking = case("lacks", 2, 0, whole)
    del lacking[2]
    odd = [*usual(4), *lacking]
    mend = case("whole", 2, 2, whole)
    odd += [*mend, mended(mend[2], NINE + 4 * DAY, "r")]
    found = [f for f in run(in_order(odd)).findings().values() if f.rule == "unusual_path"]
    assert {f.case_id for f in found} == {"lacks"}


def chance(seed: int) -> list[dict[str, Any]]:
    """Usual days, then some in which steps are far too fast, and are mended on the same day, once
    or twice, now and then under their own name."""
    rng = random.Random(seed)
    told = usual()
    for n in range(24):
        gaps = [rng.choice((60, 300, 1_900)) for _ in range(rng.randint(1, 3))]
        story = case(f"x{n}", rng.choice((2, 3)), rng.randrange(100), gaps)
        told += story
        at = NINE + (2 + (story[0]["received_at"][8:10] == "05")) * DAY + 240 * MINUTE
        wrong = story[rng.randrange(1, len(story))]
        for time in range(rng.randrange(3)):
            at += (1 + n) * 1_000_000
            name = rng.choice((wrong["event_id"], f"m{n}-{time}"))
            recorded = at - rng.choice((0, 5_000_000 * time))
            wrong = mended(wrong, at, name, recorded)
            told.append(wrong)
    return in_order(told)


def final(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The final story from the start: what was superseded never came, and nothing corrects."""
    kept: list[dict[str, Any]] = []
    for one in told:
        if "supersedes" in one:
            kept = [
                o for o in kept
                if (o.get("case_id"), o.get("event_id")) != (one["case_id"], one["supersedes"])
            ]  # fmt: skip
        kept.append({k: v for k, v in one.items() if k != "supersedes"})
    return kept


def agree(seed: int) -> bool:
    told, once = run(chance(seed)), run(final(chance(seed)))
    assert stands(once, RULE)
    return (stands(told, RULE), epochs(told, "pace", "volume")) == (
        stands(once, RULE), epochs(once, "pace", "volume")
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_the_final_story_from_the_start_comes_to_the_same(seed):
    assert agree(seed)


def test_one_that_learns_what_was_superseded_is_noticed(monkeypatch):
    monkeypatch.setattr(desk, "standing", lambda day: day)
    assert not all(map(agree, range(3)))


def test_one_that_withdraws_nothing_is_noticed(monkeypatch):
    monkeypatch.setattr(desk, "take_back", lambda raised, ids: {})
    assert not all(map(agree, range(3)))


def test_what_corrects_an_earlier_day_is_not_learned_again():
    """The learner keeps what it was told on its day."""
    lines = [*usual(), *(mended(e, NINE + 3 * DAY + n * 1_000_000, f"r{n}") for n, e in
             enumerate(usual(1)) if e["action"] == "accept")]  # fmt: skip
    seen: list[int] = []
    whole = LearnDesk.learn

    def spy(self, state):
        told = whole(self, state)
        seen.append(told[0])
        return told

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LearnDesk, "learn", spy)
        run(in_order(lines))
    assert seen[:2] == [150, 150] and not any(seen[2:])


@pytest.mark.parametrize("seed", range(2))
def test_any_cut_and_any_kill_gives_the_same(seed, tmp_path):
    lines = chance(seed)
    some = random.Random(seed)
    calm = run(lines)
    cuts = sorted(some.sample(range(1, len(lines)), 12))
    for other in (run(lines, cuts), run(lines, cuts, tmp_path)):
        assert other.digest() == calm.digest()
        assert [r.sha256 for r in other.ledger.all_epochs()] == [
            r.sha256 for r in calm.ledger.all_epochs()
        ]


def test_a_replay_and_many_shards_come_to_the_same(tmp_path):
    """Whatever judges: one process, three workers, or five shards in a race of their own."""
    lines = chance(3)
    calm = run(lines)
    told = [msgspec.json.encode(one) + b"\n" for one in lines]
    (tmp_path / "log.ndjson").write_bytes(b"".join(told))
    folder, out = learning_folder(tmp_path / "district"), tmp_path / "out"
    (folder / "district.toml").write_bytes(COUNTY.district["district.toml"])
    job = Job((str(tmp_path / "log.ndjson"),), str(folder), until=lines[-1]["at"], out=str(out))
    replay(replace(job, workers=3))
    found = (out / "findings.ndjson").read_bytes().splitlines()
    made = [msgspec.json.decode(line, type=Finding) for line in found]
    want = {i: canonical(f) for i, f in calm.findings().items()}
    assert {f.finding_id: canonical(f) for f in made} == want

    assert raced(told, COUNTY, 60)[0] == want
    replay(replace(job, hindsight=True))
