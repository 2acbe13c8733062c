"""A text message is counted as gateways count it, and cut where it matters least."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector import sms

SIGNATURE = "【示例区监察】"
LINK = "https://jc.example.gov.cn/n/abcdefghijklmnopqrstuv"
TEXTS = st.text(
    st.one_of(
        st.sampled_from("办件超期请于3月3日前。；「」（）…  \n"), st.characters(codec="utf-8"),
        st.sampled_from("😀𠮷𠀀"),
    ),
    max_size=400,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "signature", "units", "parts"),
    [
        ("", "", 0, 1),
        ("字" * 70, "", 70, 1),
        ("字" * 71, "", 71, 2),
        ("字" * 134, "", 134, 2),
        ("字" * 135, "", 135, 3),
        ("a" * 71, "", 71, 2),  # seven-bit text is not assumed
        ("字" * 63, SIGNATURE, 70, 1),
        ("字" * 64, SIGNATURE, 71, 2),
        ("字" * 63, "示例区监察", 70, 1),  # 【】 is counted though it was not written
        ("😀" * 35, "", 70, 1),
        ("😀" * 36, "", 72, 2),
        ("𠮷" * 67, "", 134, 3),  # 33 a part: 66 units, the 67th stays empty
        ("字" + "𠮷" * 66, "", 133, 2),  # 1 + 66 units, then 66
    ],
)
def test_counted_as_gateways_count(text, signature, units, parts):
    assert sms.count(text, signature) == units
    assert sms.parts(text, signature) == parts


@given(TEXTS, st.sampled_from(["", SIGNATURE, "市监"]))
def test_parts_are_the_whole_message_and_each_fits(text, signature):
    told = sms.split(text, signature)
    assert "".join(told) == sms.signed(text, signature)
    most = 70 if len(told) == 1 else 67
    assert all(len(part.encode("utf-16-be")) // 2 <= most for part in told)  # no half character
    assert all(told) or told == [""]


@given(TEXTS, st.sampled_from(["", SIGNATURE]), st.integers(1, 4))
def test_a_shortened_text_fits_and_is_marked(text, signature, parts_max):
    told = sms.shorten(text, signature, parts_max)
    assert sms.parts(told, signature) <= parts_max
    if sms.parts(text, signature) <= parts_max:
        assert told == text
    else:
        assert sms.CUT in told
    assert sms.shorten(told, signature, parts_max) == told


def test_what_people_wrote_goes_first():
    said = "情况说明" * 30
    text = f"办件320411-2026-00058的答复：「{said}」。请于3月3日17:30前审核。{LINK}"
    told = sms.shorten(text, SIGNATURE, 2)
    head, quoted = told.split("「")
    assert head == "办件320411-2026-00058的答复："
    assert quoted.startswith("情况说明") and f"…」。请于3月3日17:30前审核。{LINK}" in quoted
    assert sms.count(told, SIGNATURE) == 134  # and no more of it than is needed


def test_what_is_to_be_done_stays():
    text = "督办通知：" + "环节过快，" * 40 + f"等3项情形。请于3月3日17:30前答复。{LINK}"
    told = sms.shorten(text, SIGNATURE, 2)
    assert told.startswith("督办通知：环节过快")
    assert told.endswith(f"…请于3月3日17:30前答复。{LINK}")


def test_a_link_is_never_broken_where_it_fits():
    link = "https://jc.example.gov.cn/n?a=b;c!d"
    assert sms.shorten("请尽快处理" * 40 + link, "", 1) == "请尽快处理" * 6 + "请尽快处…" + link
    english = "Step too fast. " * 30 + f"Please answer by 3 Mar 17:30. {link}"
    told = sms.shorten(english, SIGNATURE, 2)
    assert told.endswith(f"… Please answer by 3 Mar 17:30. {link}")


def test_a_single_sentence_is_cut_at_its_end():
    assert sms.shorten("字" * 99, "", 1) == "字" * 69 + "…"
    assert sms.shorten("😀" * 99, "", 1) == "😀" * 34 + "…"


@pytest.mark.parametrize(("signature", "parts_max"), [("", 0), ("长" * 80, 1)])
def test_a_signature_that_does_not_fit_is_refused(signature, parts_max):
    with pytest.raises(ValueError, match="do not hold the signature"):
        sms.shorten("字", signature, parts_max)
