"""Who asks in the same moment is judged together (事前查询): each verdict is the one that its event
gets alone, a fault costs its own event alone, and who must wait holds nobody up."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_kit import ACCEPT, SURVEY, event, line_of
from test_beforehand import Asking, print_of, readable
from test_beforehand_live import living

from detector import foreseen
from detector.cases import REF_PLACES, plain_rows
from detector.columns import Words, event_key, from_events
from detector.event import Event, Refused
from detector.glimpse import APART, Glimpse, holders_in, look, rows_in
from detector.live import Unjudged, asked
from detector.live.glance import Hand
from detector.vocabulary import hash_text, hash_texts, mix, mix_one, to_bytes

WAIT_S = 20


def documents(run: Asking, events: list[Event]) -> list[dict[str, Any]]:
    """What is answered to these events, asked together."""
    cases, own = run.state.cases, run.own
    some = [own.read(line_of(one), None, one.recorded_at) for one in events]
    seen = [look(cases, one.event.case_id, one.key) for one in some]
    verdicts = own.judge(some, seen, cases.officers)
    return [own.document(v, e.recorded_at) for v, e in zip(verdicts, events, strict=True)]


def each_is_told_as_if_alone(seed: int) -> int:
    """Events that were recorded and that will be, some twice, at many moments of a stream; how
    many findings there were."""
    run, chance = Asking(seed), random.Random(seed)
    events = [one for _, one in run.inputs if isinstance(one, Event) and readable(one)]
    found = 0
    for n in range(len(run.inputs)):
        if n % 5 == 0 and events:
            some = chance.choices(events, k=chance.randrange(2, 12))
            before = print_of(run.state.cases)
            together = documents(run, some)
            assert together == [documents(run, [one])[0] for one in some]
            assert print_of(run.state.cases) == before
            found += sum(len(told["findings"]) for told in together)
        run.step(n, n + 1)
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 20))
def test_many_together_are_told_as_each_alone(seed):
    each_is_told_as_if_alone(seed)


def one_state_for_all(words: Any, seen: Any, blank: Any) -> np.ndarray:
    """Every event is judged on the case of the first."""
    return np.repeat(rows_in(words, seen, blank)[:1], len(seen))


def told_to_the_wrong_one(self: Any, configured: Any, batch: Any) -> Any:
    """What the first comes to is told to the last."""
    for row, one in TOLD(self, configured, batch):
        yield len(batch.inputs) - 1 - row, one


TOLD = foreseen.Foreseen._told


@pytest.mark.parametrize(
    ("place", "name", "broken"),
    [(foreseen, "rows_in", one_state_for_all),
     (foreseen.Foreseen, "_told", told_to_the_wrong_one)],
)  # fmt: skip
def test_a_batch_that_mixes_cases_up_is_noticed(monkeypatch, place, name, broken):
    monkeypatch.setattr(place, name, broken)
    with pytest.raises(AssertionError):
        for seed in range(40):
            each_is_told_as_if_alone(seed)


def anew(seen: Glimpse | None) -> Glimpse | None:
    """The same copy, had references been given anew before it was made."""
    if seen is None:
        return None
    new = {ref: n for n, ref in enumerate(sorted(seen.ids))}
    row = seen.row.copy()
    plain = plain_rows(row)
    plain[0, REF_PLACES] = [new.get(ref, -1) for ref in plain[0, REF_PLACES].tolist()]
    more = [(key, new[ref]) for key, ref in seen.more_holders]
    return replace(seen, row=row, more_holders=more, ids={new[r]: t for r, t in seen.ids.items()})


def test_references_given_anew_between_two_looks_are_told_apart(monkeypatch):
    """Two copies may then use one reference for two events."""
    each = {}
    for name in ("look", "anew"):
        run = Asking(0)
        events = [
            msgspec.structs.replace(one, event_id=f"new{n}", supersedes=None)
            for n, (_, one) in enumerate(run.inputs)
            if isinstance(one, Event) and readable(one)
        ]
        if name == "anew":
            monkeypatch.setitem(globals(), "look", lambda *told: anew(look_at(*told)))
        run.step(0, len(run.inputs))
        each[name] = documents(run, events)
    assert each["look"] == each["anew"]
    assert any(len(f["events"]) > 1 for told in each["look"] for f in told["findings"])


look_at = look


def test_further_holders_stand_at_the_place_of_their_case():
    """Who holds a fifth duty is known by name in both words."""
    run = Asking(1)
    list(run.each())
    cases = run.state.cases
    key = 7 << 32 | cases.words.operator.code("P5")
    seen = look(cases, cases.words.case.words[0], 0)
    assert seen is not None
    words = Words()
    words.operator.code("somebody else")
    told = holders_in(words, [None, seen, replace(seen, more_holders=[(key, 5)])])
    assert told == {2: [(7 << 32 | words.operator.find("P5"), 5 + 2 * APART)]}
    assert words.operator.words == ["somebody else", "P5"]


def test_a_sentence_that_cannot_be_told_costs_its_own_event_alone(monkeypatch):
    """Of events that raise by one rule, one cannot be put into words."""
    run = Asking(3)
    events = [one for _, one in run.inputs if isinstance(one, Event) and readable(one)]
    whole = documents(run, events)
    rule, [bad, *_] = next(
        (rule, some) for rule in sorted({f["rule"] for told in whole for f in told["findings"]})
        if len(some := [n for n, told in enumerate(whole)
                        if rule in {f["rule"] for f in told["findings"]}]) > 1
    )  # fmt: skip
    teller, name = run.engine.teller, events[bad].case_id
    tell = teller.tell

    def faulty(raised: Any, spell: Any) -> Any:
        words = raised.view.batch.inputs.words
        if raised.rule.rule.id == rule and name in words.case.texts(raised.view["case_id"]):
            raise ValueError("no words")
        return tell(raised, spell)

    monkeypatch.setattr(teller, "tell", faulty)
    told = documents(run, events)
    unknown = {"rule": rule, "reason": "rule_error: ValueError"}
    assert unknown in told[bad]["undetermined"]
    others = [n for n, one in enumerate(events) if one.case_id != name]
    assert others and [told[n] for n in others] == [whole[n] for n in others]


# --- in one turn of the event loop --------------------------------------------------------------


def ask_all(live: Any, lines: list[Any], timeout_s: float = WAIT_S) -> list[Any]:
    """What each is told of those that ask at once: a verdict, or why there is none."""

    async def every() -> list[Any]:
        own = live.runner.beforehand
        calls = [asyncio.wait_for(own.ask(msgspec.json.encode(one)), timeout_s) for one in lines]
        return await asyncio.gather(*calls, return_exceptions=True)

    return [msgspec.json.decode(one) if isinstance(one, bytes) else one
            for one in asyncio.run(every())]  # fmt: skip


def counted(live: Any, monkeypatch: Any) -> list[int]:
    """How many were judged at each time."""
    own, many = live.runner.beforehand, list[int]()
    judge = own._rules_of(live.runner.shard).judge

    def counting(some: Any, *told: Any) -> Any:
        many.append(len(some))
        return judge(some, *told)

    monkeypatch.setattr(own._own, "judge", counting)
    return many


def test_who_asks_at_once_is_judged_together_and_told_apart(monkeypatch):
    with living() as live:
        live.post(ACCEPT, ACCEPT | {"case_id": "c2"})
        many = counted(live, monkeypatch)
        late = event("e4", "10:00:30", step="decide")
        bad = SURVEY | {"action": "fly"}
        lines = [SURVEY, late, bad, SURVEY | {"case_id": "c2"}, SURVEY | {"case_id": "new"}]
        told = ask_all(live, lines)
        assert many == [4] and isinstance(told[2], Refused)
        alone = [ask_all(live, [line])[0] for line in lines]
        assert [told[n] for n in (0, 1, 3, 4)] == [alone[n] for n in (0, 1, 3, 4)]
        assert [told[n]["allow"] for n in (0, 3, 4)] == [False, False, True]


def test_no_more_than_some_are_judged_together(monkeypatch):
    with living() as live:
        live.post(ACCEPT)
        many = counted(live, monkeypatch)
        told = ask_all(live, [SURVEY | {"event_id": f"x{n}"} for n in range(20)])
        assert many == [asked.TOGETHER_MAX, 20 - asked.TOGETHER_MAX]
        assert {one["findings"][0]["events"][1] for one in told} == {f"x{n}" for n in range(20)}


def test_who_waits_for_the_batch_in_hand_holds_nobody_up():
    with living() as live:
        live.post(ACCEPT, ACCEPT | {"case_id": "c2"})
        words, glance = live.runner.shard.words, live.runner.glance
        glance.begin(np.array([words.case.find(ACCEPT["case_id"])]))
        try:
            told = ask_all(live, [SURVEY, SURVEY | {"case_id": "c2"}], 0.2)
        finally:
            glance.over()
        assert isinstance(told[0], TimeoutError) and told[1]["allow"] is False
        assert not live.runner.beforehand._asking


def test_a_batch_that_begins_while_rows_are_copied_makes_all_look_again(monkeypatch):
    with living() as live:
        live.post(ACCEPT, ACCEPT | {"case_id": "c2"})
        glance, looks = live.runner.glance, list[str]()

        def moving(cases: Any, name: str, key: int) -> Any:
            looks.append(name)
            if len(looks) == 2:
                glance.hand = Hand()
            return look(cases, name, key)

        monkeypatch.setattr("detector.live.asked.look", moving)
        told = ask_all(live, [SURVEY, SURVEY | {"case_id": "c2"}])
        assert len(looks) == 4 and [one["allow"] for one in told] == [False, False]


def test_a_defect_costs_none_but_who_met_it(monkeypatch):
    with living() as live:
        live.post(ACCEPT)

        def broken(cases: Any, name: str, key: int) -> Any:
            if name == "odd":
                raise KeyError(name)
            return look(cases, name, key)

        monkeypatch.setattr("detector.live.asked.look", broken)
        told = ask_all(live, [SURVEY, SURVEY | {"case_id": "odd"}, SURVEY])
        assert isinstance(told[1], KeyError)
        assert [told[n]["allow"] for n in (0, 2)] == [False, False]


def test_nobody_is_judged_by_one_that_has_stopped():
    with living() as live:
        live.post(ACCEPT)
        live.stop()
        told = ask_all(live, [SURVEY, SURVEY])
        assert [type(one) for one in told] == [Unjudged, Unjudged]


# --- hashes of one ----------------------------------------------------------------------------


@given(st.text(st.characters(codec="utf-8", min_codepoint=1), max_size=140))
def test_the_hash_of_one_text_is_that_of_a_column(text):
    assert hash_text(text) == int(hash_texts(to_bytes([text]))[0])


@given(st.integers(0, (1 << 64) - 1), st.integers(0, 60))
def test_one_value_is_mixed_as_a_column(value, salt):
    assert mix_one(value, salt) == int(mix(np.array([value], np.uint64), salt)[0])


def test_the_key_of_one_event_is_that_of_a_column():
    run = Asking(3)
    for _, one in run.inputs:
        if isinstance(one, Event) and one.event_id:
            [key] = from_events([one], Words()).event_key().tolist()
            assert event_key(one.case_id, one.event_id) == key
