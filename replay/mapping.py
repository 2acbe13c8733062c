"""A mapping file (字段对照): how the rows of a foreign log become case events.

`load_mapping` reads and checks the whole file and raises `DistrictError` with every mistake. What
columns a log really has is not known here; the readers check that when they open it.
"""

from __future__ import annotations

from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from detector.columns import UNKNOWN
from detector.event import (
    ACTIONS,
    CODES,
    DAYS,
    FACTS,
    LISTS,
    MONEYS,
    OPTIONAL_CODES,
    PROCEDURES,
    TEXTS,
    Reading,
    Refused,
    read_event,
)
from detector.tomlfile import (
    TOML_BYTES_MAX,
    DistrictError,
    Document,
    Problem,
    Table,
    dotted,
    read_toml,
    shown,
)
from detector.workcalendar import Zone

TIMES = ("occurred_at", "recorded_at", "received_at", "due_at", "offence_at")
CODE_FIELDS = (*CODES, "action", *OPTIONAL_CODES, "procedure")
VALUED = (*CODE_FIELDS, "imported")  # fields whose words may be looked up
FIELDS = (*CODE_FIELDS, *TIMES, *TEXTS, *LISTS, *MONEYS, *DAYS, "imported")
DEMANDED = (*CODES, "recorded_at")
INHERITED = CODES  # what an emitted event takes over from its row
FACT_FIELDS = tuple(dict.fromkeys(name for fact in FACTS.values() for name in fact))
OTHER_KINDS = tuple(name for name in FACT_FIELDS if name not in FIELDS)  # of facts alone
PER = ("row", "case")
EMITS_MAX = 15  # positions leave room for so many events of one row
COLUMN_CHARS_MAX = 200
WORDS = {"action": ACTIONS, "procedure": tuple(sorted(PROCEDURES))}
_SAMPLE = dict.fromkeys(CODES, "x") | {
    "action": "step", "occurred_at": "2020-01-01T00:00:00Z", "recorded_at": "2020-01-01T00:00:00Z",
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """How one event is made of a row, or of a case's last row."""

    columns: Lookup[str, str]  # our field → their column
    constants: Lookup[str, Any]
    per: str = "row"  # "row" or "case"
    when: str = ""  # their column that must not be empty; "" = always
    key: str = ""  # where the recipe stands in the file: "" or "emit[0]"


@dataclass(frozen=True)
class Mapping:
    """A mapping that is sound in itself."""

    file: str
    base: Recipe
    emits: tuple[Recipe, ...] = ()  # those of a row first, then those of a case
    values: Lookup[str, Lookup[str, str]] = field(default_factory=dict)  # our field → theirs → ours

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """The row's own event, then what it emits."""
        return (self.base, *self.emits)

    @property
    def unknown(self) -> frozenset[str]:
        """Columns of ours that the log has not: what they would say is unknown, not empty."""
        named = {name for r in self.recipes for name in (*r.columns, *r.constants)}
        return frozenset(name for name in UNKNOWN if name not in named)

    @property
    def per_case(self) -> bool:
        """Whether some event is made of a case's last row."""
        return any(recipe.per == "case" for recipe in self.emits)

    def uses(self) -> dict[str, str]:
        """Every column of theirs that is read → the key that names it first."""
        found: dict[str, str] = {}
        for recipe in self.recipes:
            for name, column in recipe.columns.items():
                found.setdefault(column, ".".join(filter(None, (recipe.key, "columns", name))))
            if recipe.when:
                found.setdefault(recipe.when, f"{recipe.key}.when")
        return found


def own_names(names: Lookup[str, Any] | list[str]) -> Mapping:
    """The mapping of a flat file whose columns bear our own names; others are left alone."""
    known = [n for n in (*FIELDS, "kind", *OTHER_KINDS) if n in names]
    return Mapping("", Recipe({name: name for name in known}, {}))


def load_mapping(path: Path) -> Mapping:
    """The mapping in a file. Raises `DistrictError` with every mistake."""
    try:
        with path.open("rb") as stream:
            data = stream.read(TOML_BYTES_MAX + 1)
    except OSError as fault:
        reason = f"cannot be read: {fault.strerror or fault}"
        raise DistrictError([Problem(str(path), "", reason, remedy="mend that")]) from None
    return read_mapping(str(path), data)


def read_mapping(file: str, data: bytes) -> Mapping:
    """The mapping in these bytes; `file` is its name in messages. Raises `DistrictError`."""
    problems: list[Problem] = []
    doc = read_toml(file, data, problems)
    mapping = _mapping(doc, problems) if doc else None
    if problems or mapping is None:
        raise DistrictError(problems)
    return mapping


def _mapping(doc: Document, problems: list[Problem]) -> Mapping:
    root = doc.root(problems)
    columns, constants = _columns(root), _constants(root)
    values = _values(root)
    given = Recipe(columns, constants)
    base = _finished(root, given, values)
    emits = [_emit(table, given, values) for table in root.tables("emit")]
    if len(emits) > EMITS_MAX:
        root.fault("emit", f"has {len(emits)} entries, more than {EMITS_MAX}", "remove some")
    root.close()
    mapping = Mapping(doc.file, base, tuple(sorted(emits, key=lambda e: e.per == "case")), values)
    _looked_up(root, mapping)
    return mapping


def _columns(table: Table) -> dict[str, str]:
    """[columns]: our field → their column."""
    inner = table.table("columns")
    found = {n: inner.text(n, "", COLUMN_CHARS_MAX) for n in FIELDS}
    inner.close()
    return {name: column for name, column in found.items() if column}


def _constants(table: Table) -> dict[str, Any]:
    """[constants]: our field → its value in every event, judged as a line would be."""
    inner = table.table("constants")
    found = {}
    for name in FIELDS:
        value = inner.take(name)
        if value is None:
            continue
        if isinstance(value, date | datetime):
            value = value.isoformat()
        fault = "is empty" if value == "" else _refusal(name, value)
        if fault:
            inner.fault(name, f"{shown(value)}: {fault}", "correct it, or remove the line")
        found[name] = value
    inner.close()
    return found


def _refusal(name: str, value: Any) -> str | None:
    """Why a line with this value would be refused."""
    how = Reading(Zone("UTC"), clock_jump_days_max=200 * 366)
    try:
        read_event({**_SAMPLE, name: value}, how)
    except Refused as fault:
        return fault.error
    return None


def _values(root: Table) -> dict[str, dict[str, str]]:
    """[values.<field>]: their word → ours."""
    inner = root.table("values")
    found: dict[str, dict[str, str]] = {}
    for name in VALUED:
        if inner.take(name) is None:
            continue
        raw, words, good = inner.take(name), inner.table(name), {}
        for word in sorted(raw if isinstance(raw, dict) else ()):
            ours = words.take(word)
            if ours == "" or words.is_text((word,), ours):  # "" = they wrote it for nothing
                good[word] = ours
                if ours not in WORDS.get(name, (ours,)):
                    known = ", ".join(WORDS[name])
                    words.fault(word, f"{shown(ours)} is unknown", f"write one of {known}")
        found[name] = good
    inner.close()
    return found


def _emit(table: Table, base: Recipe, values: Lookup[str, Lookup[str, str]]) -> Recipe:
    """One [[emit]]: what it does not name of case, item and department comes from the row."""
    per = table.choice("per", PER, "row")
    when = table.text("when", "", COLUMN_CHARS_MAX)
    columns, constants = _columns(table), _constants(table)
    table.close()
    taken = {n: base.columns[n] for n in INHERITED if n in base.columns and n not in constants}
    fixed = {n: v for n, v in base.constants.items() if n not in columns}
    key = dotted(table.at)
    recipe = Recipe(taken | columns, fixed | constants, per, when, key)
    return _finished(table, recipe, values)


def _finished(table: Table, recipe: Recipe, values: Lookup[str, Lookup[str, str]]) -> Recipe:
    """The recipe with its defaults, after a look at what is missing or there twice."""
    columns, constants = dict(recipe.columns), dict(recipe.constants)
    for name in columns.keys() & constants.keys():
        table.fault(("constants", name), "stands under columns too", "remove one of the two")
    if "occurred_at" not in {**columns, **constants}:
        for place in (columns, constants):
            if "recorded_at" in place:
                place["occurred_at"] = place["recorded_at"]
    given = {**columns, **constants}
    for name in DEMANDED:
        if name not in given and (not recipe.key or name not in INHERITED):
            table.fault(("columns", name), "is missing", f'add {name} = "their column"')
    if "action" not in given:
        if "step" not in given:
            table.fault(("columns", "step"), "is missing, and so is action", "add one of the two")
        if "step" in constants:
            constants["action"] = values.get("action", {}).get(str(constants["step"]), "step")
    return Recipe(columns, constants, recipe.per, recipe.when, recipe.key)


def _looked_up(root: Table, mapping: Mapping) -> None:
    """Each table of values must belong to a column that some event reads."""
    read = {name for recipe in mapping.recipes for name in recipe.columns}
    if any("action" not in r.constants for r in mapping.recipes) and "step" in read:
        read.add("action")
    for name in mapping.values:
        if name not in read:
            root.fault(("values", name), "has no column to be looked up in",
                       f"name a column for {name}, or remove this table")  # fmt: skip
