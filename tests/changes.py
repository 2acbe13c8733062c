"""The mutants of a rule file: its text again, with one thing that judges changed."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, TypeGuard

# The tests themselves; a number that judges nothing; what the gate stops (test_beforehand.py).
UNTOUCHED = ("examples", "edition", "blocking", "tuned")
LISTS = ("actions", "unknown", "stamps", "mutes")  # of the card: each entry is left out once
_COMPARE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}  # fmt: skip
_BINARY = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_CALLS = {"maximum": "minimum", "minimum": "maximum"}
_SHOWN = 60  # characters on either side of a change


@dataclass(frozen=True)
class Mutant:
    """One change: where it stands, what it is, and the file's text with it."""

    line: int
    place: str  # the function, or the key of the card
    change: str
    source: str

    @property
    def name(self) -> str:
        """What its rule knows it by, whatever is written above it."""
        return f"{self.place}: {self.change}"


def mutants(source: str) -> list[Mutant]:
    """Every mutant of a rule file, in the order of its text."""
    tree = ast.parse(source)
    found = []
    for place, part in _judging(tree):
        for node, within in _walk(part, part):
            for new in _changes(node):
                told = _told(within, node, new)
                found.append(Mutant(_line(node, part), place, told, _swapped(tree, node, new)))
    return found


def _judging(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """The parts of a rule file that judge: functions of columns, and the keys of the card."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and [a.arg for a in node.args.args[:1]] == ["c"]:
            yield from ((node.name, statement) for statement in node.body)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            for keyword in node.value.keywords:
                if keyword.arg not in UNTOUCHED:
                    yield from _of_the_card(keyword)


def _of_the_card(keyword: ast.keyword) -> Iterator[tuple[str, ast.AST]]:
    if keyword.arg not in ("bands", "params") or not isinstance(keyword.value, ast.Tuple):
        yield str(keyword.arg), keyword
        return
    for call in keyword.value.elts:  # of a param its default: bounds and words judge nothing
        assert isinstance(call, ast.Call)
        name = str(ast.literal_eval(call.args[0]))
        yield (f"band {name}", call) if keyword.arg == "bands" else (name, call.args[1])


def _walk(node: ast.AST, within: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Every node, with what a reader needs to see of it: constants stand in something."""
    yield node, within if isinstance(node, ast.Constant) else node
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, node)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """The node with one thing changed."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARE:
        yield _with(node, ops=[_COMPARE[type(node.ops[0])]()])
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _BINARY:
        yield _with(node, op=_BINARY[type(node.op)]())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert | ast.USub):
        yield node.operand
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _CALLS:
            yield _with(node, func=_with(node.func, attr=_CALLS[node.func.attr]))
        if node.func.attr == "where":
            asked, yes, no = node.args
            yield _with(node, args=[asked, no, yes])
    if _reaches(node):
        yield _with(node, keywords=[ast.keyword("exclusive", ast.Constant(True)), *node.keywords])
    if isinstance(node, ast.keyword) and node.arg in LISTS and isinstance(node.value, ast.Tuple):
        entries = node.value.elts
        for n in range(len(entries)):
            yield _with(node, value=_with(node.value, elts=[*entries[:n], *entries[n + 1 :]]))
    if isinstance(node, ast.Constant):
        yield from (ast.Constant(value) for value in _other_values(node.value))


def _reaches(node: ast.AST) -> TypeGuard[ast.Call]:
    """Is it a band that its very edge belongs to, which goes without saying?"""
    if not isinstance(node, ast.Call) or ast.unparse(node.func) != "Band":
        return False
    said = {keyword.arg for keyword in node.keywords} & {"exclusive"}
    return not said and ast.unparse(node.args[1]) != "NEVER_BELOW"


def _other_values(value: object) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1]
    return [value + 0.01, value - 0.01] if isinstance(value, float) else []


def _with(node: ast.AST, **changes: object) -> ast.AST:
    new = copy.copy(node)
    for name, value in changes.items():
        setattr(new, name, value)
    return new


class _Swap(ast.NodeTransformer):
    """Puts a new node in the place of an old one."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self.old:
            return self.new
        new = copy.copy(node)
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                value = [self.visit(v) if isinstance(v, ast.AST) else v for v in value]
            elif isinstance(value, ast.AST):
                value = self.visit(value)
            setattr(new, name, value)
        return new


def _swapped(tree: ast.AST, old: ast.AST, new: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(_Swap(old, new).visit(tree)))


def _line(node: ast.AST, part: ast.AST) -> int:
    return getattr(node, "lineno", 0) or getattr(part, "lineno", 0)


def _told(within: ast.AST, old: ast.AST, new: ast.AST) -> str:
    """`was → became`, cut to what stands about the change."""
    was, became = _swapped(within, within, within), _swapped(within, old, new)
    head = _shared(was, became)
    tail = _shared(was[head:][::-1], became[head:][::-1])
    begin, end = max(0, head - _SHOWN), max(0, tail - _SHOWN)
    return " → ".join(
        ("…" if begin else "") + text[begin : len(text) - end] + ("…" if end else "")
        for text in (was, became)
    )


def _shared(one: str, other: str) -> int:
    """How many characters they begin with alike."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
