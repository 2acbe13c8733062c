"""Both catalogues hold the same keys, with the same places for values; no text is asked for that
is not there, and none is there that nobody asks for."""

from __future__ import annotations

import re
from string import Formatter

import pytest
from conftest import ROOT

from detector.event import ACTION, LEARNER_ACTS
from detector.learning.judging import BUDGET
from detector.learning.shelf import load_learners
from detector.notice import ACTS, DECISIONS, STATES, SUBJECT_KINDS
from detector.rulekit import ORDINARY_EVIDENCE
from detector.shelf import load_shelf
from detector.web.pages.forms import FOUND
from detector.web.pages.models import SORTS
from detector.web.pages.switching import ENDINGS
from detector.web.who import GIVEN, POWERS
from detector.web.words import LANGUAGES, bases, catalogue, words_of

WEB = ROOT / "detector" / "web"
# Kinds of keys whose second half is a code of the engine's.
CODED = ("reason.", "message.", "procedure.", "result.", "duty.", "js.", "role.", "mode.",
         "family.", "export.", "tier.", "level.", "kind.", "act.", "bulk.", "state.", "subject.",
         "action.", "decision.", "notice.", "span.", "tour.", "account.role.",
         "fault.", "error.", "answer.", "suggest.", "trial.", "verdict.", "model.act.",
         "model.key.", "model.learns.", "model.sort.", "problem.", "why.", "mistake.",
         "remedy.", "shown.", "drift.", "still.", "evidence.", "amount.", "value.",
         "model.kind.", "power.", "audit.did.", "audit.outcome.")  # fmt: skip


def asked() -> set[str]:
    """Keys that templates and routes write out."""
    found: set[str] = set()
    for path in [*WEB.rglob("*.j2"), *WEB.rglob("*.py")]:
        text = path.read_text()
        found |= set(re.findall(r'\bt\(\s*"([\w.]*\w)"', text))
        found |= set(re.findall(r'"((?:nav|tour)\.(?!js)[\w.]+)"', text))
    return found


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_neither_language_lacks_a_key():
    zh, en = (catalogue(lang) for lang in LANGUAGES)
    assert zh.keys() == en.keys() and len(zh) > 300
    assert [k for k in zh if fields(zh[k]) != fields(en[k])] == []
    assert [
        k
        for held in (zh, en)
        for k, text in held.items()
        if not text.strip(" \u3000") and k != "span.join"
    ] == []
    assert [k for k in en if re.search(r"[\u4e00-\u9fff]", en[k])] == []
    assert [k for k in zh if re.fullmatch(r"[ -~]{4,}", zh[k]) and zh[k] != "{why}"] == []


def test_what_rules_and_learners_rest_on_is_said_in_chinese():
    """Of each text that is shipped, and of none that is not."""
    texts = {one.rule.basis for one in load_shelf().values()}
    texts |= {p.about for one in load_shelf().values() for p in one.rule.params}
    texts |= {one.learner.basis for one in load_learners().values()}
    assert set(bases()) == texts
    assert all(re.search(r"[\u4e00-\u9fff]", told) for told in bases().values())


def test_every_key_that_is_asked_for_is_there():
    held = catalogue("zh")
    assert asked() - held.keys() == set()


def test_no_key_is_left_that_nobody_asks_for():
    loose = {k for k in catalogue("zh") if not k.startswith(CODED)} - asked()
    assert loose == set()


def evidence_of_rules() -> set[str]:
    """What rules that are shipped give as evidence, but for what is drawn or said as `why`."""
    keys: set[str] = set()
    for one in load_shelf().values():
        keys |= set(one.rule.evidence) | (set(ORDINARY_EVIDENCE) if one.rule.ordinary else set())
    return keys - {"ordinary", "unusual", "why_zh", "why_en"} | {"why"}


def test_what_the_engine_knows_has_a_name():
    held = catalogue("zh")
    wanted = [f"verdict.{one}" for one in FOUND] + [f"trial.{one}" for one in ENDINGS]
    wanted += [f"state.{one}" for one in (*STATES, "open")] + [f"act.{one}" for one in ACTS]
    wanted += [f"subject.{one}" for one in SUBJECT_KINDS] + [f"action.{one}" for one in ACTION]
    wanted += [f"decision.{one}" for one in DECISIONS] + [f"tier.{n}" for n in range(5)]
    wanted += [f"account.role.{one}" for one in GIVEN] + [f"power.{one}" for one in POWERS]
    wanted += [f"model.act.{one}" for one in (*LEARNER_ACTS, "day")]
    wanted += [f"evidence.{key}" for key in evidence_of_rules()]
    learners = [one.learner for one in load_learners().values()]
    wanted += [f"model.learns.{one.id}" for one in learners]
    wanted += [f"model.key.{key}" for one in learners for key in one.keys]
    wanted += [f"model.sort.{one}" for one in SORTS]
    text = "".join(p.read_text() for p in (ROOT / "detector" / "accounts").glob("*.py"))
    wanted += [f"audit.did.{one}" for one in re.findall(r'_tell\([^"]*"(\w+)"', text)]
    wanted += [f"fault.{one}" for one in re.findall(r'Refused\(\s*"(\w+)"', text)]
    wanted += [f"fault.{one}" for one in re.findall(r'return "(too_\w+|has_\w+)"', text)]
    assert [one for one in wanted if one not in held] == [] and len(wanted) > 60


def test_why_a_rule_did_not_know_has_words():
    """Every reason that a rule of the shelf may give, for pages and the board."""
    rules = [one.rule for one in load_shelf().values()]
    wanted = {why for rule in rules for why, _ in rule.unknown} | {
        m for r in rules for m in r.mutes
    }
    wanted |= {BUDGET}
    held = catalogue("zh")
    assert {one for one in wanted if f"reason.{one}" not in held} == set()
    assert {one for one in wanted if f"js.why.{one}" not in held} == set()


def test_the_modules_ask_for_words_that_are_there():
    held = {key[3:] for key in catalogue("zh") if key.startswith("js.")}
    text = (WEB / "static" / "board.js").read_text()
    names = set(re.findall(r"words\.(\w+)", text)) | set(re.findall(r'say\("([\w.]+)"', text))
    assert names - held == set() and len(names) > 10


def test_a_key_that_is_missing_is_a_defect():
    with pytest.raises(KeyError):
        words_of("zh")("nothing.of.the.kind")
