"""The rules' pages are those that the rule files give, and a new rule begins as one that fails."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import tidy
from conftest import ROOT
from typer.testing import CliRunner, Result

from detector.__main__ import app
from detector.cli.generated import differences, write
from detector.markdown import code, plain, prose, spelled, table
from detector.pages import FAMILIES, INDEX, MARK, page, pages
from detector.rulekit import Band, Example, Param, Rule, ev
from detector.shelf import Shelved, load_shelf
from detector.skeleton import skeleton
from detector.stories import tell_all
from detector.storytext import EVENTS_SHOWN_MAX, story

SHELF = load_shelf()
PAGES = ROOT / "docs" / "rules"


def oriole(*words: object, code: int = 0) -> Result:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, done.output
    return done


# --- fresh


def test_the_pages_are_fresh():
    """Failing? Run `oriole rules docs` and commit what it writes."""
    assert differences(PAGES, pages(SHELF), MARK) == []


def test_stale_missing_and_left_over_pages_are_told(tmp_path: Path):
    wanted = pages(SHELF)
    write(tmp_path, wanted, MARK)
    assert differences(tmp_path, wanted, MARK) == []
    (tmp_path / "same_person.md").write_text(wanted["same_person.md"] + "\n")
    (tmp_path / "too_fast_step.md").unlink()
    (tmp_path / "gone.md").write_text(MARK)
    (tmp_path / "notes.md").write_text("Somebody's own.")
    told = ["same_person.md: stale", "too_fast_step.md: missing", "gone.md: belongs to nothing"]
    assert differences(tmp_path, wanted, MARK) == told
    write(tmp_path, wanted, MARK)
    assert differences(tmp_path, wanted, MARK) == []
    assert (tmp_path / "notes.md").exists() and not (tmp_path / "gone.md").exists()


def test_the_command_writes_and_checks(tmp_path: Path):
    out = tmp_path / "pages"
    assert f"{INDEX}: missing" in oriole("rules", "docs", "--out", out, "--check", code=1).output
    assert not out.exists()
    oriole("rules", "docs", "--out", out)
    told = json.loads(oriole("rules", "docs", "--out", out, "--check", "--json").output)
    assert told == {"folder": str(out), "files": len(SHELF) + 1, "faults": []}
    (tmp_path / "file").write_text("")
    oriole("rules", "docs", "--out", tmp_path / "file", code=2)


# --- what a page says


@pytest.mark.parametrize("rule_id", SHELF)
def test_a_page_says_all_that_the_card_says(rule_id: str):
    rule, text = SHELF[rule_id].rule, page(SHELF[rule_id])
    bands = [word for b in rule.bands for word in (code(b.code), plain(b.zh), plain(b.en))]
    params = [word for p in rule.params for word in (code(p.name), f"{p.default:,}", p.about)]
    entries = [code(str(value)) for e in (rule.table.entries if rule.table else ()) for value in
               e.values() if isinstance(value, str)]  # fmt: skip
    said = [plain(rule.basis), plain(rule.sentence_zh), plain(rule.sentence_en)]
    said += [plain(e.title) for e in rule.examples]
    said += [code(word) for word in (*rule.mutes, *(reason for reason, _ in rule.unknown))]
    for word in (plain(rule.zh), plain(rule.en), *bands, *params, *entries, *said):
        assert word in text
    for heading in ("内容 What", "依据 Basis", "单位 Unit", "盲区 Blind"):
        assert heading in text
    assert text.count("\n| ") < 200


def test_a_page_changes_with_the_card():
    shelved = SHELF["too_fast_case"]
    rule = shelved.rule
    for changed in (
        replace(rule, edition=rule.edition + 1),
        replace(rule, params=(replace(rule.params[0], default=301),)),
        replace(rule, bands=(rule.bands[0], replace(rule.bands[1], tier=1))),
        replace(rule, mutes=rule.mutes[:-1]),
        replace(rule, examples=rule.examples[1:]),
        replace(rule, sentence_zh="另一句"),
    ):
        assert page(replace(shelved, rule=changed)) != page(shelved)
    assert page(replace(shelved, prose="Another.")) != page(shelved)


@dataclass(frozen=True, kw_only=True)
class LaterRule(Rule):
    recurs: str = "never"
    remedy: str = ""


@dataclass(frozen=True)
class LaterBand(Band):
    points: float = 0


@dataclass(frozen=True)
class LaterParam(Param):
    zh: str = ""


@dataclass(frozen=True)
class LaterExample(Example):
    lacking: tuple[str, ...] = ()


def test_fields_of_a_later_kit_are_told_where_they_are_set():
    told = dict(vars(SHELF["too_fast_case"].rule))
    assert page(Shelved(LaterRule(**told), "")) == page(Shelved(Rule(**told), ""))
    bands = (*told["bands"][:1], LaterBand("slow", 5, 1, zh="慢", en="slow", points=2.5))
    examples = (LaterExample("none", told["examples"][0].story, "clear", lacking=("operator",)),)
    params = (LaterParam("limit_s", 1, "s", "least", zh="最少"),)
    told |= {"bands": bands, "examples": examples, "params": params, "family": "weather"}
    text = page(Shelved(LaterRule(**told, recurs="yearly"), ""))
    for word in ('`recurs` | `"yearly"`', "points", "`2.5`", '`lacking = ["operator"]`', "weather"):
        assert word in text
    assert "remedy" not in text


def test_stories_are_short_and_in_order():
    rows = tuple(
        ev("step", f"2026-03-02 09:00:{n:02}", step="x", case_id=f"c{n}") for n in range(30)
    )
    lines = story(Example("many", rows, "clear", until="2026-03-03 09:00:00")).split("<br>")
    assert len(lines) == EVENTS_SHOWN_MAX + 1
    assert lines[0] == r"2026-03-02 09:00:00 `step x` · case\_id c0"
    assert lines[-3:-1] == ["…（另 23 条 more）", r"09:00:29 `step x` · case\_id c29"]
    fact = {"kind": "receipt", "received_at": "2026-03-02 10:00:00", "amount": "3"}
    late = ev("close", "2026-03-02 11:00:00", occurred_at="2026-03-01 09:00:00", operator=None)
    assert story(Example("facts", (fact, late), "clear")) == (
        "2026-03-02 10:00:00 `receipt` · amount 3<br>"
        r"11:00:00 `close` · occurred\_at 2026-03-01 09:00:00 · 无 no operator"
    )


def test_a_long_setting_that_examples_share_is_told_once():
    shelved = SHELF["too_fast_case"]
    item = {"steps": [{"code": f"step-{n}"} for n in range(9)]}
    examples = [replace(e, item=item) for e in shelved.rule.examples[:2]] + [
        shelved.rule.examples[2]
    ]
    text = page(replace(shelved, rule=replace(shelved.rule, examples=tuple(examples))))
    assert text.count("step-8") == 1 and text.count("| **A** |") == 2


def test_no_text_breaks_a_table():
    assert plain("a|b\n `c` <d> *e*") == r"a\|b \`c\` \<d\> \*e\*"
    assert prose("see `a_b`, a_b") == r"see `a_b`, a\_b"
    assert table(("x", "y", "z"), [("1", "", "2"), ("3", "", "")]) == [
        "| x | z |", "| --- | --- |", "| 1 | 2 |", "| 3 |  |", "",
    ]  # fmt: skip
    assert spelled({"a": [True, 0.5, "x"]}) == '{ a = [true, 0.5, "x"] }'
    for text in pages(SHELF).values():
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert all(line.endswith("|") for line in rows)


def test_links_lead_somewhere():
    for name, text in pages(SHELF).items():
        for target in tidy.links(text):
            assert (PAGES / target).exists(), f"{name}: {target}"


# --- a new rule


@pytest.mark.parametrize("family", FAMILIES)
def test_a_skeleton_loads_and_fails_by_its_first_example_alone(tmp_path: Path, family: str):
    oriole("rules", "new", "slow_answer", "--family", family, "--folder", tmp_path)
    shelf = load_shelf(tmp_path)
    assert shelf["slow_answer"].rule.family == family and "待命名" in page(shelf["slow_answer"])
    assert [bool(told.fault) for told in tell_all(shelf)] == [True, False, False]
    told = oriole("rules", "test", "slow_answer", "--folder", tmp_path, code=1).output
    assert "what must be found: wants 1 beyond, found {}" in told


def test_a_skeleton_passes_once_it_measures(tmp_path: Path):
    text = skeleton("slow_answer", "process")
    measured = 'c["recorded_at"] - c["accept_recorded_at"] - p.limit_s * SECOND'
    filled = text.replace('c["recorded_at"] * 0\n', measured + "\n", 1)
    assert filled != text
    (tmp_path / "slow_answer.py").write_text(filled, "utf-8")
    oriole("rules", "test", "--folder", tmp_path)


def test_a_skeleton_is_tidy():
    source = tidy.Source("rules/slow_answer.py", skeleton("slow_answer", "process"))
    checks = (tidy.banned_names, tidy.too_long, tidy.undocumented, tidy.foreign_imports)
    assert [complaint for check in checks for complaint in check(source)] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["too_fast_step", "--family", "truth"], "is there already"),
        (["TooFast", "--family", "truth"], "is no name for a rule"),
        (["../too_fast", "--family", "truth"], "is no name for a rule"),
        (["class", "--family", "truth"], "is no name for a rule"),
        (["a" * 41, "--family", "truth"], "is no name for a rule"),
        (["slow_answer", "--family", "weather"], "write one of timeliness"),
        (["slow_answer", "--family", "truth", "--folder", "nonesuch"], "is not a folder"),
    ],
)
def test_an_unsound_name_is_refused(words: list[str], said: str):
    assert said in oriole("rules", "new", *words, code=2).output


def test_a_rule_is_not_overwritten(tmp_path: Path):
    (tmp_path / "slow_answer.py").write_text("mine")
    words = ["rules", "new", "slow_answer", "--family", "truth", "--folder", tmp_path]
    assert "is there already" in oriole(*words, code=2).output
    assert (tmp_path / "slow_answer.py").read_text() == "mine"
