"""One-operator changes of the rule files, and which nobody notices: `python tests/mutants.py`.

Each mutant is a rule file with one operator, constant or function changed. It is killed when it
does not load, when one of its own examples comes out otherwise, or when the engine with it and the
oracle disagree on a random stream.
"""

from __future__ import annotations

import ast
import copy
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bridge import SHELF
from oracle import RULES
from test_oracle_agrees import PROBES, noticed

from detector.rulekit import Rule, RuleFault
from detector.shelf import Shelved, load_shelf, rules_folder
from detector.stories import tell_all

STREAMS = 60  # that a mutant is shown, beside the probes
TOLD = ("examples", "params", "table")  # what is data of the card, or a test itself
_COMPARE = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}  # fmt: skip
_BINARY = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_CALLS = {"maximum": "minimum", "minimum": "maximum"}


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """The node with one thing changed."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARE:
        changed = copy.deepcopy(node)
        changed.ops[0] = _COMPARE[type(node.ops[0])]()
        yield changed
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        changed_op = copy.deepcopy(node)
        changed_op.op = _BINARY[type(node.op)]()
        yield changed_op
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert | ast.USub):
        yield copy.deepcopy(node.operand)
    if isinstance(node, ast.Attribute) and node.attr in _CALLS:
        other = copy.deepcopy(node)
        other.attr = _CALLS[node.attr]
        yield other
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, int | float):
            yield from (ast.Constant(node.value + step) for step in (1, -1))


class _Swap(ast.NodeTransformer):
    """Replaces the node at one place of a walk."""

    def __init__(self, place: int, new: ast.AST) -> None:
        self.place, self.new, self.at = place, new, -1

    def visit(self, node: ast.AST) -> ast.AST:
        self.at += 1
        if self.at == self.place:
            return self.new
        return super().generic_visit(node)


def _judges(tree: ast.Module) -> Iterator[ast.AST]:
    """The parts of a rule file that judge: its functions and the card's own expressions."""
    for node in tree.body:
        measures = isinstance(node, ast.FunctionDef) and node.args.args[:1]
        if measures and isinstance(node, ast.FunctionDef) and node.args.args[0].arg == "c":
            yield from node.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            for keyword in node.value.keywords:
                if keyword.arg not in (*TOLD, "edition"):
                    yield keyword.value


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """(line, what it became, source) of every mutant of a rule file."""
    tree = ast.parse(source)
    judging = {id(inner) for part in _judges(tree) for inner in ast.walk(part)}
    walk: list[ast.AST] = []

    class Walk(ast.NodeVisitor):
        def visit(self, node: ast.AST) -> None:
            walk.append(node)
            self.generic_visit(node)

    Walk().visit(tree)
    for place, node in enumerate(walk):
        if id(node) in judging and not isinstance(node, ast.Expr):
            for new in _changes(node):
                changed = _Swap(place, new).visit(copy.deepcopy(tree))
                text = ast.unparse(ast.fix_missing_locations(changed))
                yield getattr(node, "lineno", 0), ast.unparse(new)[:60], text


def _load(source: str, rule_id: str, folder: Path) -> Rule | None:
    path = folder / f"{rule_id}.py"
    path.write_text(source)
    try:
        return load_shelf(folder)[rule_id].rule
    except RuleFault:
        return None


def killed_by(rule: Rule | None, rule_id: str) -> str:
    """Who notices: the loader, an example, or the oracle; "" nobody."""
    if rule is None:
        return "loader"
    others = {name: one for name, one in SHELF.items() if name != rule_id}
    if any(told.fault for told in tell_all({**others, rule_id: Shelved(rule, "")}, rule_id)):
        return "example"
    seeds = [*PROBES, *range(STREAMS)] if rule_id in RULES else []
    return "oracle" if any(noticed(rule, seed) for seed in seeds) else ""


def main() -> None:
    """Print every survivor, and a line a rule."""
    total = survived = 0
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted(rules_folder().glob("*.py")):
            mine = lost = 0
            for line, became, source in mutants(path.read_text()):
                mine += 1
                rule = _load(source, path.stem, Path(scratch))
                (Path(scratch) / path.name).unlink()
                if not killed_by(rule, path.stem):
                    lost += 1
                    sys.stdout.write(f"survives: {path.name}:{line}: {became}\n")
            sys.stdout.write(f"{path.stem}: {mine - lost} of {mine} killed\n")
            sys.stdout.flush()
            total, survived = total + mine, survived + lost
    share = (total - survived) / total
    sys.stdout.write(f"all: {total - survived} of {total} killed, {share:.1%}\n")


if __name__ == "__main__":
    main()
