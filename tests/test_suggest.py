"""What verdicts propose of a limit keeps all that was confirmed, and moves nothing by itself."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from court_kit import Court
from hypothesis import given
from hypothesis import strategies as st
from test_limits import asked, folder, later
from test_verdicts import verdict

from detector.ledger.verdicts import NONE, VERDICTS
from detector.suggest import VERDICTS_LEAST, Nothing, Seen, Suggestion, by_limit, suggest

__all__ = ["folder"]


def seen(limit: float, *pairs: tuple[float, str]) -> list[Seen]:
    """Findings of one limit, by value and verdict."""
    return [Seen(f"f{n:03d}", value, limit, told) for n, (value, told) in enumerate(pairs)]


found = st.lists(
    st.tuples(st.integers(0, 99) | st.floats(0, 99.5), st.sampled_from([*VERDICTS, NONE])),
    min_size=1, max_size=80,
)  # fmt: skip


@given(found, st.booleans())
def test_all_that_was_confirmed_stays_and_the_figures_are_what_the_limit_does(pairs, below):
    """Whether the rule raises at its very limit or only beyond it; and no whole limit that keeps
    all confirmed for certain drops more."""
    limit = 100 if below else -1
    some = seen(limit, *pairs)
    told = suggest(some)

    def raised(value: float, at: float, strict: bool) -> bool:
        if below:
            return value < at if strict else value <= at
        return value > at if strict else value >= at

    if isinstance(told, Nothing):
        return
    for strict in (True, False):
        stay = [one for one in some if raised(one.value, told.proposed, strict)]
        assert all(one in stay for one in some if one.verdict == "confirmed")
        gone = Counter(one.verdict for one in some if one not in stay)
        assert all(gone[word] >= n for word, n in told.dropped.items())
    assert Counter(told.kept) + Counter(told.dropped) == Counter(one.verdict for one in some)
    nearer = told.proposed - 1 if below else told.proposed + 1
    confirmed = [one.value for one in some if one.verdict == "confirmed"]
    assert not all(raised(value, nearer, True) for value in confirmed)


def test_what_is_proposed_of_a_survey_limit():
    fast = [(n, "confirmed") for n in range(30, 45)] + [(n, "false_alarm") for n in range(40, 90)]
    told = suggest(seen(1800, *fast, (44, "justified"), (1700, "justified"), (1750, NONE)))
    assert isinstance(told, Suggestion) and told.proposed == 45 and told.verdicts == 67
    assert dict(told.kept) == {"confirmed": 15, "false_alarm": 6, "justified": 1}
    assert dict(told.dropped) == {"false_alarm": 44, "justified": 1, NONE: 1}
    assert told.examples == tuple(f"f{n:03d}" for n in range(21, 31))


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([(5, "confirmed")] * 18 + [(50, "false_alarm")], "too_few_verdicts"),
        ([(5, "confirmed")] * 18 + [(50, "false_alarm")] + [(60, NONE)] * 9, "too_few_verdicts"),
        ([(5, "false_alarm")] * 30, "none_confirmed"),
        ([(5, "confirmed")] * 30 + [(4, "false_alarm")], "nothing_to_gain"),
        ([(99, "confirmed"), (50, "false_alarm")] * 15, "nothing_to_gain"),
        ([(5, "confirmed"), (105, "false_alarm")] * 15, "not_compared"),
    ],
)  # fmt: skip
def test_why_nothing_is_proposed(pairs, reason):
    told = suggest(seen(100, *pairs))
    assert isinstance(told, Nothing) and told.reason == reason
    assert len([p for p in pairs if p[1] != NONE]) == told.verdicts
    assert (reason == "too_few_verdicts") == (told.verdicts < VERDICTS_LEAST)


def test_each_limit_by_itself():
    two = seen(60, *[(5, "confirmed")] * 3) + seen(1800, *[(5, "confirmed")] * 25)
    assert [(one.limit, getattr(one, "reason", "")) for one in by_limit(two)] == [
        (1800, "nothing_to_gain"), (60, "too_few_verdicts"),
    ]  # fmt: skip


def test_the_page_proposes_and_its_button_only_fills_the_form(folder, tmp_path):
    """Verdicts in, a number out; two people do the rest."""
    (tmp_path / "data").mkdir()
    with Court(tmp_path / "data", district=folder) as court:
        later(court, *range(20, 60))
        rows = [f for f in court.live.findings().values() if f.rule == "too_fast_step"]
        for f in rows:
            told = "confirmed" if f.value < 30 else "false_alarm"
            court.live.post(verdict(f"v-{f.finding_id}", f.finding_id, told))
        before = court.live.runner.shard.contents[-1].digest
        one = court.account("zhao", "centre")
        page = one.get("/rules/too_fast_step").text
        assert "限值 1800 可改为 30" in page
        link = re.search(r'href="(\?setting=[^"#]*)#limit"', page)
        assert link is not None
        page = one.get(f"/rules/too_fast_step{link[1].replace('&amp;', '&')}").text
        assert 'value="limits[*,accept,survey]"' in page and 'size="10"' in page
        assert re.search(r'name="value"[^>]*value="30"', page)
        assert court.live.runner.shard.contents[-1].digest == before
        assert 'href="?setting=' not in court.account("sun", "supervisor").get(
            "/rules/too_fast_step").text  # fmt: skip
        put = {"setting": "limits[*,accept,survey]", "value": "30", "reason": "由核实得出"}
        assert asked(one, do="propose", **put).status_code == 303
        assert asked(court.account("qian", "leader"), do="approve").status_code == 303
        rules = {c.rule.id: c for c in court.live.runner.shard.engine.rulebook.rules}
        assert rules["too_fast_step.trial"].entries[0]["limit_s"] == 30
