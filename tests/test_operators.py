"""Where operators' records wait: released in order, and at a cost that no other adds to."""

import random

import numpy as np
import pytest
from bridge import Embedded, Run, engine_of, oracle_told
from oracle import judge
from streams import RULES, WorkingDays
from test_oracle_self import at, event, setting

from detector import calm, records
from detector.columns import Words
from detector.operators import OperatorState
from detector.records import COLUMNS, Records

LATE = 60
SECOND = 1_000_000


def typed(words, rng, count, begin):
    """Records of random people, most of them in order of time."""
    recorded = begin + np.sort(rng.integers(0, 50, count))
    return Records(
        words, rng.integers(0, 4, count).astype(np.int32),
        words.case.encode([f"c{n}" for n in rng.integers(0, 9, count).tolist()]),
        np.zeros(count, np.int32), rng.integers(0, 3, count).astype(np.int32),
        np.array([f"e{n}" for n in rng.integers(0, 99, count).tolist()], np.bytes_),
        recorded, recorded + rng.choice([0, 0, 0, 30, 90], count),
    )  # fmt: skip


def spelled(some):
    """Rows as tuples."""
    return list(zip(*(getattr(some, name).tolist() for name in COLUMNS), strict=True))


@pytest.mark.parametrize("seed", range(40))
def test_records_are_released_in_the_order_of_judgement(seed, monkeypatch):
    monkeypatch.setattr(records, "_SMALL", 1 + seed % 9)
    rng, words = np.random.default_rng(seed), Words()
    state = OperatorState(words, LATE)
    waiting, upto = [], 0
    for _ in range(30):
        some = typed(words, rng, int(rng.integers(0, 12)), upto)
        state.hold(some)
        waiting += spelled(some)
        upto += int(rng.integers(0, 90))
        ready = [w for w in waiting if max(w[5] + LATE, w[6]) <= upto]
        waiting = [w for w in waiting if max(w[5] + LATE, w[6]) > upto]
        ready.sort(
            key=lambda w: (
                w[0], max(w[5] + LATE, w[6]), w[5], w[4], words.case.words[w[1]].encode(),
            )
        )  # fmt: skip
        released = state.release(upto)
        assert (spelled(released) if released else []) == ready
        assert sorted(row for part in state.held.all() for row in spelled(part)) == sorted(waiting)


def test_many_small_batches_cost_each_record_the_same_however_many_wait(monkeypatch):
    touched = [0]
    take, join, rise = Records.take, records.join_records, records._Part.rise

    def counted_take(self, rows):
        touched[0] += 0 if isinstance(rows, slice) else len(rows)
        return take(self, rows)

    def counted_join(parts):
        touched[0] += sum(map(len, parts))
        return join(parts)

    def counted_rise(part):
        touched[0] += 0 if part.rising else len(part.instant)
        rise(part)

    monkeypatch.setattr(Records, "take", counted_take)
    monkeypatch.setattr(records, "join_records", counted_join)
    monkeypatch.setattr(records._Part, "rise", counted_rise)
    for size, batches in ((10, 3_000), (1_500, 200)):
        rng, words, touched[0] = np.random.default_rng(size), Words(), 0
        state = OperatorState(words, 20_000)
        rows = released = 0
        for begin in range(0, batches * 10, 10):  # 2,000 batches' records wait at a time
            state.hold(typed(words, rng, size, begin))
            rows += size
            ready = state.release(begin)
            released += len(ready) if ready else 0
        assert released > rows / 4 or size > 10
        assert touched[0] <= 5 * rows, f"{touched[0] / rows:.1f} touches a record"


# --- what need not be entered at once -----------------------------------------------------------


COUNTY = setting(
    is_working=WorkingDays(), params={r: {"mode": "off"} for r in RULES if r != "batch_entry"}
)


def office(rng, people=5, days=9):
    """People at their work, now and then in a burst, some records late or out of order."""
    events: list = []
    for day in range(2, 2 + days):
        for person in range(people):
            minute = rng.randrange(60)
            while minute < 420:
                burst = rng.random() < 0.06
                for _ in range(rng.choice((4, 5, 6, 22)) if burst else 1):
                    began = f"2026-03-{day:02d} 09:00"
                    moment = at(began) + int(minute * 60 * SECOND)
                    late = rng.choice((0, 0, 0, 0, 30, 400, 1_500)) * SECOND
                    events.append(
                        event(
                            "step", began, step="survey", operator=f"p{person}",
                            case_id=f"c{rng.randrange(400)}", event_id=f"e{len(events)}",
                            recorded_at=moment, occurred_at=moment, received_at=moment + late,
                        )
                    )  # fmt: skip
                    minute += rng.random() / 2 if burst else 0
                minute += rng.choice((3, 8, 14, 40))
    return sorted(events, key=lambda e: e.received_at)


@pytest.mark.parametrize("seed", range(4))
def test_whose_turn_it_is_changes_no_verdict(seed, monkeypatch):
    events = office(random.Random(seed))
    expected = oracle_told(judge(events, COUNTY), engine_of(COUNTY))
    assert len(expected["findings"]) > 10
    assert expected["undetermined"]["batch_entry", "too_late"] > 0
    assert Run(COUNTY, events).told() == expected
    for turn, room in ((1, 4), (3, 8), (128, 1_024)):
        monkeypatch.setattr(calm, "ROWS_AN_OPERATOR", turn)
        monkeypatch.setattr(calm, "_ROOM", room)
        fed = Embedded(engine_of(COUNTY), COUNTY, events)
        assert fed.run(range(7, len(fed.inputs), 7)).told() == expected


def printed(state):
    """Memory, and what waits, by value."""
    memory = {code: (m.last, m.window, m.burst, m.pace) for code, m in state.memory.items()}
    return memory, {name: column.tolist() for name, column in state.columns().items()}


def restored(old):
    """The same state as a restart finds it."""
    new = OperatorState(old.words, old.held.lateness_us)
    new.memory = old.memory
    new.restore({name: column.copy() for name, column in old.columns().items()})
    return new


def restarted(seed, again=restored):
    """A stream with a restart after every batch, and without any: do both go the same way, batch
    by batch; and how many calm records a restart found."""
    events, rng = office(random.Random(seed)), random.Random(seed)
    fed, other = (Embedded(engine_of(COUNTY), COUNTY, events) for _ in range(2))
    same, waited, begin = True, 0, 0
    while begin < len(fed.inputs):
        end = begin + rng.randint(1, 60)
        for one in (fed, other):
            one.step(begin, end)
        same &= printed(fed.state.operators) == printed(other.state.operators)
        fed.state.operators, begin = again(fed.state.operators), end
        waited += len(fed.state.operators.calm or ())
    return same and fed.told() == other.told(), waited


@pytest.mark.parametrize("seed", range(3))
def test_a_restart_is_not_noticed(seed, monkeypatch):
    monkeypatch.setattr(calm, "ROWS_AN_OPERATOR", 8)  # so that turns come and go
    same, waited = restarted(seed)
    assert same and waited > 100, "some calm records were not entered"


def entered_anew(old):
    """A broken one: what was at its ease waits for the watermark again."""
    new = OperatorState(old.words, old.held.lateness_us)
    new.memory = old.memory
    for part in [*(old.calm.all() if old.calm else ()), *old.held.all()]:
        new.hold(part)
    return new


def hasty(old):
    """A broken one: whose turn it is, is forgotten."""
    new = restored(old)
    if new.calm is not None:
        new.calm._turn = 0
    return new


@pytest.mark.parametrize("broken", [entered_anew, hasty])
def test_a_restart_that_goes_another_way_is_noticed(broken, monkeypatch):
    monkeypatch.setattr(calm, "ROWS_AN_OPERATOR", 8)
    assert not restarted(0, broken)[0]
