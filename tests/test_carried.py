"""What the state of a case remembers by number is the same by name after a change."""

from __future__ import annotations

import msgspec
import pytest
from live_kit import Live, county, event
from test_change import resumed, tick, told

from detector.ledger.content import content_with

ITEM = """[[items]]
code = "{code}"
name = "许可"
type = "01"
promised_days = 7
"""
PAIRS = '[items.incompatible]\npairs = [["accept", "decide"]]'


def catalogue(*steps: str, code: str = "tea", before: str = "", pairs: str = PAIRS) -> bytes:
    """One item; a step is its code, `!` where it is required, `=` and a document that it needs."""
    lines = [before + ITEM.format(code=code) + pairs]
    for told_step in steps:
        name, _, document = told_step.partition("=")
        lines += ["[[items.steps]]", f'code = "{name.strip("!")}"', f'duty = "{name.strip("!")}"']
        lines += ["required = true"] if name.endswith("!") else []
        lines += [f'documents = ["{document}"]'] if document else []
    return "\n".join(lines).encode() + b"\n"


@pytest.fixture(scope="module")
def plain():
    return county()


class Tea(Live):
    """The county with a catalogue of one item, which may become another."""

    def __init__(self, plain, *steps):
        self.plain = plain
        super().__init__(content=self.with_files(catalogue(*steps)))

    def with_files(self, items, rulebook=b""):
        """What judges by this catalogue and this rulebook."""
        files = self.plain.district
        files = {n: d for n, d in files.items() if not n.startswith("catalogue/")}
        files |= {"catalogue/tea.toml": items, "rulebook.toml": rulebook}
        return msgspec.structs.replace(self.plain, district=files)

    def to(self, *steps, **kept):
        """Another catalogue judges."""
        self.change(self.with_files(catalogue(*steps, **kept)))

    def rules(self, rulebook):
        """Another rulebook judges."""
        held = self.runner.shard.contents[-1].content.district
        self.change(self.with_files(held["catalogue/tea.toml"], rulebook))


@pytest.fixture
def begin(plain):
    """Start with a catalogue; at the end the same follows from the journal again."""
    made = []

    def start(*steps):
        made.append(Tea(plain, *steps))
        return made[-1]

    yield start
    for live in made:
        digest = live.digest()
        assert resumed(live) == digest
        live.stop()
        assert not live.failures


def tea(event_id, at, action="step", **fields):
    return event(event_id, at, action, **{"item": "tea", "documents": [], "fields": []} | fields)


def skipped(live, case):
    return [
        f.evidence["skipped_steps"] for f in live.findings().values()
        if f.rule == "skipped_step" and f.case_id == case
    ]  # fmt: skip


def test_worked_steps_keep_their_names_when_the_flow_is_another(begin):
    live = begin("accept!", "survey!", "review!", "decide!", "close")
    live.post(tea("e1", "09:00:00", "accept"), tea("e2", "10:00:00", step="review"))
    live.to("accept!", "review!", "visit", "survey!", "decide!", "close")
    live.post(tea("e3", "11:00:00", "decide", result="granted"))
    assert skipped(live, "c1") == [["survey"]]


def test_what_is_required_since_the_change_is_not_asked_of_a_case_that_had_begun(begin):
    live = begin("accept!", "survey", "decide!", "close")
    live.post(tea("e1", "09:00:00", "accept"))
    live.to("accept!", "survey!", "decide!", "close")
    live.post(tea("e2", "11:00:00", "decide", result="granted"))
    assert skipped(live, "c1") == []
    live.post(tea("f1", "12:00:00", "accept", case_id="c2"))
    live.post(tea("f2", "13:00:00", "decide", result="granted", case_id="c2"))
    assert skipped(live, "c2") == [["survey"]]
    live.post(tea("e3", "14:00:00", step="survey"))  # late, and it need not have been worked
    assert skipped(live, "c1") == []


def test_documents_keep_their_names(begin):
    live = begin("accept=form", "survey=opinion", "decide", "close")
    live.post(tea("e1", "09:00:00", "accept", documents=["form"]))
    live.to("accept=licence", "survey=opinion", "decide=form", "close=seal")
    live.post(tea("e2", "10:00:00", step="survey"), tea("e3", "11:00:00", "decide"))
    missing = [
        f.evidence["missing_documents"] for f in live.findings().values()
        if f.rule == "missing_document"
    ]  # fmt: skip
    assert missing == [["opinion"]]
    live.post(tea("e4", "12:00:00", "close", result="granted"))  # the seal was not asked for then
    assert len([f for f in live.findings().values() if f.rule == "missing_document"]) == 1
    live.post(tea("f1", "13:00:00", "accept", case_id="c2"))
    assert len([f for f in live.findings().values() if f.rule == "missing_document"]) == 2


def test_holders_of_duties_keep_them(begin):
    """New duties stand before the old ones, so every code is another."""
    live = begin("accept", "survey", "decide", "close")
    live.post(tea("e1", "09:00:00", "accept", operator="P1"))
    other = catalogue("decide", "close", "accept", code="another").decode()
    live.to("survey", "accept", "decide", "close", before=other)
    live.post(tea("e2", "15:00:00", "decide", operator="P1"))
    assert [c for c, *_ in told(live, "same_person")] == ["same_person"]


def test_a_duty_that_nobody_has_any_more_is_forgotten(begin):
    live = begin("accept", "decide", "close")
    live.post(tea("e1", "09:00:00", "accept", operator="P1"))
    live.to("visit", "close", pairs="[items.incompatible]\npairs = []")
    live.to("accept", "decide", "close")
    live.post(tea("e2", "15:00:00", "decide", operator="P1"))
    assert told(live, "same_person") == []


def test_the_furthest_step_is_found_in_the_new_flow(begin):
    live = begin("accept", "survey", "review", "decide", "close")
    live.post(tea("e1", "09:00:00", "accept"), tea("e2", "11:00:00", step="review"))
    live.to("accept", "review", "visit", "survey", "decide", "close")
    late = {"occurred_at": "2026-03-02T10:00:00+08:00", "operator": "P9"}
    live.post(tea("e2b", "12:00:00", step="note"))  # else the previous event would tell it
    live.post(tea("e3", "12:00:00", step="survey", **late))  # behind the review now: no back entry
    furthest = live.runner.shard.state.cases.table["furthest_place"][0]
    assert furthest == 3
    live.to("accept", "close")
    assert live.runner.shard.state.cases.table["furthest_place"][0] == -1


def test_a_special_procedure_is_dated_anew(begin):
    live = begin("accept", "close")
    live.post(
        tea("e1", "09:00:00", "accept"),
        tea("e2", "10:00:00", "suspend", procedure="hearing", days_granted=2),
        tick("2026-03-04T10:00:00Z"),
    )
    due = ("due_soon", "2026-03-02T10:00")
    assert told(live, "overdue_procedure") == [
        (*due, "superseded"), ("overdue", "2026-03-04T10:00", None)
    ]  # fmt: skip
    held = live.runner.shard.contents[-1].content
    toml = held.district["district.toml"].replace(b"off = []", b'off = ["2026-03-03"]')
    live.change(content_with(held.district | {"district.toml": toml}, held.rules, held.at))
    gone = ("overdue", "2026-03-04T10:00", "limit_changed")
    assert told(live, "overdue_procedure") == [(*due, None), gone]
    live.post(tick("2026-03-06T00:00:00Z"))
    assert told(live, "overdue_procedure") == [
        (*due, "superseded"), gone, ("overdue", "2026-03-05T10:00", None)
    ]  # fmt: skip


def test_what_could_not_be_known_is_said_once_and_dated_when_it_is_known(begin, plain):
    live = begin("accept", "close")
    live.post(event("e1", "09:00:00", "accept", item="coffee"), tick("2026-03-20T00:00:00Z"))

    def counts():
        return {(c.rule, c.reason): c.n for c in live.ledger.counts() if "overdue" in c.rule}

    said = counts()
    assert said["overdue_promise", "item_not_listed"] == 1
    live.rules(b'[rules.overdue_statutory]\nmode = "off"\n')
    assert counts() == said
    live.to("accept", "close", code="coffee")
    assert ("overdue", "2026-03-11T09:00", None) in told(live, "overdue_promise")
    now = counts()
    assert now.pop(("overdue_statutory", "no_limit")) == 1  # a rule that is new says what it lacks
    assert now == said
