"""`oriole rules docs` and `oriole rules new`: the rulebook's pages, and a rule to begin with."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from detector.cli.common import Json, refuse, spoken_faults
from detector.cli.generated import write_or_check

Ledger = Annotated[
    str | None,
    typer.Option(help="A data folder, or postgresql://…, whose verdicts give the precision."),
]


def precision_of(ledger: str, rule: str) -> dict[str, Any]:
    """How often a rule was right, by the verdicts in a ledger."""
    from detector.ledger import LedgerError
    from detector.places import POSTGRES, place_of
    from detector.precision import Precision, by_place, by_rule

    address = ledger if ledger.startswith(POSTGRES) else ""
    try:
        with closing(place_of(address, Path(ledger)).reader()) as reader:
            counts = reader.verdict_counts()
    except LedgerError as fault:
        refuse(str(fault))
    told = by_rule(counts).get(rule, Precision()).told()
    return {"precision": told, "precision_by": [one.told() for one in by_place(counts, rule)]}


def docs(
    out: Annotated[Path, typer.Option(help="Folder of the pages.")] = Path("docs/rules"),
    check: Annotated[bool, typer.Option("--check", help="Only tell what is out of date.")] = False,
    json: Json = False,
) -> None:
    """Write one page a rule and their index, or with --check tell what is out of date."""
    with spoken_faults():
        from detector.pages import MARK, pages
        from detector.shelf import load_shelf

        wanted = pages(load_shelf())
    write_or_check(out, wanted, MARK, check, json)


def new(
    rule_id: Annotated[str, typer.Argument(help="The offence, in snake_case.")],
    family: Annotated[str, typer.Option(help="timeliness, truth, process, content, supervision.")],
    folder: Annotated[Path | None, typer.Option(help="Where; default among the rules.")] = None,
) -> None:
    """Write a rule to begin with: it loads, and its first example fails until it is filled in."""
    from detector.shelf import rules_folder
    from detector.skeleton import faults_of, skeleton

    shelf = rules_folder()
    place = folder or shelf
    for fault in faults_of(rule_id, family):
        refuse(fault)
    if not place.is_dir():
        refuse(f"{place}: is not a folder")
    path = place / f"{rule_id}.py"
    for taken in (path, shelf / path.name):
        if taken.exists():
            refuse(f"{rule_id}: is there already, in {taken}; name another offence")
    try:
        path.write_text(skeleton(rule_id, family), "utf-8")
    except OSError as fault:
        refuse(f"{path}: cannot be written: {fault.strerror or fault}")
    where = f" --folder {folder}" if folder else ""
    typer.echo(f"{path}: written; fill it in until `oriole rules test {rule_id}{where}` passes")
