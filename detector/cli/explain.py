"""`oriole explain`: how one finding came about, day by day."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli.common import CHECK_FOUND, Json, print_json, refuse, spoken_faults

if TYPE_CHECKING:
    from detector.account import Account
    from detector.engine import Engine
    from detector.verdict import Finding

Out = Annotated[Path | None, typer.Option(help="The folder that `oriole replay --out` wrote.")]
Folder = Annotated[Path | None, typer.Option(help="The district of that replay.")]
Data = Annotated[Path | None, typer.Option(help="A ledger's data folder.")]


def explain(
    finding_id: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")],
    data: Data = None, out: Out = None, district: Folder = None, json: Json = False,
) -> None:  # fmt: skip
    """Say how a finding came about: its clock day by day, its limit, and what would clear it."""
    from detector.account import account
    from detector.district import load_district
    from detector.engine import Engine
    from detector.learning.shelf import learners_of
    from detector.shelf import configure, load_shelf

    if (data is None) == (out is None):
        refuse("name either --data or --out with its --district")
    if out is not None and district is None:
        refuse("--out: name the district of that replay with --district")
    with spoken_faults():
        if out is not None and district is not None:
            found = _of_replay(out, finding_id)
            loaded = load_district(district)
            engine = Engine(loaded, configure(load_shelf(), loaded), learners_of(loaded))
            held = (found, engine) if found else None
        else:
            assert data is not None
            held = _of_ledger(data, finding_id)
    if held is None:
        typer.echo(f"{finding_id}: there is no such finding", err=True)
        raise typer.Exit(CHECK_FOUND)
    found, engine = held
    told = account(found, engine.district, engine.rulebook)
    if json:
        print_json({"finding": found, "account": told.told() if told else None})
    else:
        _show(found, told)


def _of_replay(out: Path, finding_id: str) -> Finding | None:
    import msgspec

    from detector.verdict import Finding

    file = out / "findings.ndjson"
    if not file.is_file():
        refuse(f"{file}: not found")
    with file.open("rb") as lines:
        for line in lines:
            if finding_id.encode() in line[:80]:
                one = msgspec.json.decode(line, type=Finding)
                if one.finding_id.startswith(finding_id):
                    return one
    return None


def _of_ledger(data: Path, finding_id: str) -> tuple[Finding, Engine] | None:
    import msgspec

    from detector.ledger import LedgerError
    from detector.ledger.sqlite_file import FILE, open_reader
    from detector.live.contents import contents_until, judge_of
    from detector.verdict import Finding

    try:
        reader = open_reader(data / FILE)
        held = reader.finding(finding_id)
        if held is None:
            return None
        found = msgspec.json.decode(held.json(), type=Finding)
        contents = contents_until(reader, held.seq)
        reader.close()
    except LedgerError as fault:
        refuse(str(fault))
    engine_of = cache(lambda place: contents[place].content.engine())
    return found, judge_of(contents, engine_of, held.seq, found.rulebook)


def _show(found: Finding, told: Account | None) -> None:
    lines = [found.sentence.zh, found.sentence.en, f"依据 basis: {found.basis}"]
    if told is None:
        lines.append("规则已不在手册中 the rule is no longer in the rulebook")
    else:
        lines.append(f"限值出处 limit from: {told.limit_from.zh}")
        lines.append(told.limit_from.en)
        for day in told.days:
            off = "" if day.works else "  非工作日 off"
            lines.append(f"  {day.date} {_clock(day.hours):>9} {_clock(day.total_hours):>10}{off}")
        if told.not_counted_hours:
            hours = _clock(told.not_counted_hours)
            lines.append(f"特别程序不计入 not counted, by suspensions: {hours}")
        lines.append(f"可消除之处 cleared by: {told.cleared_by.zh}")
        lines.append(told.cleared_by.en)
    typer.echo("\n".join(lines))


def _clock(hours: float) -> str:
    """Hours as h:mm:ss."""
    seconds = round(hours * 3_600)
    return f"{seconds // 3_600}:{seconds % 3_600 // 60:02d}:{seconds % 60:02d}"
