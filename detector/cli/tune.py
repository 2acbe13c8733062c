"""`oriole rules tune`: what other limits of a rule would raise, by the ledger (阈值试算)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli.common import Json, print_json, refuse
from detector.cli.ledger import DATA, Data, Ledger

if TYPE_CHECKING:
    from detector.live.shard import Shard
    from detector.places import Place
    from detector.shelf import Configured
    from detector.thresholds import Curve

AROUND = 8  # limits shown on either side
BAR = 32

At = Annotated[float | None, typer.Option("--at", help="A limit, in the rule's unit.")]
Judged = Annotated[
    float | None, typer.Option("--judged-under", help="Rows judged under this limit alone.")
]


def tune(
    rule_id: Annotated[str, typer.Argument(help="The rule; see `oriole rules list`.")],
    at: At = None, judged_under: Judged = None, data: Data = DATA, ledger: Ledger = "",
    json: Json = False,
) -> None:  # fmt: skip
    """Show how many findings a week other limits of a rule would raise, and where.

    Reads the ledger, also while the server runs on it: from its newest snapshot on; a database from
    its beginning, of a scale-out all shards of cases.
    """
    held, told = _counted(rule_id, judged_under, data, ledger)
    if json:
        print_json({"rule": rule_id, "at": _asked(told, at), "curve": told})
    else:
        _show(held, told, told.in_force if at is None else told.nearest(at))


def _counted(
    rule_id: str, judged_under: float | None, data: Path, ledger: str
) -> tuple[Configured, Curve]:
    from detector.counted import merged
    from detector.ledger import LedgerError
    from detector.places import places_of_cases
    from detector.serve import SNAPSHOTS
    from detector.thresholds import curve, why_not

    parts, engine = [], None
    try:
        for place in places_of_cases(ledger, data):
            judged = _judged(place, None if ledger else data / SNAPSHOTS)
            engine = engine or judged.engine
            tally = judged.state.cases.tally
            assert tally is not None
            parts.append(tally.of(rule_id, judged.words))
    except LedgerError as fault:
        refuse(str(fault))
    assert engine is not None
    rules = engine.rulebook.rules
    held = next((one for one in rules if one.rule.id == rule_id), None)
    if held is None:
        refuse(f"{rule_id}: no such rule; see `oriole rules list`")
    why = why_not(held.rule)
    if why is not None:
        refuse(f"{rule_id}: {_WHY[why]}")
    counted = parts[0] if len(parts) == 1 else merged(parts)
    try:
        return held, curve(counted, held, limit=judged_under)
    except KeyError:
        refuse(f"--judged-under {judged_under:g}: no row was judged under it, and none would be")


def _judged(place: Place, snapshots: Path | None) -> Shard:
    """A shard as it was judged to its end, with what it counted on the way."""
    from detector.cluster.shards import kind_of
    from detector.live.recovery import recover
    from detector.live.shard import that_counts

    reader = place.reader()
    with closing(reader):
        return recover(reader, snapshots, kind=that_counts(kind_of(reader))).shard


_WHY = {
    "clock": "runs on a clock of the law: its limit is not the district's to try out",
    "measure": "measures nothing that has a limit to be tried out",
    "subject": "is not about a case's events: its raw values are not counted",
}


def _asked(told: Curve, at: float | None) -> dict[str, object] | None:
    if at is None:
        return None
    place = told.nearest(at)
    inside, outside = told.examples(place)
    return {"limit": told.limits[place], "n": told.totals[place], "inside": inside,
            "outside": outside}  # fmt: skip


def _show(held: Configured, told: Curve, place: int | None) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    from detector.rulekit import UNITS

    assert place is not None
    _, zh, en = UNITS[held.rule.unit]
    console, weeks = Console(), max(len(told.weeks), 1)
    first = max(0, min(place, told.in_force or place) - AROUND)
    shown = range(first, min(len(told.limits), max(place, told.in_force or place) + AROUND + 1))
    most = max((told.totals[n] for n in shown), default=0) or 1
    table = Table(title=f"{held.rule.zh} {held.rule.en} · {told.setting}", box=SIMPLE)
    for name in (f"{zh} {en}", "会报 raised", "每周 a week", ""):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    for n in shown:
        mark = " ← 现行 in force" if n == told.in_force else " ←" if n == place else ""
        bar = "█" * round(BAR * told.totals[n] / most)
        table.add_row(
            f"{told.limits[n]:,.10g}", f"{told.totals[n]:,}", f"{told.totals[n] / weeks:,.1f}",
            bar + mark,
        )  # fmt: skip
    console.print(table)
    by = Table(title=f"{told.limits[place]:,.10g} {zh} {en}: 各部门 by department", box=SIMPLE)
    by.add_column("部门 department")
    by.add_column("会报 raised", justify="right")
    for department, many in zip(told.departments, told.by_department[place], strict=True):
        by.add_row(department or "—", f"{many:,}")
    console.print(by)
    since = told.weeks[0] if told.weeks else "—"
    console.print(
        f"{since} 起 {len(told.weeks)} 周；静默和豁免的也计入 since then, {len(told.weeks)} weeks;"
        " muted and exempt ones are counted too",
        highlight=False,
    )
