"""A rule's limits in the text of a rulebook.toml: what is tried, adopted or dropped is set there,
all else stays as it was.

A limit has a name: a parameter (`default_limit_s`), where a band begins (`bands.too_fast.edge`), or
an entry of the rule's table, its keys in the table's order (`limits[*,accept,survey]`). A new limit
goes into `[rules.<id>.trial]` first; only what is tried can be adopted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import tomlkit

from detector.live.switch import edited
from detector.overrides import EDGE_MOST, ENTRY_MOST, disorder
from detector.rulekit import Rule
from detector.shelf import Configured
from detector.trials import NOTES, Trial, may_be_tried, tried

_BAND = re.compile(r"bands\.(\w+)\.edge", re.ASCII)
_ENTRY = re.compile(r"(\w+)\[(.+)\]", re.ASCII)
_CODE = re.compile(r"[^,\[\]\x00-\x1f]{1,128}")
Number = int | float


@dataclass(frozen=True)
class Limit:
    """A limit of a rule by its name, as the district has set it; None: an entry not there yet."""

    name: str
    value: Number | None
    unit: str
    least: int
    most: int


def limits_of(c: Configured) -> list[Limit]:
    """Every limit of a rule that can be tried, as it is in force."""
    rule = c.rule
    if not may_be_tried(rule):
        return []
    told = [Limit(p.name, getattr(c.params, p.name), p.unit, p.least, p.most) for p in rule.params]
    told += [_edge(rule, b.code, b.edge) for b in rule.bands if math.isfinite(b.edge)]
    if rule.table:
        unit = next((p.unit for p in rule.params if p.name == rule.table.default), "")
        keys = [key for key, _ in rule.table.keys]
        for one in c.entries:
            name = f"{rule.table.name}[{','.join(one[key] for key in keys)}]"
            told.append(Limit(name, one[rule.table.value], unit, 0, ENTRY_MOST))
    return told


def _edge(rule: Rule, code: str, edge: float) -> Limit:
    whole = int(edge) if edge == int(edge) else edge
    return Limit(f"bands.{code}.edge", whole, rule.unit, 1 - EDGE_MOST, EDGE_MOST - 1)


@dataclass(frozen=True)
class Tried:
    """A limit that is on trial, beside the one in force."""

    name: str
    unit: str
    before: Number | None
    value: Number | None


def changes_of(c: Configured) -> list[Tried]:
    """The limits that a rule's trial changes, by name."""
    beside = tried(c)
    if beside is None:
        return []
    held = {one.name: one for one in limits_of(c)}
    told = {one.name: one for one in limits_of(beside)}
    changes = []
    for name in sorted({*held, *told}):
        before, value = (some[name].value if name in some else None for some in (held, told))
        if before != value:
            changes.append(Tried(name, (told.get(name) or held[name]).unit, before, value))
    return changes


def limit_of(c: Configured, name: str) -> Limit:
    """A limit by its name, also an entry that the table does not have yet. Raises `ValueError`."""
    known = {one.name: one for one in limits_of(c)}
    if name in known:
        return known[name]
    entry, table = _ENTRY.fullmatch(name), c.rule.table
    if entry and table and may_be_tried(c.rule) and entry[1] == table.name:
        codes = entry[2].split(",")
        if len(codes) == len(table.keys) and all(_CODE.fullmatch(code) for code in codes):
            return Limit(name, None, "", 0, ENTRY_MOST)
    raise ValueError(f"setting: is unknown; known are {', '.join(known) or 'none of this rule'}")


def number(c: Configured, limit: Limit, text: str) -> Number:
    """A new value of a limit, as it was typed. Raises `ValueError`."""
    if not re.fullmatch(r"-?\d{1,10}(\.\d{1,6})?", text, re.ASCII):
        raise ValueError("value: is no number")
    value: Number = float(text) if "." in text else int(text)
    if "." in text and not _BAND.fullmatch(limit.name):
        raise ValueError("value: must be a whole number")
    if not limit.least <= value <= limit.most:
        raise ValueError(f"value: must lie from {limit.least} to {limit.most}")
    if limit.value is not None and value == limit.value:
        raise ValueError("value: is the limit in force")
    trial = with_limit(c, limit, value)
    bands = tuple(replace(b, **trial.bands.get(b.code, {})) for b in c.rule.bands)
    code = disorder(replace(c.rule, bands=bands))
    if code:
        raise ValueError(f"value: {code} would no longer begin above the band before it")
    return value


def with_limit(c: Configured, limit: Limit, value: Number) -> Trial:
    """What is tried of a rule, and this limit besides."""
    trial, table = c.trial or Trial(), c.rule.table
    band, entry = _BAND.fullmatch(limit.name), _ENTRY.fullmatch(limit.name)
    if band:
        held = dict(trial.bands.get(band[1], {}))
        return replace(trial, bands={**trial.bands, band[1]: held | {"edge": value}})
    if entry is None or table is None:
        return replace(trial, params={**trial.params, limit.name: int(value)})
    mine = dict(zip((key for key, _ in table.keys), entry[2].split(","), strict=True))
    held_entries = c.entries if trial.entries is None else trial.entries
    rest = [dict(e) for e in held_entries if any(e[k] != code for k, code in mine.items())]
    return replace(trial, entries=(*rest, {**mine, table.value: int(value)}))


def with_trial(text: bytes, c: Configured, trial: Trial) -> bytes:
    """The text with this tried of a rule. Raises `ValueError` where it is no TOML."""

    def edit(rule: Any) -> None:
        told = tomlkit.table()
        for key in ("since", "reason", "approved_by"):
            if getattr(trial, key):
                told[key] = getattr(trial, key)
        for name, value in trial.params.items():
            told[name] = value
        if trial.entries is not None:
            assert c.rule.table is not None
            told[c.rule.table.name] = _rows(trial.entries)
        if trial.bands:
            told["bands"] = _inline({code: _inline(keys) for code, keys in trial.bands.items()})
        rule["trial"] = told

    return edited(text, c.rule.id, edit)


def without_trial(text: bytes, rule: str) -> bytes:
    """The text with nothing tried of a rule. Raises `ValueError`."""
    return edited(text, rule, lambda held: held.pop("trial"))


def with_adopted(text: bytes, rule: str) -> bytes:
    """The text with what is tried of a rule in force, and nothing tried. Raises `ValueError`."""

    def edit(held: Any) -> None:
        for key, value in held.pop("trial").items():
            if key == "bands":
                bands = held.setdefault("bands", tomlkit.table())
                for code, keys in value.items():
                    band = bands.setdefault(code, tomlkit.inline_table())
                    for name, one in keys.items():
                        band[name] = one
            elif key not in NOTES:
                held[key] = value

    return edited(text, rule, edit)


def _rows(entries: tuple[Mapping[str, Any], ...]) -> Any:
    rows = tomlkit.array()
    for one in entries:
        rows.append(_inline(one))
    return rows.multiline(True)


def _inline(keys: Mapping[str, Any]) -> Any:
    told = tomlkit.inline_table()
    for name, value in keys.items():
        told[name] = value
    return told
