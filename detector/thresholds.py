"""What other limits would raise (阈值试算), of what was counted: one curve for all limits.

A curve is asked for once, and slid along without another question: for every limit it holds how
many rows would raise, by week and by department, and the rows that lie nearest. It counts what the
rule would find; what an exemption or a mute keeps from speaking is counted too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta

import msgspec
import numpy as np

from detector.cells import DEPARTMENTS_MAX, EDGES, least_of, tie_of
from detector.counted import Counted, Found, Texts, texts_of
from detector.rulekit import Rule, Tuned
from detector.shelf import Configured

ERROR = "1/16"  # of itself, by which a limit may be moved to the nearest that counts are kept for
SHOWN = 6  # rows that are told of one bin
EXAMPLES = 10  # on either side of a limit
_MONDAY = date(1969, 12, 29)  # of week 0


class Choice(msgspec.Struct):
    """A limit under which rows were judged, or are."""

    limit: float  # in the rule's unit, as all that follow
    where: list[str]  # settings that say so now; none: it is in force no more
    rows: int  # counted under it


class Row(msgspec.Struct):
    """A row that lies near some limit."""

    value: float
    case_id: str | None
    department: str | None
    item: str | None
    step: str | None
    at: int  # µs UTC
    raises_from: int  # the first limit of `limits` that raises it; going up or down, as it is worse


class Judged(msgspec.Struct):
    """What a person has found of a finding that was raised."""

    verdict: str
    value: float
    department: str | None


class Curve(msgspec.Struct):
    """How many rows each limit would raise, of those that were judged under one or several."""

    setting: str
    worse: str
    inclusive: bool
    choices: list[Choice]
    chosen: float | None  # None: all rows, whatever limit they were judged by
    limits: list[float]  # rising; counts are exact at each of them
    in_force: int | None  # the place of the chosen limit
    weeks: list[str]  # Mondays, oldest first
    departments: list[str | None]
    by_week: list[list[int]]  # of each limit, of each week
    by_department: list[list[int]]
    totals: list[int]
    rows: list[Row]
    verdicts: dict[str, list[int]]  # verdict → findings that each limit would raise
    error: str = ERROR
    fault: str | None = None  # why the rule's values could not be counted
    uncounted: int = 0

    def nearest(self, asked: float) -> int:
        """The place of the limit that is nearest to one that is asked for."""
        return int(np.abs(np.array(self.limits) - asked).argmin())

    def examples(self, place: int) -> tuple[list[Row], list[Row]]:
        """The rows just inside a limit (it raises them) and just outside, the nearest first."""
        asked = self.limits[place]
        inside, outside = list[Row](), list[Row]()
        for row in sorted(self.rows, key=lambda one: (abs(one.value - asked), -one.at)):
            (inside if self.raises(row, place) else outside).append(row)
        return inside[:EXAMPLES], outside[:EXAMPLES]

    def raises(self, row: Row, place: int) -> bool:
        """Would this limit raise that row."""
        return place >= row.raises_from if self.worse == "below" else place <= row.raises_from


def why_not(rule: Rule) -> str | None:
    """Why a rule's limit cannot be tried out, None where it can: a key of the words of pages."""
    if rule.tuned is not None:
        return None
    if rule.clock is not None:
        return "clock"
    return "measure" if rule.subject == "case" else "subject"


class _Plain:
    """Columns of one row of which nothing is said, save the value of the rule's table."""

    def __init__(self, told: Mapping[str, int]) -> None:
        self._told = told

    def __getitem__(self, name: str) -> np.ndarray:
        return np.array([self._told.get(name, 0)], np.int64)


def limits_in_force(configured: Configured) -> dict[int, list[str]]:
    """The limits that a tunable rule judges by now, the setting's own first: in the engine's
    integers, and the settings that say so."""
    rule, tuned = configured.rule, configured.rule.tuned
    assert tuned is not None
    told = dict[int, list[str]]()

    def tell(one: Configured, name: str, table: dict[str, int]) -> None:
        assert one.tried is not None
        limit = one.tried.limit(one, _Plain(table))
        value = limit if isinstance(limit, int) else int(limit[0])
        told.setdefault(value, []).append(name)

    def tell_all(one: Configured, where: str) -> None:
        table = rule.table
        if table is None or tuned.setting != table.default:
            tell(one, where + tuned.setting, {})
            return
        tell(one, where + tuned.setting, {table.value: getattr(one.params, table.default)})
        for entry in one.entries:
            name = " · ".join(str(entry[key]) for key, _ in table.keys)
            tell(one, f"{where}{table.name}: {name}", {table.value: entry[table.value]})

    tell_all(configured, "")
    for place, override in enumerate(configured.overrides):
        if override.params or override.bands:
            named = " · ".join(str(name) for name in override.scope.named if name)
            tell_all(configured.alone(place), f"{named}: ")
    return told


def curve(
    counted: Counted, configured: Configured, *, limit: float | None = None,
    every: bool = False, departments: Collection[str] | None = None,
    verdicts: Sequence[Judged] = (),
) -> Curve:  # fmt: skip
    """The curve of a tunable rule.

    `limit`: judged under this one, in the rule's unit; None: the setting's own. `every`: all rows,
    whatever they were judged by. `departments`: of these alone. Raises `KeyError` where no row was
    judged under such a limit, and none would be.
    """
    tried, divisor = configured.tried, configured.divisor
    assert tried is not None
    tuned = tried.tuned
    now, names = limits_in_force(configured), counted.words["department"]
    found = _seen(counted.found(), names, departments)
    known = sorted({*now, *counted.limits})
    chosen = None if every else _chosen(limit, known, next(iter(now)), divisor)
    choices = [
        Choice(one / divisor, now.get(one, []), int(found.many[found.limit == one].sum()))
        for one in known
    ]
    if chosen is not None:
        found = found.where(found.limit == chosen, found.latest_limit == chosen)
    edges = _edges(tuned, chosen)
    place = _places(tuned, edges, found, chosen)
    weeks = found.week
    first = int(weeks.min(initial=1 << 62)) if len(weeks) else 0
    spans = int(weeks.max()) - first + 1 if len(weeks) else 0
    by_week = _by(tuned, edges, place, weeks - first, spans, found.many)
    told, number = _departments(found, names)
    by_department = _by(tuned, edges, place, number, len(told), found.many)
    limits = (edges / divisor).tolist()
    return Curve(
        tuned.setting, tuned.worse, tried.past == (tuned.worse == "below"), choices,
        None if chosen is None else chosen / divisor, limits,
        None if chosen is None else int(np.searchsorted(edges, chosen)),
        [(_MONDAY + timedelta(weeks=first + n)).isoformat() for n in range(spans)],
        told,
        by_week.tolist(), by_department.tolist(), by_week.sum(axis=1).tolist(),
        _rows(configured, edges, found, counted.words), _judged(configured, edges, verdicts),
        fault=counted.fault, uncounted=counted.uncounted,
    )  # fmt: skip


def _chosen(limit: float | None, known: list[int], own: int, divisor: int) -> int:
    if limit is None:
        return own
    if round(limit * divisor) not in known:
        raise KeyError(limit)
    return round(limit * divisor)


def _seen(found: Found, names: Texts, departments: Collection[str] | None) -> Found:
    """What is of some departments."""
    if departments is None:
        return found
    codes = [code for code, name in enumerate(names) if name in departments]
    cells = np.isin(found.department, [code for code in codes if code < DEPARTMENTS_MAX])
    return found.where(cells, np.isin(found.latest["department"], codes))


def _departments(found: Found, names: Texts) -> tuple[list[str | None], np.ndarray]:
    """The departments that have cells, without a name first, then by name; and each cell's place
    among them. Not by code: codes are of one process."""
    codes, number = np.unique(found.department, return_inverse=True)
    mine = [names[one] if 0 <= one < DEPARTMENTS_MAX else None for one in codes.tolist()]
    told = sorted(set(mine), key=lambda name: name or "")
    place = {name: n for n, name in enumerate(told)}
    return told, np.array([place[name] for name in mine], np.int64)[number]


def _edges(tuned: Tuned, limit: int | None) -> np.ndarray:
    """The limits for which counts are exact, rising."""
    edges = EDGES * tuned.grain
    edges = edges[(edges >= tuned.least) & (edges <= tuned.most)]
    return edges if limit is None else np.union1d(edges, [limit])


def _places(tuned: Tuned, edges: np.ndarray, found: Found, limit: int | None) -> np.ndarray:
    """Of each cell the place of the first limit that raises it (going down where above is worse);
    outside of `edges` where none does."""
    least = least_of(found.bin)
    if tuned.worse == "below":
        reach = EDGES[np.searchsorted(EDGES, least, side="right")] * tuned.grain
        if limit is not None:
            reach = np.where(found.side == 1, np.minimum(reach, limit), reach)
        return np.searchsorted(edges, reach)
    reach = least * tuned.grain
    if limit is not None:
        reach = np.where(found.side == 1, np.maximum(reach, limit), reach)
    return np.searchsorted(edges, reach, side="right") - 1


def _by(
    tuned: Tuned, edges: np.ndarray, place: np.ndarray, number: np.ndarray, size: int,
    count: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """(limits, size): how many rows each limit raises, by a number of theirs."""
    kept = (place >= 0) & (place < len(edges))
    told = np.zeros((len(edges), size), np.int64)
    np.add.at(told, (place[kept], number[kept]), count[kept])
    if tuned.worse == "below":
        return np.cumsum(told, axis=0)
    return np.cumsum(told[::-1], axis=0)[::-1]


def _first(configured: Configured, edges: np.ndarray, values: np.ndarray) -> np.ndarray:
    """As `_places`, of values."""
    tried = configured.tried
    assert tried is not None
    place = np.searchsorted(edges, values - tried.past, side="right")
    return place - (tried.tuned.worse == "above")


def _rows(
    configured: Configured, edges: np.ndarray, found: Found, words: Mapping[str, Texts]
) -> list[Row]:
    """The latest rows between any two limits, by value."""
    rows, divisor = found.latest, configured.divisor
    place = _first(configured, edges, rows["value"])
    order = np.lexsort((tie_of(rows), rows["at"], place))
    ends = np.searchsorted(place[order], place[order], side="right")
    order = order[ends - np.arange(len(order)) <= SHOWN]
    rows, place = rows[order], place[order]
    texts = (texts_of(words[name], rows[name]) for name in ("case", "department", "item", "step"))
    told = zip(rows["value"].tolist(), rows["at"].tolist(), place.tolist(), *texts, strict=True)
    return [
        Row(value / divisor, case, department, item, step, at, first)
        for value, at, first, case, department, item, step in told
    ]


def _judged(
    configured: Configured, edges: np.ndarray, verdicts: Sequence[Judged]
) -> dict[str, list[int]]:
    """Of each verdict, how many findings with it each limit would raise."""
    tuned = configured.rule.tuned
    assert tuned is not None
    told = {}
    for verdict in sorted({one.verdict for one in verdicts}):
        mine = [round(one.value * configured.divisor) for one in verdicts if one.verdict == verdict]
        place = _first(configured, edges, np.array(mine, np.int64))
        ones = np.ones(len(mine), np.int64)
        told[verdict] = _by(tuned, edges, place, ones * 0, 1, ones)[:, 0].tolist()
    return told
