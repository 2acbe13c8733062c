"""Mistakes in a district's folder are said in both languages; none is without words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import pytest
from conftest import ROOT
from test_district import BAD, bad_files, refused

from detector.district import _calendar_problem
from detector.tomlfile import Document, Problem
from detector.values import read_money
from detector.web.mistakes import Mistakes, sentence, told
from detector.web.said import OTHER, _found
from detector.web.words import LANGUAGES, catalogue

DETECTOR = ROOT / "detector"
HAN, LETTER, CODE = re.compile(r"[一-鿿]"), re.compile(r"[A-Za-z]"), re.compile(r'["\[{=<0-9/]')
FILES = [*DETECTOR.glob("*.py"), DETECTOR / "learning" / "settings.py",
         DETECTOR / "live" / "reload.py"]  # fmt: skip
PLAIN = ("tomlfile", "workcalendar")
VALUE = "7"  # in each of a sentence's places
# Which arguments say what is wrong, and what to do.
PLACES = {"fault": (1, 2), "problem": (1, 2), "Problem": (2, 4)}
Known = dict[str, list[ast.expr]]


def sentences(node: ast.expr, known: Known, seen: frozenset[str] = frozenset()) -> list[str]:
    """Every text that an expression may be, as far as it is written out."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.IfExp):
        return sentences(node.body, known, seen) + sentences(node.orelse, known, seen)
    if isinstance(node, ast.BoolOp):
        return [s for one in node.values for s in sentences(one, known, seen)]
    if isinstance(node, ast.BinOp):
        ends = product(sentences(node.left, known, seen), sentences(node.right, known, seen))
        return ["".join(pair) for pair in ends]
    if isinstance(node, ast.JoinedStr):
        return ["".join(some) for some in product(*(sentences(p, known, seen)
                                                    for p in node.values))]  # fmt: skip
    if isinstance(node, ast.FormattedValue):
        node = node.value
    if isinstance(node, ast.Name) and node.id in known and node.id not in seen:
        return [s for one in known[node.id] for s in sentences(one, known, seen | {node.id})]
    return [VALUE]


def assigned(tree: ast.AST) -> Known:
    """What names are given as texts."""
    held: Known = {}
    for one in ast.walk(tree):
        if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Tuple):
            pairs = list(zip(one.targets[0].elts, getattr(one.value, "elts", ()), strict=False))
        elif isinstance(one, ast.Assign):
            pairs = [(one.targets[0], one.value)]
        else:
            continue
        for name, value in pairs:
            if isinstance(name, ast.Name) and set(sentences(value, {})) - {VALUE, ""}:
                held.setdefault(name.id, []).append(value)
    return held


def said(text: str) -> Iterator[tuple[str, str]]:
    """What a module says is wrong, and what to do: texts with a value in each place."""
    tree = ast.parse(text)
    whole = assigned(ast.Module([n for n in tree.body if isinstance(n, ast.Assign)], []))
    for part in tree.body:
        known = whole | assigned(part)
        for one in ast.walk(part):
            if not isinstance(one, ast.Call):
                continue
            name = getattr(one.func, "attr", getattr(one.func, "id", ""))
            given = dict(enumerate(one.args)) | {k.arg: k.value for k in one.keywords}
            if name in PLACES:
                wrong, what = (given.get(place) for place in PLACES[name])
                what = what or given.get("remedy")
                yield from product(sentences(wrong, known) if wrong else [],
                                   sentences(what, known) if what else [""])  # fmt: skip
            elif name == "ValueError" and "; " in ast.unparse(one):  # of a calendar, of people
                for told_ in sentences(one.args[0], known):
                    reason, _, remedy = told_.partition("; ")
                    yield re.sub(r"^[\w.]+(\[7\])?: ", "", reason), remedy


def all_said() -> list[tuple[Path, str, str]]:
    held = [(p, p.read_text()) for p in FILES]
    ours = [one for one in held if "tomlfile" in one[1] or one[0].stem in PLAIN]
    return [(path, *one) for path, text in ours for one in said(text)]


def faults(one: Problem) -> list[str]:
    """What is wrong with the words of a mistake."""
    zh, en = (told(one, lang) for lang in LANGUAGES)
    found = []
    for name, was in (("reason", one.reason), ("remedy", one.remedy)):
        if en[name] != was:
            found.append(f"{was}: in English {en[name]}")
        if LETTER.search(was) and not HAN.search(zh[name]):
            found.append(f"{was}: in Chinese {zh[name]}")
    if zh["code"] == OTHER and LETTER.search(one.reason):
        found.append(f"{one.reason}: has no code")
    known = re.fullmatch(r"(?:write|add) (.+)", one.remedy)
    generic = known and zh["remedy"].removeprefix("请写 ").removeprefix("请加上 ") == known[1]
    if known and generic and not CODE.search(known[1].replace(VALUE, "")) and known[1] != VALUE:
        found.append(f"{one.remedy}: is half Chinese")
    return found


def test_every_mistake_that_is_written_down_has_words():
    found = all_said()
    wrong = {f"{p.name}: {fault}" for p, reason, remedy in found
             for fault in faults(Problem("f.toml", "k", reason, 3, remedy))}  # fmt: skip
    assert wrong == set() and len(found) > 120


@pytest.mark.parametrize(("text", "why"), [
    ('t.fault("k", "is made of cheese", "remove it")', "is made of cheese: has no code"),
    ('t.fault("k", "is missing", "eat it")', "eat it: in Chinese eat it"),
    ('t.fault("k", "is missing", "write a poem")', "write a poem: is half Chinese"),
    ('def f(t, a):\n    r = "is odd" if a else "is missing"\n    t.fault("k", r)', "is odd: has"),
])  # fmt: skip
def test_a_mistake_without_words_is_found(text, why):
    found = [fault for reason, remedy in said(text)
             for fault in faults(Problem("f", "k", reason, None, remedy))]  # fmt: skip
    assert any(why in one for one in found), found


def test_no_words_are_left_that_no_mistake_says():
    texts = {text for _, *both in all_said() for text in both}
    texts |= {f"7 {one}" for one in amounts()}
    for kind in ("mistake.", "remedy."):
        keys = {key for key in catalogue("en") if key.startswith(kind)}
        assert keys - {_found(text, (kind,))[1] for text in texts} == set()


def amounts() -> Sequence[str]:
    """What is wrong with amounts, as a catalogue says it."""
    found = []
    for value in ("x", "-1", "1.234", 10**18, -1, True):
        with pytest.raises(ValueError) as fault:
            read_money(value)
        found.append(str(fault.value).partition(":")[0])
    return found


def test_amounts_and_calendars_are_said_too():
    doc = Document("district.toml", "", {}, {})
    some = [Problem("x.toml", "fee_yuan", f'"x" {one}') for one in amounts()]
    some.append(
        _calendar_problem(doc, 'time_zone: "Mars" is unknown; write one as "Asia/Shanghai"')
    )
    assert [fault for one in some for fault in faults(one)] == []
    assert sentence(some[-1], "zh").endswith('time_zone："Mars" 未知；请写如 "Asia/Shanghai"')


@pytest.mark.parametrize("path", BAD, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_bad_district_is_said_in_both_languages(path: Path):
    files, _ = bad_files(path)
    for one in refused(files):
        assert faults(one) == []
        assert sentence(one, "en") == str(one)
        assert HAN.search(sentence(one, "zh")) and f"{one.file}：" in sentence(one, "zh")


def test_a_mistake_is_one_sentence_with_its_place():
    one = Problem("catalogue/x.toml", "items[3].fee_yuan", "a table is not a text", 8, "shorten it")
    assert sentence(one, "zh") == (
        "catalogue/x.toml：items[3].fee_yuan：表 不是文字（第 8 行）；请缩短"
    )
    assert Mistakes([one, one]).in_("zh").count("\n") == 1 and Mistakes([one]).in_("en") == str(one)
