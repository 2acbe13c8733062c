"""Which one-operator changes of the rules somebody notices: `python tests/mutants.py`.

A mutant is killed by the loader, which does not take it; by an example of its own rule; or by the
oracle, a second reading of docs/judging.md, on a random stream. One that fails, warns or does not
end is killed where it does so. `--write` writes docs/mutation.md; rule ids ask for these alone.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import tomllib
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import facts_kit
import facts_oracle
from bridge import SHELF
from changes import Mutant, mutants
from facts_kit import Drawn
from oracle import RULES, Setting
from test_oracle_agrees import PROBES, noticed

from detector.rulekit import Rule, RuleFault
from detector.shelf import Shelved, load_shelf, rules_folder
from detector.stories import tell

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "mutation.md"
WHY = tomllib.loads((HERE / "survivors.toml").read_text("utf-8"))  # rule → change → why it lives
STREAMS = 300  # that the oracle has to notice a mutant
SECONDS_MAX = 60  # of the processor that a mutant may take with one killer
KILLERS = ("loader", "examples", "oracle")
NEEDS = {"offline_operation": ("treasury_gap",)}  # rules that another asks about
Fate = tuple[Mutant, str]  # who killed it, "" nobody


# --- who kills ----------------------------------------------------------------------------------


class Endless(Exception):
    """A mutant took too long."""


@contextmanager
def watched() -> Iterator[None]:
    """Let warnings be errors, as everywhere in the tests, and raise `Endless` after the time."""

    def over(*_: Any) -> None:
        raise Endless

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, SECONDS_MAX, 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def load(source: str, rule_id: str, folder: Path) -> Rule | None:
    """The rule of a text, None where the loader does not take it."""
    path = folder / f"{rule_id}.py"
    path.write_text(source, "utf-8")
    try:
        return load_shelf(folder)[rule_id].rule
    except RuleFault:
        return None
    finally:
        path.unlink()


def example_fails(rule: Rule) -> bool:
    """Does an example come out otherwise than it says?"""
    shelf = {**SHELF, rule.id: Shelved(rule, "")}
    return any(tell(shelf, rule, example).fault for example in rule.examples)


def oracle_objects(rule: Rule) -> bool:
    """Does the oracle say otherwise of some stream?"""
    if rule.per == "notice":
        return False  # no oracle reads notices; tests/test_notices.py tells their stories
    if rule.id in RULES:
        return any(noticed(rule, seed) for seed in [*PROBES, *range(STREAMS)])
    return any(_noticed_of_facts(rule, seed) for seed in range(STREAMS))


def _noticed_of_facts(rule: Rule, seed: int) -> bool:
    drawn, how, verdicts = _told_of_facts(rule.id, seed)
    engine = facts_kit.engine_of(how, {**SHELF, rule.id: Shelved(rule, "")})
    told = facts_kit.run(engine, drawn.inputs, drawn.until).told()
    return told != facts_kit.oracle_told(verdicts, engine)


@cache
def _told_of_facts(rule_id: str, seed: int) -> tuple[Drawn, Setting, facts_oracle.Verdicts]:
    """A stream of facts, and what the oracle says of it by this rule."""
    drawn = Drawn(seed)
    asked = (rule_id, *NEEDS.get(rule_id, ()))
    params = {r: p if r in asked else {**p, "mode": "off"} for r, p in drawn.how.params.items()}
    how = replace(drawn.how, params=params)
    return drawn, how, facts_oracle.judge(drawn.inputs, how, facts_kit.PEOPLE, drawn.until)


def killed_by(rule: Rule | None) -> str:
    """The first who notices, the cheapest asked first; "" nobody."""
    if rule is None:
        return "loader"
    killers: dict[str, Callable[[Rule], bool]] = {
        "examples": example_fails, "oracle": oracle_objects,
    }  # fmt: skip
    for name, notices in killers.items():
        try:
            with watched():
                if notices(rule):
                    return name
        except Exception:  # whatever a mutant comes to, it does not judge as its rule does
            return name
    return ""


# --- the run ------------------------------------------------------------------------------------


def fates(path: Path, scratch: Path) -> list[Fate]:
    """What became of each mutant of a rule file."""
    sound = killed_by(SHELF[path.stem].rule)
    if sound:
        raise SystemExit(f"{path.stem}: the rule itself is complained of by the {sound}")
    told = []
    for mutant in mutants(path.read_text("utf-8")):
        killer = killed_by(load(mutant.source, path.stem, scratch))
        told.append((mutant, killer))
        if not killer:
            sys.stdout.write(f"survives: {path.name}:{mutant.line}: {mutant.name}\n")
    killed = sum(bool(killer) for _, killer in told)
    sys.stdout.write(f"{path.stem}: {killed} of {len(told)} killed\n")
    sys.stdout.flush()
    return told


def main(arguments: list[str]) -> None:
    """Print every survivor and a line a rule; write the page where that is asked for."""
    only = [a for a in arguments if a != "--write"]
    with tempfile.TemporaryDirectory() as scratch:
        told = {
            path.stem: fates(path, Path(scratch))
            for path in sorted(rules_folder().glob("*.py"))
            if not only or path.stem in only
        }
    sys.stdout.write(summary(told) + "\n")
    if "--write" in arguments and not only:
        PAGE.write_text(page(told), "utf-8")


# --- the page -----------------------------------------------------------------------------------

PROSE = """# Which changes of a rule go unnoticed 变异检验

Every rule file is changed in one place at a time. A comparison takes in its edge or leaves it out,
`==` becomes `!=`, `+` becomes `-`, `*` becomes `//`, `&` becomes `|`, and the other way round; a
sign or a `~` goes; `maximum` and `minimum`, or the two ways of a `where`, change places; a number,
an edge, a tier or the default of a parameter is off by one, a fraction by a hundredth; a flag is
turned round; an entry of `actions`, `unknown`, `stamps` or `mutes` is left out. Examples, words,
and the bounds of parameters stay as they are.

Each of these *mutants* 变异体 should be *killed*: by the loader, which does not take it; else by an
example of its own rule; else by the oracle, a second reading of [judging.md](judging.md)
([tests/oracle](../tests/oracle), [tests/facts_oracle.py](../tests/facts_oracle.py)), on one of
{streams} random streams. One that cannot change any verdict counts as one that survives.

```
python tests/mutants.py --write
```
**{summary}.**

| rule 规则 | mutants 变异体 | loader 载入 | examples 示例 | oracle 对照 | survive 存活 |
|---|---|---|---|---|---|
{rows}

## What survives 存活的变异体

| where | change | why |
|---|---|---|
{survivors}
"""


def summary(told: dict[str, list[Fate]]) -> str:
    """The figure in one line."""
    counted = Counter(killer for some in told.values() for _, killer in some)
    killed, whole = counted.total() - counted[""], counted.total()
    by = ", ".join(f"{counted[killer]} by the {killer}" for killer in KILLERS)
    return f"{killed} of {whole} killed, {killed / whole:.1%}: {by}; {counted['']} survive"


def page(told: dict[str, list[Fate]]) -> str:
    """docs/mutation.md."""
    rows = []
    for rule_id, some in told.items():
        counted = Counter(killer for _, killer in some)
        rows.append([f"`{rule_id}`", len(some), *(counted[k] for k in (*KILLERS, ""))])
    survivors = [
        [f"[{rule_id}.py:{one.line}](../rules/{rule_id}.py)", f"`{one.name}`", why(rule_id, one)]
        for rule_id, some in told.items()
        for one, killer in some
        if not killer
    ]
    return PROSE.format(
        streams=STREAMS, summary=summary(told), rows=_table(rows), survivors=_table(survivors)
    )


def why(rule_id: str, one: Mutant) -> str:
    """Why a mutant lives, as far as anybody has found out."""
    return WHY.get(rule_id, {}).get(one.name, "**nobody has said why**")


def _table(rows: list[list[Any]]) -> str:
    cells = ([str(cell).replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


if __name__ == "__main__":
    main(sys.argv[1:])
