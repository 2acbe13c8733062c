"""False alarms of `offline_operation` (网下运行), as published and beside what was learned.

`ordinary_months`: a county with its season, weekdays and feasts, whose reported numbers are those
of its own record. In some months a share of an item's cases is worked off line: these were never
recorded. All else that falls, falls by itself, and whoever is told of it is told in vain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.county_files import DISTRICT
from detector.columns import Words, from_events
from detector.district import District, district_from, read_folder
from detector.engine import Engine
from detector.event import ACTION, Event, Fact
from detector.learning.shelf import load_learners
from detector.shelf import configure, load_shelf
from detector.simulate.county import County, simulate
from detector.simulate.reports import EAST_S
from detector.values import DAY_US, SECOND_US
from detector.verdict import Finding
from replay.stream import batches, even_cuts, in_order, sort_inputs

Row = dict[str, Any]
RULE = "offline_operation"
CASES, DAYS, SEEDS = 60_000, 900, range(1, 7)
GONE_SHARE = 0.06  # of the months of items
GONE_PERMILLE = (150, 300)  # of a month's cases, half of these months each
USUAL_LEAST = 40  # cases a month: of items with fewer nobody would ask
BATCH = 8_192
LEARNS = "\n[learning]\non = true\n" + "".join(
    f"[learning.learners.{name}]\non = 0\n"
    for name in ("drift", "pace", "path", "shape", "usual_burst")
)


class Month(NamedTuple):
    """An item's month, as codes of the plan and months since 1970."""

    item: int
    month: int


def run(cases: int = CASES) -> list[Row]:
    """One row: false alarms beside what was learned, for each of the published limits alone."""
    asked, false, caught, gone = 0, Counter[str](), Counter[tuple[str, int]](), Counter[int]()
    for seed in SEEDS:
        county = simulate(cases, seed, DAYS, district(""))
        item, recorded = accepts_of(county)
        missing, kept = worked_off_line(item, months_of(recorded), seed)
        item, recorded = item[kept], recorded[kept]
        asked += len(np.unique(np.stack([item, months_of(recorded)]), axis=1).T)
        gone.update(missing.values())
        for name, more in (("published", ""), ("learned", LEARNS)):
            found = judged(county, item, recorded, district(more), bool(more))
            spoke = {month for month, one in found.items() if one.muted is None}
            false[name] += len(spoke - missing.keys())
            caught.update((name, missing[month]) for month in spoke & missing.keys())
    note = (
        f"{len(SEEDS)} counties of {cases:,} cases in {DAYS} days, {asked:,} months of items with"
    )
    note += f" {USUAL_LEAST} cases a month, {sum(gone.values())} of these worked off line in part; "
    note += "; ".join(
        f"{name}: {false[name]:,} false, "
        + ", ".join(f"{caught[name, p]} of {gone[p]} that lost {p} ‰ seen" for p in GONE_PERMILLE)
        for name in ("published", "learned")
    )
    value = round(false["learned"] / max(false["published"], 1), 3)
    return [{
        "name": "ordinary_months", "value": value, "unit": "× false alarms",
        "against": "the published limits alone", "ratio": None, "note": note,
    }]  # fmt: skip


def district(more: str) -> District:
    """The county's, with more in its district.toml."""
    files = dict(read_folder(DISTRICT))
    files["district.toml"] += more.encode()
    files["rulebook.toml"] = b""
    return district_from(files)


def accepts_of(county: County) -> tuple[np.ndarray, np.ndarray]:
    """Item and second UTC of each acceptance, in order of its record."""
    plan, s = county.plan, county.stream
    rows = np.flatnonzero((plan.action[s.item, s.slot] == ACTION["accept"]) & (s.version == 0))
    rows = rows[np.argsort(s.recorded[rows], kind="stable")]
    return s.item[rows].astype(np.int64), s.recorded[rows]


def months_of(recorded: np.ndarray) -> np.ndarray:
    """The local month of each second, months since 1970."""
    return ((recorded + EAST_S).astype("M8[s]").astype("M8[M]")).astype(np.int64)


def worked_off_line(
    item: np.ndarray, month: np.ndarray, seed: int
) -> tuple[dict[Month, int], np.ndarray]:
    """The months from which cases are missing, by how many ‰; and the acceptances that are left, of
    items that are asked for often enough, in months that are whole."""
    rng = np.random.default_rng([seed, 20])
    usual = np.bincount(item) / (month.max() - month.min() + 1)
    kept = (usual[item] >= USUAL_LEAST) & (month > month.min()) & (month < month.max())
    gone: dict[Month, int] = {}
    for one in np.unique(item[kept]).tolist():
        for then in range(int(month[kept].min()) + 2, int(month[kept].max()) + 1):
            if rng.random() < GONE_SHARE:
                permille = GONE_PERMILLE[len(gone) % 2]
                gone[Month(one, then)] = permille
                mine = np.flatnonzero(kept & (item == one) & (month == then))
                kept[rng.choice(mine, len(mine) * permille // 1_000, replace=False)] = False
    return gone, kept


def judged(
    county: County, item: np.ndarray, recorded: np.ndarray, how: District, learns: bool
) -> dict[Month, Finding]:
    """Findings of the rule by month, where the record is also what is reported."""
    plan, words = county.plan, Words()
    owner = [plan.departments[n] for n in plan.department.tolist()]
    pairs = zip(item.tolist(), (recorded * SECOND_US).tolist(), strict=True)
    events = [
        Event(
            event_id=f"e{n}", case_id=f"c{n}", item=plan.codes[code], department=owner[code],
            action="accept", operator="P", occurred_at=at, recorded_at=at, received_at=at,
        )
        for n, (code, at) in enumerate(pairs)
    ]  # fmt: skip
    inputs = sort_inputs(from_events(events, words))
    inputs.facts = in_order(numbers(plan.codes, owner, item, months_of(recorded)))
    shelf = load_shelf()
    rulebook = configure({RULE: shelf[RULE]}, how)
    engine = Engine(how, rulebook, load_learners() if learns else None)
    state, found = engine.new_state(words), dict[Month, Finding]()
    for _, batch in batches(inputs, even_cuts(len(inputs), BATCH)):
        state, effects = engine.step(state, batch)
        for one in effects.moves:
            if isinstance(one, Finding) and one.rule == RULE and one.item is not None:
                period = int(np.datetime64(one.evidence["period"], "M").astype(np.int64))
                found[Month(plan.codes.index(one.item), period)] = one
    return found


def numbers(
    codes: Sequence[str], owner: Sequence[str], item: np.ndarray, month: np.ndarray
) -> list[Fact]:
    """What is reported of each month on the second day of the next, and a tick at the end."""
    told, last = [], 0
    for one in np.unique(item).tolist():
        for then in range(int(month.min()), int(month.max()) + 1):
            begin = int((np.datetime64(then, "M") + 1).astype("M8[D]").astype(np.int64))
            at = begin * DAY_US + DAY_US - EAST_S * SECOND_US
            fields = {
                "fact_id": f"{one}-{then}", "department": owner[one], "item": codes[one],
                "period": str(np.datetime64(then, "M")), "amount": 0,
                "cases": int(np.count_nonzero((item == one) & (month == then))),
            }  # fmt: skip
            told.append(Fact(kind="volume", received_at=at, fields=fields))
            last = max(last, at)
    return [*told, Fact(kind="tick", received_at=last + 3 * DAY_US, fields={})]
