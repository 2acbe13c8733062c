"""The shelf: examples that prove their rules; bad rules and rulebooks are told what is wrong."""

from dataclasses import replace

import numpy as np
import pytest
from bridge import SHELF

from detector.rulekit import NEVER_BELOW, Band, Clock, Param, Rule, RuleFault, Table, check_rule
from detector.shelf import (
    Shelved,
    TableLookup,
    configure,
    load_shelf,
    lock_faults,
    lock_text,
    rules_folder,
)
from detector.stories import small_district, tell, tell_all
from detector.tomlfile import DistrictError

EXAMPLES = [
    pytest.param(rule_id, n, id=f"{rule_id}-{n}-{example.title}")
    for rule_id, shelved in SHELF.items()
    for n, example in enumerate(shelved.rule.examples)
]

# --- examples -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule_id", "number"), EXAMPLES)
def test_the_example_comes_out_as_it_says(rule_id, number):
    rule = SHELF[rule_id].rule
    assert tell(SHELF, rule, rule.examples[number]).fault == ""


def test_all_examples_are_told_and_one_rule_s_alone():
    assert len(tell_all(SHELF)) == len(EXAMPLES)
    assert {told.rule for told in tell_all(SHELF, "same_person")} == {"same_person"}


@pytest.mark.parametrize("rule_id", SHELF)
def test_each_rule_shows_a_hit_a_miss_and_what_it_cannot_know(rule_id):
    rule = SHELF[rule_id].rule
    wants = {example.want for example in rule.examples}
    raising = {band.code for band in rule.bands if band.tier is not None}
    assert raising <= wants, "each band that raises"
    assert "clear" in wants
    reasons = {reason for reason, _ in rule.unknown} | ({"date_only"} if rule.stamps else set())
    told = {
        want.removeprefix("undetermined:") for want in wants if want.startswith("undetermined:")
    }
    assert reasons <= told or rule.clock, "each reason for not knowing"
    always_known = rule.clock is None or rule.clock.kind in ("acceptance", "stall", "answer")
    assert told or (not reasons and always_known)
    if "imported" in rule.mutes:
        assert "muted:imported" in wants


HAIRS = {
    "s": 1, "h": 1 / 3_600, "wd": 1 / 25_200, "work_days": 1 / 25_200, "hours": 1 / 3_600,
    "min": 1 / 60, "share": 1,
}  # fmt: skip
EDGES = [
    pytest.param(
        rule_id,
        n,
        slip,
        id=f"{rule_id}-{band.code}{'+-'[slip < 0]}",
    )
    for rule_id, shelved in SHELF.items()
    for n, band in enumerate(shelved.rule.bands)
    if band.edge != NEVER_BELOW
    for slip in (-1, 1)
]


@pytest.mark.parametrize(("rule_id", "number", "slip"), EDGES)
def test_examples_hold_each_threshold_to_one_unit(rule_id, number, slip):
    """Seconds, working seconds, fen and counts: an edge off by one fails some example."""
    rule = SHELF[rule_id].rule
    bands = list(rule.bands)
    hair = 1 if rule.unit == "wd" and rule.measure else HAIRS.get(rule.unit, 1)  # counted whole
    bands[number] = replace(bands[number], edge=bands[number].edge + slip * hair)
    moved = replace(rule, bands=tuple(bands))
    shelf = {**SHELF, rule_id: Shelved(moved, "")}
    assert any(told.fault for told in tell_all(shelf, rule_id))


def test_an_example_that_is_wrong_is_reported():
    rule = SHELF["too_fast_step"].rule
    hit, miss = rule.examples[0], next(x for x in rule.examples if x.want == "clear")
    for example, fault in (
        (replace(hit, want="clear"), "wants nothing, found {'too_fast': 1}"),
        (replace(hit, want="too_slow"), "wants 1 too_slow, found {'too_fast': 1}"),
        (replace(hit, count=2), "wants 2 too_fast, found {'too_fast': 1}"),
        (replace(hit, params={"default_limit_s": 10}), ""),
        (replace(miss, want="undetermined:date_only"), "wants 1 undetermined:date_only, found {}"),
        (replace(miss, want="muted:imported"), "wants 1 muted:imported, found {}"),
    ):
        assert tell(SHELF, rule, example).fault == fault


# --- rules that are not taken ---------------------------------------------------------------------

GOOD = SHELF["too_fast_case"].rule
LOW, HIGH = GOOD.bands
BAD = [
    ("the first band must begin at NEVER_BELOW", {"bands": ()}),
    ("the first band must begin at NEVER_BELOW", {"bands": (HIGH,)}),
    ("the first band must begin at NEVER_BELOW", {"bands": (replace(LOW, edge=0), HIGH)}),
    ("the edges of the bands must rise", {"bands": (LOW, HIGH, replace(HIGH, code="more"))}),
    ("the edges of the bands must rise", {"bands": (LOW, HIGH, Band("less", -5))}),
    ("two bands share a code", {"bands": (LOW, replace(HIGH, code=LOW.code))}),
    ("no band raises", {"bands": (LOW, replace(HIGH, tier=None))}),
    ("a raising band needs a tier from 0 to 3", {"bands": (LOW, replace(HIGH, tier=4))}),
    ("and its reason in zh and en", {"bands": (LOW, replace(HIGH, zh=""))}),
    ("and its reason in zh and en", {"bands": (LOW, replace(HIGH, en=""))}),
    ("unknown unit furlongs", {"unit": "furlongs"}),
    ("a rule has a measure or a clock, not both", {"measure": None}),
    ("a rule has a measure or a clock, not both", {"clock": Clock("promised_days")}),
    ("name the events that a finding rests on", {"events": None}),
    ("a learned rule names the rule that it repeats", {"repeats": "too_fast_step"}),
    ("a learned rule names the rule that it repeats", {"mutes": ("told",)}),
    ("unknown mute overtime", {"mutes": ("overtime",)}),
    (
        "needs at least a hit, a miss and .if it may not know. an undetermined",
        {"examples": GOOD.examples[:2]},
    ),
    ("the sentence names .*nonesuch.*, which is no evidence", {"sentence_en": "{nonesuch}"}),
    ("the sentence names .*recorded_at", {"evidence": ()}),
]


@pytest.mark.parametrize(("fault", "changes"), BAD)
def test_a_bad_rule_is_told_what_is_wrong(fault, changes):
    check_rule(GOOD)
    with pytest.raises(RuleFault, match=f"^too_fast_case: .*{fault}"):
        check_rule(replace(GOOD, **changes))


RULE = (rules_folder() / "same_person.py").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("empty.py", "", "empty.py: defines no RULE"),
        ("other.py", RULE, "other.py: its id is same_person; a file is named for its offence"),
        ("broken.py", "RULE = (", "broken.py: SyntaxError"),
        ("lost.py", "from detector.rulekit import Nothing", "lost.py: ImportError"),
        ("lost.py", "RULE = nothing", "lost.py: NameError"),
        ("lost.py", "from detector.rulekit import Rule\nRULE = Rule()", "lost.py: TypeError"),
        ("same_person.py", RULE.replace("Band(", "Band(edge=0, *", 1), "same_person.py: "),
        ("same_person.py", RULE.replace('unit="pairs"', 'unit="x"'), "same_person: unknown unit x"),
    ],
)
def test_a_file_that_is_no_rule_is_named(tmp_path, name, text, fault):
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(RuleFault) as caught:
        load_shelf(tmp_path)
    assert str(caught.value).startswith(fault)


def test_an_empty_folder_and_a_folder_of_one(tmp_path):
    with pytest.raises(RuleFault, match="holds no rule"):
        load_shelf(tmp_path)
    (tmp_path / "same_person.py").write_text(RULE, "utf-8")
    assert list(load_shelf(tmp_path)) == ["same_person"]
    assert not list(tmp_path.glob("**/*.pyc")), "reading a rule writes nothing"


# --- the lock -------------------------------------------------------------------------------------


def test_the_lock_notices_every_change(tmp_path):
    text = lock_text(SHELF)
    assert text.splitlines()[0].split() == ["back_entry", "1", SHELF["back_entry"].sha256]
    assert lock_faults(SHELF, text) == []
    one = {i: s for i, s in SHELF.items() if i != "same_person"}
    assert lock_faults(one, text) == ["same_person: in the lock and not on the shelf"]
    assert lock_faults(SHELF, lock_text(one)) == ["same_person: on the shelf and not in the lock"]
    for old, new, remedy in (
        ("one person", "some person", "its text changed: raise its edition"),
        ("edition=1", "edition=2", "lock it anew"),
    ):
        (tmp_path / "same_person.py").write_text(RULE.replace(old, new, 1), "utf-8")
        changed = {**SHELF, **load_shelf(tmp_path)}
        assert lock_faults(changed, text) == [f"same_person: differs from the lock; {remedy}"]


# --- rulebook.toml --------------------------------------------------------------------------------

MISTAKES = [
    ("[rules.too_slow_step]\nmode = 'on'", "rules.too_slow_step", 1, "is an unknown key"),
    ("[ruled]\nx = 1", "ruled", 1, "is an unknown key"),
    ("[rules.too_fast_case]\n\nlimit = 5", "rules.too_fast_case.limit", 3, "is an unknown key"),
    ("[rules.too_fast_case]\nlimit_s = '5'", "rules.too_fast_case.limit_s", 2, '"5" is not a'),
    ("[rules.too_fast_case]\nlimit_s = -5", "rules.too_fast_case.limit_s", 2, "-5 is not a whole"),
    ("[rules.too_fast_case]\nlimit_s = 5.0", "rules.too_fast_case.limit_s", 2, "5.0 is not a"),
    ("[rules.same_person]\nmode = 'maybe'", "rules.same_person.mode", 2, '"maybe" is unknown'),
    ("[rules]\nsame_person = 5", "rules.same_person", 2, "5 is not a table"),
    ("[rules.too_fast_step]\nlimits = 5", "rules.too_fast_step.limits", 2, "5 is not a list"),
    ("[rules.too_fast_step]\nlimits = [{ item = 'x' }]", "rules.too_fast_step.limits[0].limit_s", 2,
     "is missing"),
    ("[rules.too_fast_step]\nlimits = [\n  { limit_s = 1 },\n  { limit_s = 1, until = 'x' },\n]",
     "rules.too_fast_step.limits[1].until", 4, "is an unknown key"),
    ("[rules.same_person]\nlimits = []", "rules.same_person.limits", 2, "is an unknown key"),
    ("[[rules.same_person.exempt]]\nreason = 'x'\napproved_by = 'y'", "rules.same_person.exempt[0]",
     1, "exempts everything"),
    ("[[rules.same_person.exempt]]\nitem = 'x'\napproved_by = 'y'",
     "rules.same_person.exempt[0].reason", 1, "is missing"),
    ("[[rules.same_person.exempt]]\nitem = 'x'\nreason = 'r'",
     "rules.same_person.exempt[0].approved_by", 1, "is missing"),
    ("[[rules.same_person.exempt]]\nitem = 'x'\nreason = 'r'\napproved_by = 'y'\nuntil = 'soon'",
     "rules.same_person.exempt[0].until", 5, "is not a date"),
    ("[[rules.same_person.exempt]]\nitem = 7\nreason = 'r'\napproved_by = 'y'",
     "rules.same_person.exempt[0].item", 2, "7 is not a text"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "key", "line", "reason"), MISTAKES)
def test_a_mistake_in_the_rulebook_is_told_with_file_key_and_line(text, key, line, reason):
    with pytest.raises(DistrictError) as caught:
        configure(SHELF, small_district(rulebook=text))
    problem = caught.value.problems[0]
    assert (problem.file, problem.key, problem.line) == ("rulebook.toml", key, line)
    assert problem.reason.startswith(reason)
    assert problem.remedy


def test_every_mistake_is_told_at_once():
    text = "[rules.same_person]\nmode = 1\n[rules.too_fast_case]\nlimit_s = 'x'\n[rules.none]\n"
    with pytest.raises(DistrictError) as caught:
        configure(SHELF, small_district(rulebook=text))
    assert [problem.line for problem in caught.value.problems] == [2, 4, 5]


def test_what_a_rulebook_leaves_out_keeps_its_default():
    plain = configure(SHELF, small_district())
    text = "[rules.too_fast_case]\nlimit_s = 60\n[rules.same_person]\nmode = 'off'\n"
    book = configure(SHELF, small_district(rulebook=text))
    told = {c.rule.id: c for c in book.rules}
    assert told["too_fast_case"].params.limit_s == 60
    assert told["too_fast_step"].params.default_limit_s == 60
    assert told["too_fast_step"].entries == SHELF["too_fast_step"].rule.table.entries  # type: ignore[union-attr]
    assert "same_person" not in {c.rule.id for c in book.of("case")}
    assert {c.rule.id for c in book.of("operator")} == {"batch_entry"}
    assert book.digest != plain.digest
    assert plain.digest == configure(SHELF, small_district()).digest


def test_a_list_replaces_the_default_list():
    text = "[rules.too_fast_step]\nlimits = []\n"
    [told] = [c for c in configure(SHELF, small_district(rulebook=text)).rules if c.entries == ()
              and c.rule.id == "too_fast_step"]  # fmt: skip
    assert TableLookup(told).one(("permit", "accept", "survey")) == 60


def test_the_most_specific_limit_wins_then_the_last():
    text = """[rules.too_fast_step]
default_limit_s = 1
limits = [
  { limit_s = 2 },
  { item = "permit", limit_s = 3 },
  { to = "survey", limit_s = 4 },
  { item = "permit", from = "accept", to = "survey", limit_s = 5 },
  { item = "permit", to = "survey", limit_s = 6 },
  { from = "accept", to = "survey", limit_s = 7 },
]
"""
    configured = configure(SHELF, small_district(rulebook=text)).rules
    lookup = TableLookup(next(c for c in configured if c.rule.id == "too_fast_step"))
    assert lookup.one(("permit", "accept", "survey")) == 5
    assert lookup.one(("other", "accept", "survey")) == 7
    assert lookup.one(("permit", "review", "survey")) == 6
    assert lookup.one(("permit", "review", "decide")) == 3
    assert lookup.one(("other", "review", "survey")) == 4
    assert lookup.one(("other", "review", "decide")) == 2
    assert lookup.one((None, "accept", "decide")) == 2, "an item that is not known"


def test_a_parameter_has_a_unit_a_default_within_its_bounds_and_a_table_names_one():
    for shelved in SHELF.values():
        for param in shelved.rule.params:
            assert isinstance(param, Param)
            assert param.least <= param.default <= param.most
            assert param.unit and param.about
        table = shelved.rule.table
        assert table is None or isinstance(table, Table)
        assert table is None or table.default in {p.name for p in shelved.rule.params}


# --- what is not refused and should be ------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"bands": (LOW, replace(HIGH, edge=np.nan))},
        {"bands": (LOW, replace(HIGH, edge=0.5, exclusive=False)), "unit": "fen"},
        {"examples": GOOD.examples[:1] * 3},
        {"mutes": ("nonesuch",)},
        {"actions": ("fly",)},
        {"table": Table("limits", (("item", "item"),), "limit_s", "nonesuch")},
    ],
    ids=["nan", "half_a_fen", "three_hits", "mute", "action", "table"],
)
def test_a_rule_that_would_fail_only_in_service_is_refused(changes):
    with pytest.raises(RuleFault):
        check_rule(replace(GOOD, **changes))


@pytest.mark.parametrize("text", ["x = 1 / 0", "x = {}['a']", "raise RuntimeError('no')"])
def test_a_file_that_fails_in_any_way_is_named(tmp_path, text):
    (tmp_path / "odd.py").write_text(text, "utf-8")
    with pytest.raises(RuleFault, match=r"odd\.py"):
        load_shelf(tmp_path)


def test_a_lock_that_was_cut_is_told():
    assert lock_faults(SHELF, lock_text(SHELF)[:5]) != []


def test_a_star_in_an_exemption_is_any_or_refused():
    text = "[[rules.same_person.exempt]]\nitem = '*'\ndepartment = 'D'\nreason = 'r'\n"
    text += "approved_by = 'y'\n"
    try:
        book = configure(SHELF, small_district(rulebook=text))
    except DistrictError:
        return
    [exemption] = next(c for c in book.rules if c.rule.id == "same_person").exemptions
    assert exemption.covers("permit", "D", "decide", 20_000)


def test_a_rule_is_a_value():
    rule = SHELF["same_person"].rule
    assert isinstance(rule, Rule)
    assert replace(rule) == rule
