"""What a district sets of a rule: bands, parameters, exemptions, and overrides for some of its
cases; and which of them meets a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from detector.rulekit import Band, Rule
from detector.tomlfile import Table
from detector.values import EPOCH_DAY

MODES = ("on", "shadow", "off")
NAMES = ("item", "department", "step")
TIERS = (0, 1, 2, 3, "none")  # that a band may be given
EDGE_MOST = 10**9
ENTRY_MOST = 10**9  # that an entry of a rule's table may say
SHARE_MOST = 100


@dataclass(frozen=True)
class Scope:
    """The cases that a setting is about, until and with a local day; None is any."""

    item: str | None
    department: str | None
    step: str | None
    until: date | None
    reason: str
    approved_by: str

    def covers(self, item: str | None, department: str | None, step: str | None, day: int) -> bool:
        """Does it cover what stands there on this local day (days since 1970)."""
        named = ((self.item, item), (self.department, department), (self.step, step))
        if any(mine is not None and mine != theirs for mine, theirs in named):
            return False
        return self.until is None or day <= self.until.toordinal() - EPOCH_DAY

    @property
    def named(self) -> tuple[str | None, ...]:
        """Item, department and step."""
        return self.item, self.department, self.step

    def meets(self, other: Scope) -> bool:
        """Is there a case that both cover."""
        pairs = zip(self.named, other.named, strict=True)
        return all(a is None or b is None or a == b for a, b in pairs)


class Exemption(Scope):
    """Findings that may not speak."""


@dataclass(frozen=True)
class Override:
    """Other settings of a rule for some cases."""

    scope: Scope
    mode: str | None = None
    params: Mapping[str, int] = field(default_factory=dict)
    bands: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def sets(self) -> frozenset[str]:
        """What it sets, as keys."""
        told = {f"bands.{code}.{key}" for code, keys in self.bands.items() for key in keys}
        return frozenset(told | set(self.params) | ({"mode"} if self.mode else set()))


def read_scope(row: Table) -> tuple[str | None, str | None, str | None, date | None, str, str]:
    """Whom a setting is about, why, who approved it and until when."""
    told = {key: row.text(key, "*") for key in NAMES}
    names = {key: None if name == "*" else name for key, name in told.items()}
    if not any(names.values()):
        row.fault((), "exempts everything", "name an item, a department or a step")
    until = row.take("until")
    day = None
    try:
        day = until if isinstance(until, date) or until is None else date.fromisoformat(until)
    except (ValueError, TypeError):
        row.fault("until", "is not a date", 'write until = "2026-12-31"')
    reason, approved_by = row.text("reason"), row.text("approved_by")
    return names["item"], names["department"], names["step"], day, reason, approved_by


def read_overrides(rule: Rule, table: Table) -> tuple[Override, ...]:
    """The `[[override]]` entries of a rule; those that contradict each other are faults."""
    found: list[tuple[Table, Override]] = []
    for row in table.tables("override"):
        scope = Scope(*read_scope(row))
        deaf = _deaf(rule, scope)
        if deaf:
            row.fault(deaf, f"means nothing to a rule about a {rule.subject}", "remove it")
        mode = row.choice("mode", MODES, MODES[0]) if row.take("mode") is not None else None
        one = Override(scope, mode, read_params(rule, row), read_bands(rule, row.table("bands")))
        if not one.sets:
            row.fault((), "sets nothing", "name a parameter, a band or a mode")
        row.close()
        for other_row, other in found:
            clash = _clash(one, other)
            if clash:
                where = other_row.doc.line_of(other_row.at) or 1
                reason = f"contradicts the entry on line {where}: both set {clash}"
                row.fault((), reason, "name one of them more closely, or join them")
        found.append((row, one))
    return tuple(one for _, one in found)


def _deaf(rule: Rule, scope: Scope) -> str:
    """What a scope names in vain, because the rule's subjects have none; "" where all is well."""
    known: tuple[str, ...] = ("department",)  # of people, and of what people write
    if rule.subject == "department" or (rule.subject == "case" and rule.clock):
        known = ("item", "department")
    elif rule.subject == "case":
        known = NAMES
    told = zip(NAMES, scope.named, strict=True)
    return next((name for name, value in told if value is not None and name not in known), "")


def _clash(one: Override, other: Override) -> str:
    """What two overrides set differently where neither is the more specific."""
    counts = [sum(name is not None for name in x.scope.named) for x in (one, other)]
    if counts[0] != counts[1] or not one.scope.meets(other.scope):
        return ""
    both = sorted(one.sets & other.sets)
    return ", ".join(key for key in both if _value(one, key) != _value(other, key))


def _value(one: Override, key: str) -> Any:
    if key.startswith("bands."):
        _, code, name = key.split(".", 2)
        return one.bands[code][name]
    return one.mode if key == "mode" else one.params[key]


def read_params(rule: Rule, table: Table) -> dict[str, int]:
    """The parameters of a rule that a table sets."""
    told = {p.name: table.whole(p.name, p.least, p.most) for p in rule.params}
    return {name: value for name, value in told.items() if value is not None}


def read_entries(rule: Rule, table: Table) -> tuple[dict[str, Any], ...]:
    """The entries of the table that a rule has."""
    assert rule.table is not None
    return tuple(_entry(rule, row) for row in table.tables(rule.table.name))


def _entry(rule: Rule, row: Table) -> dict[str, Any]:
    assert rule.table is not None
    entry: dict[str, Any] = {key: row.text(key, "*") for key, _ in rule.table.keys}
    entry[rule.table.value] = row.whole(rule.table.value, 0, ENTRY_MOST)
    if entry[rule.table.value] is None:
        row.fault(rule.table.value, "is missing", f"add {rule.table.value} = 60")
    row.close()
    return entry


def read_bands(rule: Rule, table: Table) -> dict[str, dict[str, Any]]:
    """Settings of a rule's bands by code: edge, share, exclusive, tier."""
    bands: dict[str, dict[str, Any]] = {}
    for band in rule.bands:
        if table.take(band.code) is None:
            continue
        row, told = table.table(band.code), dict[str, Any]()
        if band is not rule.bands[0]:
            for key, fits in (("edge", _is_number), ("share", _is_share)):
                value = row.take(key)
                if value is not None and fits(value):
                    told[key] = value
                elif value is not None:
                    row.fault(key, "is no fit number", "write a number in the rule's unit")
            if row.take("exclusive") is not None:
                told["exclusive"] = row.flag("exclusive", band.exclusive)
        tier = row.take("tier")
        if tier is not None and tier in TIERS and not isinstance(tier, bool) and band.zh:
            told["tier"] = None if tier == "none" else tier
        elif tier is not None:
            reason = "is no tier" if band.zh else "is of a band that never raises"
            row.fault("tier", reason, 'write 0, 1, 2, 3 or "none" for a band that raises')
        row.close()
        bands[band.code] = told
    table.close()
    return bands


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < EDGE_MOST


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= SHARE_MOST


def with_bands(rule: Rule, told: Mapping[str, Mapping[str, Any]]) -> Rule:
    """The rule with its bands set so."""
    if not told:
        return rule
    return replace(rule, bands=tuple(replace(b, **told.get(b.code, {})) for b in rule.bands))


def disorder(rule: Rule) -> str:
    """The code of a band that no longer stands above the one before it, "" where all do."""
    for lower, higher in zip(rule.bands[1:], rule.bands[2:], strict=False):
        if _place(higher) <= _place(lower) and lower.share == higher.share:
            return higher.code
    return ""


def _place(band: Band) -> tuple[float, bool]:
    return band.edge, band.exclusive


def by_specificity(overrides: Sequence[Override]) -> list[int]:
    """Places of overrides, the less specific first, of equals in their order."""
    counts = [sum(name is not None for name in one.scope.named) for one in overrides]
    return sorted(range(len(overrides)), key=lambda n: (counts[n], n))
