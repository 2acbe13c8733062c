"""Messages say what they must, in both languages, and nothing that they must not."""

from __future__ import annotations

import re
import string
from datetime import datetime

import msgspec
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from detector import phrases, sms
from detector.district import load_district
from detector.phrases import LANGUAGES, OCCASIONS, PHRASES, REASONS, Phrase
from detector.verdict import Text
from detector.wording import SAID_CHARACTERS_MAX, Told, linked, say

COUNTY = load_district(ROOT / "examples" / "county")
ZONE = COUNTY.calendar.zone
WITHDRAWN = ("closed_in_time", "suspended", "limit_changed", "corrected", "one_stamp", "superseded")
LIFTED = ("finished_in_time", "expired", "ordered", "person")
REMINDERS = ("not_acknowledged", "late_answer", "unfinished", "unurged", "not_reviewed",
             "still_open")  # fmt: skip
DUTY = ("no_recipient", "person_left", "channel_dead", "no_phone", "no_address")


def at(text: str) -> int:
    """µs UTC of a reading of the district's clock."""
    return int(datetime.fromisoformat(f"{text}+08:00").timestamp()) * 1_000_000


TOLD = Told(
    notice_id="n1", occasion="issued", tier=1, level=1, subject_kind="case",
    subject="320411-2026-00058", tier_name=Text("预警通知", "warning notice"),
    department="D07", department_name="应急管理局", item_name="危险化学品经营许可",
    reasons=(Text("超承诺期限", "past the promise"),), by="王志远", said="已补录。",
    acknowledge_by=at("2026-03-03T10:23:59"), answer_by=at("2026-03-06T10:23:59"),
    at_us=at("2026-03-02T10:23:59"),
)  # fmt: skip


def told(**changes) -> Told:
    """A message that is like the others, save for this."""
    return msgspec.structs.replace(TOLD, **changes)


# --- the catalogue ------------------------------------------------------------------------------


def fields(template: str) -> set[str]:
    """What a template asks for; a capital is the same word at a sentence's start."""
    return {name.lower() for _, name, _, _ in string.Formatter().parse(template) if name}


def gaps(rows: dict[str, Phrase]) -> list[str]:
    """What a catalogue of phrases lacks in one language."""
    return [
        key
        for key, row in rows.items()
        if not (row.text.zh and row.text.en)
        or fields(row.text.zh) != fields(row.text.en)
        or bool(row.label.zh) != bool(row.label.en)
        or not re.search("[\u3000-\u9fff\uff00-\uffef]", row.text.zh)
        or re.search("[\u4e00-\u9fff]", row.text.en)
    ]


def test_neither_language_lacks_a_word():
    assert gaps(PHRASES) == []
    assert {key.partition(".")[0] for key in PHRASES} == set(OCCASIONS)
    assert {key.partition(".")[2] for key in PHRASES if "." in key} == set(REMINDERS)
    assert set(REASONS) >= {*WITHDRAWN, *LIFTED, *REMINDERS, *DUTY}
    words = [w for w in vars(phrases).values() if isinstance(w, Text)]
    for table in (REASONS, phrases.SUBJECTS, phrases.VERBS):
        words += table.values()
    assert len(words) > 40 and all(w.zh and w.en for w in words)
    assert [w for w in words if re.search("[\u4e00-\u9fff]", w.en)] == []


@pytest.mark.parametrize(
    "text",
    [Text("{what}。", ""), Text("{what}{why}。", "{What}."), Text("{what}。", "{what}的."),
     Text("{what}.", "{what}.")],
)  # fmt: skip
def test_a_gap_is_found(text):
    assert gaps({"issued": Phrase(Text("", ""), text)}) == ["issued"]


# --- what is said -------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", PHRASES)
def test_every_occasion_is_said(key, language):
    occasion, _, reason = key.partition(".")
    line, text = say(told(occasion=occasion, reason=reason or "suspended", count=7), ZONE, language)
    assert not re.search(r"[{}\n]|  |。。|：：|\.\.", line + text)
    assert text.endswith("。" if language == "zh" else ".")
    assert ("7" if occasion == "digest" else "320411-2026-00058") in line
    if language == "zh":
        assert text not in {say(told(occasion=o), ZONE)[1] for o in OCCASIONS if o != occasion}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "预警通知：危险化学品经营许可办件320411-2026-00058超承诺期限。"
             "请于3月3日、6日10:23前签收、答复。"),
        ({"findings": 3}, "预警通知：危险化学品经营许可办件320411-2026-00058超承诺期限等3项。"
                          "请于3月3日、6日10:23前签收、答复。"),
        ({"acknowledge_by": None, "answer_by": None, "item_name": None},
         "预警通知：办件320411-2026-00058超承诺期限。请及时处理。"),
        ({"finish_by": at("2026-03-30T17:30:00"), "item_name": None, "reasons": ()},
         "预警通知：办件320411-2026-00058有待核实情形。"
         "请于3月3日10:23前签收，6日10:23前答复，30日17:30前办结。"),
        ({"answer_by": TOLD.acknowledge_by, "item_name": None},
         "预警通知：办件320411-2026-00058超承诺期限。请于3月3日10:23前签收、答复。"),
        ({"subject_kind": "department", "subject": "D07", "item_name": None, "answer_by": None},
         "预警通知：应急管理局超承诺期限。请于3月3日10:23前签收。"),
        ({"occasion": "withdrawn", "reason": "suspended", "item_name": None, "said": ""},
         "办件320411-2026-00058的预警通知已撤销（期间依法中止，不计时限）。原要求不再执行。"),
        ({"occasion": "reminder", "reason": "late_answer", "item_name": None},
         "催办：办件320411-2026-00058超承诺期限的预警通知逾期未答复（期限3月6日10:23）。请即答复。"),
        ({"occasion": "reissued", "item_name": None, "acknowledge_by": None},
         "预警通知：办件320411-2026-00058的答复经审核退回：「已补录」。请于3月6日10:23前重新答复。"),
        ({"occasion": "duty", "reason": "no_phone", "person": "李明", "item_name": None},
         "办件320411-2026-00058的预警通知未能送达李明（接收人未登记联系方式）。请及时处置。"),
        ({"occasion": "digest", "count": 50_000, "findings": 3},
         "预警通知汇总：50000件待办，涉及超承诺期限等3项。最早须于3月3日10:23前签收。"),
        ({"occasion": "exempted", "by": "oriole", "item_name": None, "said": ""},
         "办件320411-2026-00058的预警通知经系统批准予以豁免。"),
    ],
)  # fmt: skip
def test_said_in_chinese(changes, text):
    assert say(told(**changes), ZONE)[1] == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"findings": 3}, "Warning notice: case 320411-2026-00058: past the promise and 2 more. "
                          "Please acknowledge by 3 Mar 10:23 and answer by 6 Mar 10:23."),
        ({"finish_by": at("2027-01-04T10:23:00")},
         "Warning notice: case 320411-2026-00058: past the promise. Please acknowledge by "
         "3 Mar 10:23, answer by 6 Mar 10:23 and finish by 4 Jan 2027 10:23."),
        ({"occasion": "withdrawn", "reason": "corrected", "said": "Typed twice."},
         "The warning notice on case 320411-2026-00058 is withdrawn (the record was corrected). "
         "Remark: “Typed twice”. Nothing more is asked."),
    ],
)  # fmt: skip
def test_said_in_english(changes, text):
    assert say(told(item_name=None, **changes), ZONE, "en")[1] == text


def test_another_year_is_said():
    late = told(at_us=at("2026-12-30T10:00:00"), acknowledge_by=at("2026-12-31T10:00:00"),
                answer_by=at("2027-01-05T10:00:00"))  # fmt: skip
    assert "请于12月31日、2027年1月5日10:00前" in say(late, ZONE)[1]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("occasion", OCCASIONS)
def test_nothing_is_left_of_what_is_not_told(occasion, language):
    bare = told(occasion=occasion, reason="", by="", said="", person="", reasons=(), item_name=None,
                acknowledge_by=None, answer_by=None, at_us=None)  # fmt: skip
    text = say(bare, ZONE, language)[1]
    assert not re.search("（）|「」|\\(\\)|“”|：。|: \\.|^[，。,.]|None", text), text


def test_a_reason_of_tomorrow_is_said_as_it_is():
    assert "已撤销（new_law）" in say(told(occasion="withdrawn", reason="new_law"), ZONE)[1]


def test_subject_lines():
    assert say(TOLD, ZONE)[0] == "预警通知：危险化学品经营许可办件320411-2026-00058"
    lifted = told(occasion="lifted", reason="expired", item_name="很长的事项名称" * 20)
    assert say(lifted, ZONE)[0].startswith("预警通知（解除）：很长")
    assert len(say(lifted, ZONE)[0]) == 80
    assert say(told(occasion="digest", count=9), ZONE)[0] == "预警通知（汇总）：9件"
    assert say(told(occasion="raised", item_name=None), ZONE, "en")[0] == (
        "Warning notice, raised: case 320411-2026-00058"
    )


def test_a_link_stands_at_the_end():
    assert linked("请及时处理。", "https://x/n/1") == "请及时处理。办理：https://x/n/1"
    assert linked("Please.", "https://x/n/1", "en") == "Please. Open: https://x/n/1"
    assert linked("请及时处理。", "") == "请及时处理。"


# --- as a text message --------------------------------------------------------------------------


def test_the_commonest_message_is_one_text_message():
    rules = ("超承诺期限", "环节过快", "环节超时", "录入迟延")
    names = [
        item.name for item in COUNTY.catalogue.items.values() if item.name and len(item.name) <= 9
    ]
    assert len(names) > 5
    for name in names:
        for rule in rules:
            one = told(item_name=name, reasons=(Text(rule, rule),))
            assert sms.parts(say(one, ZONE)[1], "示例区监察") == 1, (name, rule)


# --- what is never said -------------------------------------------------------------------------

PHONES = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True) | st.from_regex(
    r"\+86 1[3-9][0-9] [0-9]{4} [0-9]{4}|0519-8[0-9]{7}|１３[０-９]{9}", fullmatch=True
)
IDENTITIES = st.from_regex(
    r"3204[0-9]{2}(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9X]",
    fullmatch=True,
)


@given(st.text("请联系，电话 。", max_size=9), PHONES | IDENTITIES, st.sampled_from(LANGUAGES))
def test_no_number_of_a_person_leaves(before, number, language):
    one = told(occasion="answered", said=f"{before}{number}，谢谢")
    text = say(one, ZONE, language)[1]
    assert number not in text and re.sub(r"\D", "", number)[-6:] not in text
    assert "谢谢" in text


def test_a_case_number_is_no_identity():
    one = told(occasion="answered", said="320411202600000058 与 320411-2026-00058 为同一办件")
    assert "320411202600000058 与 320411-2026-00058" in say(one, ZONE)[1]


@given(st.text(), st.text(), st.text(), st.sampled_from(list(PHRASES)), st.sampled_from(LANGUAGES))
def test_what_people_write_stays_what_it_is(said, subject, name, key, language):
    occasion, _, reason = key.partition(".")
    one = told(occasion=occasion, reason=reason, said=said, subject=subject, by=name, person=name)
    line, text = say(one, ZONE, language)
    for written in (line, text):
        assert not re.search(r"[【】\r\n\t]", written)
    assert text.count("「") == text.count("」") <= 1
    found = re.search("「(.*)」", text)
    assert not found or 0 < len(found[1]) <= SAID_CHARACTERS_MAX
