"""Sentences told again: what a template fixes stays to the letter, whatever people typed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.web.pages.sentences import MONEY, Place, parts_of, retell

FEE = "办件 {case_id}：{department} 收取 {value} 分（应收 {due_fen} 分）。"
TOLD = "办件 c1：D01 收取 8000 分（应收 — 分）。"
PLACES = {
    "department": Place("D01", "区民政局"), "value": Place("8000", "80.00 元", MONEY),
    "due_fen": Place("—", "—", MONEY),
}  # fmt: skip


def test_a_sentence_is_told_with_names_and_yuan():
    assert retell(TOLD, FEE, PLACES) == "办件 c1：区民政局 收取 80.00 元（应收 —）。"


def test_a_sentence_of_another_template_is_shown_as_it_was_stored():
    for strange in (
        TOLD[:-1],
        TOLD + "x",
        TOLD.replace("D01", "D02"),
        TOLD.replace("收", "付"),
        "",
    ):
        assert retell(strange, FEE, PLACES) == strange


def test_a_unit_is_kept_where_the_number_stays():
    assert retell(TOLD, FEE, {"department": PLACES["department"]}) == TOLD.replace(
        "D01", "区民政局"
    )


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=5)), max_size=6), st.text())
def test_what_people_typed_is_never_lost(pieces, odd):
    """With no other words at any place a text comes back, be it a sentence or not."""
    template = "".join(f"{text.replace('{', '').replace('}', '')}{{{n}}}" for n, text in pieces)
    told = template.format(a=odd, b="：", c="（D01）")
    assert retell(told, template, {}) == told
    same = {name: Place(value, value) for name, value in (("a", odd), ("b", "："))}
    assert retell(told, template, same) == told
    assert retell(odd, template, same) == odd
    assert "".join(text for text, _ in parts_of(template)) == template.replace("{a}", "").replace(
        "{b}", ""
    ).replace("{c}", "")
