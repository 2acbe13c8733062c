"""Whose limits stand still is told in words: every reason for which anything is frozen, in both
languages, and since when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from learner_laws import learn, units
from learning_kit import few_days, learning_county
from live_kit import COUNTY, Live

from detector.district import load_district
from detector.engine import Engine
from detector.learning.drifted import KINDS, ORIOLE, RULE, SHARES, SPANS, drift_read, drift_told
from detector.learning.epochs import EVERYTHING, EpochBook, Guard
from detector.learning.shelf import load_learners
from detector.learning.told import Since, Told
from detector.learnkit import Learner
from detector.shelf import configure, load_shelf
from detector.values import DAY_US
from detector.web.pages import stills
from detector.web.pages.names import Names
from detector.web.pages.stills import Stills
from detector.web.times import Times
from detector.web.words import LANGUAGES, catalogue, words_of

SHELF = load_learners()
ENGINE = Engine(load_district(COUNTY), configure(load_shelf(), load_district(COUNTY)))
ALARM = {
    "raised": 20_488, "since": 20_483, "days_before": 15, "days_after": 5,
    "before_milli": 1_082_000, "after_milli": 924_000, "bound_milli": 90_000, "bits": 1_400,
}  # fmt: skip
AT = 20_488 * DAY_US - 8 * 3_600_000_000  # its midnight in Shanghai
GIVEN = {  # what, of whose series → (what it came to, in each language)
    ("middle", "permit"): ("30 分 8 秒", "10 分 5 秒", "30 min 8 s", "10 min 5 s"),
    ("fast", ""): ("30 分 8 秒", "10 分 5 秒", "30 min 8 s", "10 min 5 s"),
    ("alarms", ""): ("1,082.0 条", "924.0 条", "1,082.0", "924.0"),
    ("findings", f"{RULE}too_fast_step"): ("1,082.0 条", "924.0 条", "1,082.0", "924.0"),
}


def saying(lang: str) -> Stills:
    t = words_of(lang)
    return Stills(Names(ENGINE, lang, t), Times(ENGINE.calendar, t))


def drifted(what: str, whose: str) -> tuple[Told, str]:
    """What a learner's epochs come to behind such a drift, as the desk writes it; and the epoch's
    reason."""
    book, why = EpochBook("pace", 1, Guard(5, 500)), f"{what}: {drift_told(ALARM)}"
    reason = f"drift: {whose or 'pace'}: {why}"
    frozen = {} if whose.startswith(RULE) else {whose or EVERYTHING: why}
    epochs = [book.freeze(20_488, AT, frozen, ORIOLE, reason), book.begin(20_489, AT + 1, [], 5)]
    return Told().after(epochs[:1]).after(epochs[1:]), reason


def test_every_reason_is_given_here_and_has_words():
    assert {what for what, _ in GIVEN} == set(KINDS) == {*SPANS, *SHARES}
    for lang in LANGUAGES:
        held = catalogue(lang)
        assert {one for one in held if one.startswith("drift.")} == {f"drift.{k}" for k in KINDS}
        assert {f"still.{k}" for k in stills.KINDS} <= held.keys()
        assert {one for one in held if one.startswith("still.do.")} == {
            f"still.do.{kind}" for kind in (*stills.KINDS, "rates")
        }


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("what", "whose"), GIVEN)
def test_a_drift_says_what_moved_from_what_to_what_and_since_when(lang, what, whose):
    told, reason = drifted(what, whose)
    said = saying(lang)
    [one] = said.rates(told) if whose.startswith(RULE) else said.frozen(told, told.frozen)
    before, after = GIVEN[what, whose][2 * LANGUAGES.index(lang) :][:2]
    assert one.kind == "drift" and (one.at, one.actor) == (AT, ORIOLE)
    assert before in one.why and after in one.why and "2026-01-30" in one.why and "15" in one.why
    assert ("最快" if lang == "zh" else "fastest") in one.why or what != "fast"
    whole = said.reason("pace", ORIOLE, reason)
    assert whole.endswith(one.why) and whole.startswith(one.name)
    assert not [word for word in ("milli", "bits", "_", "rule:") if word in whole]
    names = Names(ENGINE, lang, words_of(lang))
    assert one.name == {
        "permit": names.item("permit"), "": words_of(lang)("model.all"),
    }.get(whose, names.rule("too_fast_step")) != whose  # fmt: skip


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_people_froze_says_who_since_when_and_their_own_words(lang):
    book, said = EpochBook("pace", 1, Guard(5, 500)), saying(lang)
    first = book.freeze(20_488, AT, {"permit": "核查"}, "P0801", "核查")
    told = Told().after([first, book.begin(20_489, AT + 9, [], 5)])
    [one] = said.frozen(told, told.frozen)
    assert (one.kind, one.at, one.actor, one.why) == ("act", AT, "P0801", "核查")
    told = told.after([book.roll_back(20_490, AT + 20, 20_488, "P0802", "有误")])
    [one] = said.frozen(told, told.frozen)
    assert (one.code, one.kind, one.at, one.why) == (EVERYTHING, "rollback", AT + 20, "有误")
    told = told.after([book.freeze(20_490, AT + 30, {EVERYTHING: "另查"}, "P0801", "另查")])
    assert [(o.at, o.why) for o in said.frozen(told, told.frozen)] == [(AT + 30, "另查")]
    assert told.after([book.thaw(20_490, AT + 40, "P0802", "已查")]).stood == {}
    line = f"middle: {drift_told(ALARM)}"  # what somebody types is theirs, whatever it looks like
    [typed] = said.frozen(replace(told, stood={"a": Since(AT, "P0801", line)}), ["a"])
    assert (typed.kind, typed.why) == ("act", line) == ("act", said.reason("pace", "P0801", line))


def watched(learner: Learner) -> Iterator[str]:
    """What a learner lets be watched, over the days of its examples."""
    params = {p.name: p.default for p in learner.params}
    for example in learner.examples:
        model = learner.make(params | {"watch_least": 1})
        for n, rows in enumerate(example.days, 1):
            learn(model, learner, units(learner, [dict(one) for one in rows]))
            yield from (what for _, what, _ in model.watch())
            model.publish(n)


def test_whatever_is_watched_has_words():
    """Of each learner of the shelf, and by the desk: a new number needs a sentence."""
    told = {what for one in SHELF.values() for what in watched(one.learner)}
    assert told == set(SPANS)
    live = Live(content=learning_county())
    live.post(*few_days())
    live.stop()
    desk, state = live.runner.shard.engine.learn_desk, live.runner.shard.state.learning
    assert desk is not None and state is not None
    state.found[state.day - 1, "too_fast_step"] += 1
    assert {what for *_, what, _ in desk._watched(state, 5, 5)} == set(SHARES)


@pytest.mark.parametrize(
    "line",
    ["", "middle", "odd: " + drift_told(ALARM), "middle: " + drift_told(ALARM | {"more": 1}),
     "middle: " + drift_told(ALARM | {"since": "soon"}), "drift: " + drift_told(ALARM)],
)  # fmt: skip
def test_a_line_that_tells_of_no_drift_is_none(line):
    assert drift_read(line) is None
