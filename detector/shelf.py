"""The shelf of rules (规则库): load by folder, check, lock by SHA-256, set up for a district."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from detector.district import District
from detector.locked import content_folder, faults_of, load_file, lock_of
from detector.overrides import (
    ENTRY_MOST,
    MODES,
    Exemption,
    Override,
    by_specificity,
    disorder,
    read_bands,
    read_entries,
    read_overrides,
    read_params,
    read_scope,
    with_bands,
)
from detector.rulekit import (
    Band,
    Params,
    Rule,
    RuleFault,
    check_rule,
    unit_divisor,
)
from detector.tomlfile import DistrictError, Problem
from detector.tomlfile import Table as TomlTable
from detector.trials import ENDS, Trial, base_of, read_trial, tried
from detector.tried import Tried, tried_of

LOCK = "rules.lock"
Place = tuple[str | None, str | None, str | None, int]  # item, department, step, local day
BLAST_RADIUS = 500  # findings of a changed rule, a department and hour, that nobody stops (ours)
GUARDED = "guarded"  # the mode that the guard sets, and no rulebook
_HUSHED = {"shadow": "shadow", GUARDED: "blast_radius"}


@dataclass(frozen=True)
class Shelved:
    """A rule as it lies on the shelf, with the hash of its text."""

    rule: Rule
    sha256: str
    prose: str = ""  # what the file says of itself


@dataclass(frozen=True)
class Configured:
    """A rule as a district has set it."""

    rule: Rule
    mode: str
    params: Params
    entries: tuple[Mapping[str, Any], ...]  # of the rule's table
    exemptions: tuple[Exemption, ...]
    day_us: int  # the working time of the district's day
    overrides: tuple[Override, ...] = ()
    blocking: bool = False  # says no to who asks beforehand; judges nothing, so in no digest
    variant: tuple[int, ...] = ()  # places of the overrides that made it, of a variant
    trial: Trial | None = None  # what is tried of it; judges by itself, so not in its settings

    @cached_property
    def _variants(self) -> dict[tuple[int, ...], Configured]:
        return {}

    def meets(
        self, item: str | None, department: str | None, step: str | None, day: int
    ) -> Configured | None:
        """The rule as it is for such a case, None where it is off there."""
        told = tuple(
            n
            for n in by_specificity(self.overrides)
            if self.overrides[n].scope.covers(item, department, step, day)
        )
        if told not in self._variants:
            self._variants[told] = self._varied(told)
        one = self._variants[told]
        return one if one.mode != "off" else None

    def split(self, rows: Iterable[Place]) -> Iterator[tuple[Configured, np.ndarray]]:
        """The rule as it is for each of these, and which; those where it is off are left out."""
        found: dict[tuple[int, ...], tuple[Configured, list[int]]] = {}
        for row, place in enumerate(rows):
            one = self.meets(*place)
            if one is not None:
                found.setdefault(one.variant, (one, []))[1].append(row)
        for one, some in found.values():
            yield one, np.array(some)

    def hushed(
        self, item: str | None, department: str | None, step: str | None, day: int
    ) -> str | None:
        """Why a finding about it may not speak: `exempt`, `blast_radius`, `shadow`, or None where
        it may."""
        if any(x.covers(item, department, step, day) for x in self.exemptions):
            return "exempt"
        return _HUSHED.get(self.mode)

    def guarded(self) -> Configured:
        """The rule put in shadow by the guard, wherever it is on."""
        overrides = tuple(replace(o, mode=_guarded(o.mode)) for o in self.overrides)
        return replace(self, mode=_guarded(self.mode) or GUARDED, overrides=overrides)

    def alone(self, place: int) -> Configured:
        """The rule as one of its overrides makes it."""
        return self._varied((place,))

    def _varied(self, told: tuple[int, ...]) -> Configured:
        mode, rule, params = self.mode, self.rule, Params(**vars(self.params))
        for one in (self.overrides[n] for n in told):
            mode, rule = one.mode or mode, with_bands(rule, one.bands)
            for name, value in one.params.items():
                setattr(params, name, value)
        return replace(self, mode=mode, rule=rule, params=params, overrides=(), variant=told)

    @property
    def all_bands(self) -> list[Band]:
        """The bands that any case may meet."""
        bands = list(self.rule.bands)
        for one in self.overrides:
            bands += with_bands(self.rule, one.bands).bands
        return bands

    @property
    def raising(self) -> list[Band]:
        """The bands that raise a finding for some case."""
        return [b for b in self.all_bands if b.tier is not None]

    @cached_property
    def lookup(self) -> TableLookup | None:
        """The rule's table, where it has one."""
        return TableLookup(self) if self.rule.table else None

    @cached_property
    def tried(self) -> Tried | None:
        """How it judges its raw value, where its limit can be tried out."""
        return tried_of(self)

    @cached_property
    def whole_edges(self) -> np.ndarray:
        """The least whole number of each band, for measures are whole (int64, rising)."""
        least = np.iinfo(np.int64).min
        bands = zip(self.rule.bands, self.edges, strict=True)
        return np.array([least if e == -np.inf else int(e) + b.exclusive for b, e in bands])

    @cached_property
    def raises(self) -> np.ndarray:
        """Which bands raise a finding (bool)."""
        return np.array([b.tier is not None for b in self.rule.bands])

    @cached_property
    def raising_edge(self) -> int | None:
        """The edge at and above which every measure raises, as most rules have it; None where some
        band above the first that raises does not."""
        first = int(self.raises.argmax())
        return int(self.whole_edges[first]) if self.raises[first:].all() else None

    @property
    def edges(self) -> list[float]:
        """The bands' edges in the engine's integers."""
        return [b.edge * self.divisor for b in self.rule.bands]

    @property
    def divisor(self) -> int:
        """The engine's integers that make one of the rule's unit."""
        return unit_divisor(self.rule.unit, self.day_us)


@dataclass(frozen=True)
class Rulebook:
    """The rules in force in a district, by id, and the digest of their texts and settings."""

    rules: tuple[Configured, ...]
    digest: str
    settings: Mapping[str, str] = field(default_factory=dict)  # rule → digest of its text and them
    blast_radius_max: int = BLAST_RADIUS

    def guarded(self, rules: Collection[str]) -> Rulebook:
        """The same with some rules put in shadow by the guard (detector/live/blast.py)."""
        if not rules:
            return self
        some = tuple(c.guarded() if c.rule.id in rules else c for c in self.rules)
        told = [self.digest, *sorted(rules)]
        return replace(self, rules=some, digest=_hash(told))

    @cached_property
    def live(self) -> tuple[Configured, ...]:
        """The rules in force, without those that are judged beside them on trial."""
        return tuple(c for c in self.rules if not c.rule.id.endswith(ENDS))

    def of(self, subject: str) -> list[Configured]:
        """The rules that judge this subject and are not off."""
        return [c for c in self.rules if c.rule.subject == subject and c.mode != "off"]


def rules_folder() -> Path:
    """Where the content lies: in the installed package, else beside it in a checkout."""
    return content_folder("rules")


def load_shelf(folder: Path | None = None) -> dict[str, Shelved]:
    """Every rule file of the folder, by id. Raises `RuleFault` naming the file."""
    folder = folder or rules_folder()
    shelf = {}
    for path in sorted(folder.glob("*.py")):
        shelf[path.stem] = _load(path)
    if not shelf:
        raise RuleFault(f"{folder}: holds no rule")
    return shelf


def _load(path: Path) -> Shelved:
    try:
        loaded = load_file(path)
    except ImportError as fault:
        raise RuleFault(str(fault)) from fault
    rule = getattr(loaded.module, "RULE", None)
    if not isinstance(rule, Rule):
        raise RuleFault(f"{path.name}: defines no RULE")
    if rule.id != path.stem:
        raise RuleFault(f"{path.name}: its id is {rule.id}; a file is named for its offence")
    check_rule(rule)
    return Shelved(rule, loaded.sha256, loaded.prose)


def lock_text(shelf: Mapping[str, Shelved]) -> str:
    """The content of rules.lock: edition and hash of every rule."""
    return lock_of({i: (s.rule.edition, s.sha256) for i, s in shelf.items()})


def lock_faults(shelf: Mapping[str, Shelved], text: str) -> list[str]:
    """What differs between the shelf and its lock, a sentence each."""
    return faults_of({i: (s.rule.edition, s.sha256) for i, s in shelf.items()}, text)


def configure(
    shelf: Mapping[str, Shelved], district: District, overlay: Mapping[str, Any] | None = None
) -> Rulebook:
    """The rulebook of a district. Raises `DistrictError` with every mistake of rulebook.toml.

    `overlay` sets parameters over the district's (`{rule: {param: value}}`), as examples do.
    """
    problems: list[Problem] = []
    root = district.rulebook_doc.root(problems)
    tables, ladder = root.table("rules"), district.ladder.rules.root(problems).table("rules")
    configured = []
    for rule_id, shelved in sorted(shelf.items()):
        layers = [layer.table(rule_id) for layer in (ladder, tables)]
        told = _configure(shelved.rule, layers, district.calendar.day_us)
        for name, value in (overlay or {}).get(rule_id, {}).items():
            setattr(told.params, name, value)
        if told.rule.learner and not district.learning.on:
            told = replace(told, mode="off")  # nobody tells it anything
        configured += [one for one in (told, tried(told)) if one is not None]
    most = root.whole("blast_radius_max", 1, ENTRY_MOST)
    tables.close()
    root.close()
    if len(shelf) > 1:  # one rule alone, as for its examples, knows nothing of the others
        ladder.close()
    if problems:
        raise DistrictError(problems)
    settings = {c.rule.id: _settings(shelf[base_of(c.rule.id)], c) for c in configured}
    digest = _hash(list(settings.values()))
    hashes = {rule: _hash(told) for rule, told in settings.items()}
    return Rulebook(tuple(configured), digest, hashes, most or BLAST_RADIUS)


def _configure(rule: Rule, layers: Sequence[TomlTable], day_us: int) -> Configured:
    """The rule as its own defaults, the profile and the rulebook set it, the last word last."""
    told = Configured(rule, MODES[0], Params(**{p.name: p.default for p in rule.params}),
                      rule.table.entries if rule.table else (), (), day_us,
                      blocking=rule.blocking)  # fmt: skip
    for table in layers:
        told = _layered(told, table)
    return told


def _layered(told: Configured, table: TomlTable) -> Configured:
    rule, params, entries = told.rule, told.params, told.entries
    mode = table.choice("mode", MODES, told.mode)
    blocking = rule.may_block and table.flag("blocking", told.blocking)
    for name, value in read_params(rule, table).items():
        setattr(params, name, value)
    if rule.table and table.take(rule.table.name) is not None:
        entries = read_entries(rule, table)
    exemptions = tuple(Exemption(*read_scope(row)) for row in table.tables("exempt"))
    bands = read_bands(rule, table.table("bands"))
    rule = with_bands(rule, bands)
    overrides = read_overrides(rule, table)
    for some in (bands, *(o.bands for o in overrides)):
        code = disorder(with_bands(rule, some)) if some else ""
        if code:
            reason = f"{code} no longer begins above the band before it"
            table.fault("bands", reason, "let the edges rise")
    trial = read_trial(rule, table, told.trial)
    table.close()
    return replace(
        told, rule=rule, mode=mode, entries=entries, blocking=blocking,
        exemptions=told.exemptions + exemptions, overrides=(*told.overrides, *overrides),
        trial=trial,
    )  # fmt: skip


def _settings(shelved: Shelved, c: Configured) -> list[Any]:
    """All that says how a rule judges: its text and what the district sets of it."""
    return [
        c.rule.id, shelved.sha256, c.mode, sorted(vars(c.params).items()),
        [sorted(e.items()) for e in c.entries],
        [[*x.named, str(x.until)] for x in c.exemptions],
        [[b.code, b.edge, b.share, b.exclusive, b.tier] for b in c.rule.bands[1:]],
        [
            [*o.scope.named, str(o.scope.until), o.mode, sorted(o.params.items()), o.bands]
            for o in c.overrides
        ],
    ]  # fmt: skip


def _hash(told: list[Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


def _guarded(mode: str | None) -> str | None:
    return GUARDED if mode == MODES[0] else mode


class TableLookup:
    """A rule's table against the codes of a stream: one number a row, the most specific entry's."""

    def __init__(self, configured: Configured) -> None:
        assert configured.rule.table is not None
        table = configured.rule.table
        self.keys = table.keys
        self.value = table.value
        # two rules may name theirs alike, and a variant of a rule has numbers of its own
        self.column = f"{configured.rule.id}{configured.variant or ''}.{table.value}"
        self._default = int(getattr(configured.params, table.default))
        # the most specific first, of equals the last: the first that fits is the answer
        order = sorted(
            enumerate(configured.entries),
            key=lambda e: (-sum(e[1][k] != "*" for k, _ in table.keys), -e[0]),
        )
        self._entries = [entry for _, entry in order]
        self._known: dict[tuple[str | None, ...], int] = {}

    def one(self, texts: tuple[str | None, ...]) -> int:
        """The value for one combination of texts."""
        if texts not in self._known:
            self._known[texts] = next(
                (
                    int(e[self.value])
                    for e in self._entries
                    if all(e[k] in ("*", t) for (k, _), t in zip(self.keys, texts, strict=True))
                ),
                self._default,
            )
        return self._known[texts]
