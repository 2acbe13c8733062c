"""Does learning help: learned limits against the truth, and against limits set by hand.

`learned_limits`: after 500 cases of each item and pair of steps, in a county with all its offences,
the limit that `pace` would publish against the 1st percentile of honest work of the same generator.
`learned_recall`: a county with 1 % of subtle offences, judged by learned limits and by the static
ones, raised until they cost as many alerts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench_step import decoded
from benchmarks.county_files import DISTRICT
from detector.columns import Words
from detector.decode import Decoder
from detector.district import District, load_district
from detector.engine import Engine
from detector.event import ACTIONS, Reading
from detector.learning.shelf import load_learners
from detector.learnkit import CODED, FLAGS, NOBODY, NOT_GIVEN, NUMBERS, Limit, Rows
from detector.shelf import configure, load_shelf
from detector.simulate.county import County, simulate
from detector.simulate.deeds import NAMES, OFFENCES, SUBTLE, is_one
from detector.simulate.text import frames, lines_of
from detector.values import SECOND_US
from detector.verdict import Finding
from replay.stream import batches, even_cuts, tick

Row = dict[str, Any]
AFTER = 500  # cases of a pair
WITHIN = 0.15
TRUE_GAPS = 20_000  # of a pair at least, for its percentile to be called true
TRUE_CASES, TRUE_PARTS, DAYS = 400_000, 5, 240
SEEN_CASES = 40_000
RECALL_CASES, RECALL_DAYS, SUBTLE_SHARE = 20_000, 120, 0.01
LEARNED = ("unusually_fast", "unusual_path", "unusual_case")
STATIC = "too_fast_step"
HIGH_S = 6 * 3_600
BATCH = 16_384


def run_limits() -> list[Row]:
    """One row: ‰ of the pairs whose learned limit is near enough."""
    true, error = true_percentiles(TRUE_CASES, TRUE_PARTS, TRUE_GAPS)
    learned = learned_limits(simulate(SEEN_CASES, 5, DAYS, load_district(DISTRICT)))
    off = {pair: learned[pair].value / true[pair] - 1 for pair in sorted(true) if pair in learned}
    far = {pair: share for pair, share in off.items() if abs(share) > WITHIN}
    told = ", ".join(f"{'/'.join(pair)} {share:+.0%}" for pair, share in far.items()) or "none"
    note = (
        f"{len(off)} pairs with {AFTER} cases, offences among them, whose true percentile rests on"
        f" {TRUE_GAPS:,} honest gaps or more (95 % sure within ± {np.median(error):.1%},"
        f" the worst ± {max(error):.1%}); median distance"
        f" {np.median(np.abs(list(off.values()))):.1%}; farther than {WITHIN:.0%}: {told}"
    )
    value = round(100 * (1 - len(far) / len(off)), 1)
    return [{
        "name": "learned_limits", "value": value, "unit": "% of pairs", "against": "80 to reach",
        "ratio": None, "note": note,
    }]  # fmt: skip


def true_percentiles(
    cases: int, parts: int, least: int
) -> tuple[dict[tuple[str, ...], float], list[float]]:
    """Of each (item, step, step) the 1st percentile of honest gaps, in seconds; and how far each
    may be off (95 %, by order statistics)."""
    found: dict[tuple[str, ...], list[np.ndarray]] = {}
    district = load_district(DISTRICT)
    for part in range(parts):
        county = simulate(cases, 1_000 + part, DAYS, district)
        for pair, rows in by_pair(gaps_of(county, honest=True)):
            found.setdefault(pair[1:], []).append(rows["gap"])
    true, error = {}, []
    for pair, some in found.items():
        gaps = np.sort(np.concatenate(some)) / SECOND_US
        if len(gaps) >= least:
            rank, about = len(gaps) / 100, 1.96 * np.sqrt(len(gaps) * 0.01 * 0.99)
            low, mid, high = (gaps[int(r)] for r in (rank - about, rank, rank + about))
            true[pair] = float(mid)
            error.append(float(high - low) / 2 / float(mid))
    return true, error


def gaps_of(county: County, honest: bool = False) -> Rows:
    """The steps of a county as a learner of paces is shown them, in order of arrival."""
    plan, calendar = county.plan, county.plan.district.calendar
    kept = county.stream.version == 0
    if honest:
        kept &= county.cases.deed[county.stream.case] == 0
    order = np.flatnonzero(kept)[np.argsort(county.stream.case[kept], kind="stable")]
    s = county.stream.take(order)
    row = np.flatnonzero(s.case[1:] == s.case[:-1]) + 1
    before, at = s.recorded[row - 1] * SECOND_US, s.recorded[row] * SECOND_US
    tells = (at > before) & (s.operator[row] >= 0) & ~plan.on_the_spot[s.item[row]]
    tells &= ~s.imported[row] & ~calendar.date_only(at) & ~calendar.date_only(before)
    row, before, at = row[tells], before[tells], at[tells]
    back = np.argsort(order[row])
    row, before, at = row[back], before[back], at[back]
    step = np.where(plan.step > 0, plan.step + len(ACTIONS) - 1, plan.action)
    names = [*ACTIONS, *plan.steps[1:]]
    columns = {name: np.full(len(row), NOBODY) for name in CODED}
    columns |= {name: np.full(len(row), NOT_GIVEN) for name in NUMBERS}
    columns |= {name: np.zeros(len(row), bool) for name in FLAGS}
    columns |= {
        "item": s.item[row].astype(np.int64), "operator": s.operator[row].astype(np.int64),
        "kind": np.zeros(len(row), np.int64), "gap": calendar.between(before, at),
        "step": step[s.item[row], s.slot[row]].astype(np.int64),
        "previous_step": step[s.item[row - 1], s.slot[row - 1]].astype(np.int64),
    }  # fmt: skip
    words: dict[str, Sequence[str | None]] = {
        "item": plan.codes, "step": names, "previous_step": names, "operator": plan.people,
        "kind": ["01"], "channel": (),
    }  # fmt: skip
    return Rows(columns, words)


def by_pair(rows: Rows) -> Iterator[tuple[tuple[str, ...], Rows]]:
    """The rows of each (kind, item, step, step), in their order."""
    names = ("kind", "item", "previous_step", "step")
    codes = np.stack([rows[name] for name in names], axis=1)
    pairs, place = np.unique(codes, axis=0, return_inverse=True)
    order = np.argsort(place.ravel(), kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(place.ravel()))[:-1])
    for pair, some in zip(pairs.tolist(), parts, strict=True):
        key = tuple(rows.text(n, code) for n, code in zip(names, pair, strict=True))
        yield key, rows.take(some)


def learned_limits(county: County) -> dict[tuple[str, ...], Limit]:
    """What is published of each (item, step, step) after `AFTER` cases of it."""
    pace = load_learners()["pace"].learner
    model, enough = pace.make({p.name: p.default for p in pace.params}), set()
    for key, rows in by_pair(gaps_of(county)):
        model.learn(rows.take(np.arange(min(len(rows), AFTER))))
        if len(rows) >= AFTER:
            enough.add(key)
    limits = {one.key: one for one in model.publish(20_000)}
    return {key[1:]: limits[(*key, "")] for key in enough if (*key, "") in limits}


# --- what is found -------------------------------------------------------------------------------


def run_recall(cases: int = RECALL_CASES) -> list[Row]:
    """One row: recall of the learned rules over that of the static ones at as many alerts."""
    county = simulate(cases, 20_260_301, RECALL_DAYS, load_district(DISTRICT), SUBTLE_SHARE)
    learned = judged(county, "", "\n[learning]\non = true\nalerts_per_1000_cases_max = 1000\n")
    mine = [f for f in learned if f.rule in LEARNED or f.rule == STATIC]
    raised = judged(county, str(HIGH_S))
    limit, static = _as_many(raised, len(mine))
    paces = [f for f in mine if f.rule in ("unusually_fast", STATIC)]
    _, fewer = _as_many(raised, len(paces))
    there = truth_of(county)
    every = set().union(*there.values())
    told = {name: _scored(county, some, every) for name, some in (
        ("learned", mine), ("static", static),
        ("paces alone", paces), ("static at as many as those", fewer),
    )}  # fmt: skip
    kinds = {
        kind: "/".join(str(len(some & _cases(f))) for f in (mine, static)) + f" of {len(some)}"
        for kind, some in there.items()
    }
    by_rule = {r: sum(f.rule == r for f in mine) for r in (*LEARNED, STATIC)}
    note = (
        f"{cases:,} cases, {len(every)} subtly wrong; "
        + "; ".join(
            f"{name}: recall {recall:.1%}, precision {precision:.1%}, {alerts:,} alerts"
            for name, (recall, precision, alerts) in told.items()
        )
        + f"; static limit raised from 60 s to {limit:,} s; by kind, learned/static: {kinds};"
        f" alerts of the learned side by rule: {by_rule}"
    )
    value = round(told["learned"][0] / max(told["static"][0], 1e-9), 2)
    return [{
        "name": "learned_recall", "value": value, "unit": "× recall",
        "against": "static limits at as many alerts; 1.2 to reach", "ratio": None, "note": note,
    }]  # fmt: skip


def truth_of(county: County) -> dict[str, set[int]]:
    """By kind, the cases that a subtle offence was laid into."""
    truth, told = county.truth, dict[str, set[int]]()
    subtle = is_one(county.cases.deed, *SUBTLE)
    for rule, rows in zip(truth.rules, truth.rows, strict=True):
        cases = {int(c) for c in county.stream.case[rows] if subtle[c]}
        if rule in LEARNED and cases:
            told[rule] = told.get(rule, set()) | cases
    return told


def judged(county: County, limit_s: str, more: str = "") -> list[Finding]:
    """Findings that speak, of a replay with these settings (`limit_s`: of `too_fast_step`)."""
    files: Mapping[str, bytes] = {
        str(p.relative_to(DISTRICT)): p.read_bytes() for p in DISTRICT.rglob("*") if p.is_file()
    }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        toml = folder / "district.toml"
        toml.write_text(toml.read_text("utf-8") + more, "utf-8")
        if limit_s:
            book = folder / "rulebook.toml"
            text = book.read_text("utf-8").replace(
                "default_limit_s = 60", f"default_limit_s = {limit_s}"
            )
            book.write_text(text.replace("limit_s = 1800", f"limit_s = {limit_s}"), "utf-8")
        return _findings(county, load_district(folder), learns=bool(more))


def _findings(county: County, district: District, learns: bool) -> list[Finding]:
    engine = Engine(
        district, configure(load_shelf(), district), load_learners() if learns else None
    )
    words = Words()
    lines = [line for frame in frames(county) for line in lines_of(frame)]
    inputs = decoded(Decoder(words, Reading(zone=district.calendar.zone)), lines)
    inputs.facts = [tick(int(inputs.received_at.max()) + 2 * 86_400 * SECOND_US)]
    state, found = engine.new_state(words), dict[str, Finding]()
    for _, batch in batches(inputs, even_cuts(len(inputs), BATCH)):
        if learns:
            state, effects = engine.step(state, batch)
        else:  # notices are not asked for
            effects = engine.step_cases(state.cases, batch, {})
        for move in effects.moves:
            if isinstance(move, Finding):
                found[move.finding_id] = move
            else:
                found.pop(move.finding_id, None)
    return [f for f in found.values() if f.stands and not f.muted]


def _as_many(raised: Sequence[Finding], alerts: int) -> tuple[int, list[Finding]]:
    """The static limit that raises so many alerts, and those: the survey's limit is not lowered."""
    found = [f for f in raised if f.rule == STATIC]
    survey = [f.step == "survey" and f.evidence["previous_step"] == "accept" for f in found]
    least = np.array([
        0 if s and f.value < 1_800 else f.value for f, s in zip(found, survey, strict=True)
    ])  # fmt: skip
    order = np.argsort(least, kind="stable")[:alerts]
    return int(least[order[-1]]) + 1, [found[n] for n in order.tolist()]


def _cases(found: Sequence[Finding]) -> set[int]:
    return {int(f.case_id[-9:]) for f in found if f.case_id}


def _scored(county: County, found: Sequence[Finding], every: set[int]) -> tuple[float, float, int]:
    """Recall of the subtle offences; which share of the alerts is about a case with any offence."""
    wrong = is_one(county.cases.deed, *[n for n in NAMES if n in OFFENCES], *SUBTLE)
    right = sum(bool(wrong[int(f.case_id[-9:])]) for f in found if f.case_id)
    return len(_cases(found) & every) / len(every), right / max(len(found), 1), len(found)
