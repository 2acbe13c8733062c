"""The command line: `oriole`. Wiring only; each command imports what it needs when it runs."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from detector import __version__
from detector.adapters import machine
from detector.cli import (
    accounts,
    cluster,
    deliver,
    explain,
    ledger,
    live,
    locks,
    models,
    notice,
    rules,
    schema,
    simulate,
    tune,
)
from detector.cli.common import (
    BAD_USAGE,
    CHECK_FOUND,
    REFUSED,
    Json,
    example_county,
    print_json,
    spoken_faults,
)

BIG_BYTES = 32 << 20  # from this size on a replay takes every core
SHOWN_MAX = 40
LOGS = "Logs: .ndjson .csv .parquet .xes, each also .gz or .zst."

app = typer.Typer(
    help="Oriole 黄雀: electronic supervision (电子监察) that says why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
rules_app = typer.Typer(
    help="The rulebook: list, show, test, lock, docs, new, tune.", no_args_is_help=True
)
app.add_typer(rules_app, name="rules")
app.add_typer(models.app, name="models")
app.add_typer(notice.app, name="notice")
app.add_typer(accounts.users, name="user")
app.add_typer(accounts.keys, name="key")
app.add_typer(accounts.audits, name="audit")
rules_app.command()(rules.docs)
rules_app.command()(rules.new)
rules_app.command()(tune.tune)
for command in (
    live.run, simulate.simulate, ledger.verify, ledger.migrate, ledger.export, ledger.backup,
    ledger.restore,
):  # fmt: skip
    app.command()(command)
app.command()(deliver.deliver)
app.command()(cluster.worker)
app.command()(cluster.serve)
app.command()(cluster.rekey)
app.command()(cluster.change)
app.command()(schema.schema)
app.command()(explain.explain)
District = Annotated[Path | None, typer.Option("--district", help="The district's folder.")]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"oriole {__version__}")
        raise typer.Exit


@app.command()
def check(district: District = None, json: Json = False) -> None:
    """Validate a district folder; every error with file, key and reason."""
    from detector.district import load_district
    from detector.learning.settings import check as check_learning
    from detector.learning.shelf import load_learners
    from detector.shelf import configure, load_shelf
    from detector.tomlfile import DistrictError

    folder = district or example_county()
    problems: list[str] = []
    notes: tuple[str, ...] = ()
    with spoken_faults():
        shelf, learners = load_shelf(), load_learners()
    try:
        loaded = load_district(folder)
        notes = loaded.notes
        for checked in (partial(configure, shelf), partial(check_learning, learners)):
            try:
                checked(loaded)
            except DistrictError as fault:
                problems += [str(p) for p in fault.problems]
    except DistrictError as fault:
        problems = [str(p) for p in fault.problems]
    if json:
        print_json({"district": str(folder), "errors": problems, "notes": notes})
    else:
        for line in problems:
            typer.echo(line)
        for line in notes:
            typer.echo(f"note: {line}")
        typer.echo(f"{folder}: {f'{len(problems)} errors' if problems else 'sound'}")
    if problems:
        raise typer.Exit(BAD_USAGE)


@app.command()
def replay(
    logs: Annotated[list[Path], typer.Argument(help=LOGS)],
    district: Annotated[Path, typer.Option("--district", help="The district's folder.")],
    mapping: Annotated[Path | None, typer.Option(help="A foreign log's mapping file.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for what was found.")] = None,
    until: Annotated[str | None, typer.Option(help="The tick that ends the replay.")] = None,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Processes; 0 chooses.")] = 0,
    batch_rows: Annotated[int, typer.Option(min=1, max=1 << 20, help="Rows a batch.")] = 131_072,
    events: Annotated[bool, typer.Option("--events", help="Write the judged events too.")] = False,
    guard: Annotated[bool, typer.Option("--guard", help="Say what the guard would stop.")] = False,
    hindsight: Annotated[
        bool, typer.Option("--hindsight", help="Judge paths of cases by the whole record.")
    ] = False,
    strict: Annotated[bool, typer.Option(help="Exit 3 when a line was refused.")] = False,
    show: Annotated[bool, typer.Option(help="Show the findings as a table.")] = False,
    json: Json = False,
) -> None:  # fmt: skip
    """Judge history, with the same verdicts as a live run."""
    missing = [str(p) for p in [*logs, district, *([mapping] if mapping else [])] if not p.exists()]
    if missing:
        typer.echo(f"{', '.join(missing)}: not found", err=True)
        raise typer.Exit(BAD_USAGE)
    if events and out is None:
        typer.echo(
            "--events: writes events.parquet, and wants a folder for it: --out DIR", err=True
        )
        raise typer.Exit(BAD_USAGE)
    from replay.progress import Watch
    from replay.run import Job, ReplayError
    from replay.run import replay as run

    if not workers:
        big = sum(p.stat().st_size for p in logs) >= BIG_BYTES
        workers = min(4, os.cpu_count() or 1) if big else 1
    job = Job(
        tuple(map(str, logs)), str(district), str(mapping) if mapping else None,
        str(out) if out else None, until, workers, batch_rows, events, guard,
        hindsight,
    )  # fmt: skip
    with spoken_faults(), Watch() as watch:
        try:
            replayed = run(job, watch.say)
        except ReplayError as fault:
            typer.echo(str(fault), err=True)
            raise typer.Exit(BAD_USAGE) from None
    if json:
        print_json(replayed.summary)
    else:
        from replay.show import show_findings, show_summary

        if show:
            show_findings(replayed.findings, SHOWN_MAX)
        show_summary(replayed.summary, replayed.refusals)
    if strict and replayed.refusals:
        raise typer.Exit(REFUSED)


@rules_app.command("list")
def rules_list(district: District = None, json: Json = False) -> None:
    """Every rule: id, offence, family, tiers, mode."""
    rows = _rules(district)
    if json:
        print_json({"rules": rows})
        return
    from replay.show import show_rules

    show_rules(rows)


@rules_app.command("show")
def rules_show(
    rule_id: str, district: District = None, ledger: rules.Ledger = None, json: Json = False
) -> None:
    """The card of one rule as an auditor reads it; with a ledger how often it was right."""
    row = next((r for r in _rules(district) if r["id"] == rule_id), None)
    if row is None:
        typer.echo(f"{rule_id}: no such rule; see `oriole rules list`", err=True)
        raise typer.Exit(BAD_USAGE)
    if ledger is not None:
        row |= rules.precision_of(ledger, rule_id)
    if json:
        print_json(row)
        return
    from replay.show import show_rule

    show_rule(row)


def _rules(district: Path | None) -> list[dict[str, Any]]:
    with spoken_faults():
        from detector.district import load_district
        from detector.shelf import configure, load_shelf
        from detector.stories import small_district
        from replay.show import card

        shelf = load_shelf()
        book = configure(shelf, load_district(district) if district else small_district())
        return [card(c, shelf[c.rule.id]) for c in book.live]


@rules_app.command("test")
def rules_test(
    rule_id: Annotated[str | None, typer.Argument()] = None,
    folder: Annotated[Path | None, typer.Option(help="Of rules; default the shelf.")] = None,
    json: Json = False,
) -> None:
    """Run the examples of one rule or of all."""
    with spoken_faults():
        from detector.shelf import load_shelf
        from detector.stories import tell_all

        shelf = load_shelf(folder)
        if rule_id is not None and rule_id not in shelf:
            typer.echo(f"{rule_id}: no such rule; see `oriole rules list`", err=True)
            raise typer.Exit(BAD_USAGE)
        told = tell_all(shelf, rule_id)
    failed = [t for t in told if t.fault]
    if json:
        faults = [{"rule": t.rule, "example": t.title, "fault": t.fault} for t in failed]
        print_json({"passed": len(told) - len(failed), "failed": len(failed), "faults": faults})
    else:
        for t in failed:
            typer.echo(f"{t.rule}: {t.title}: {t.fault}")
        typer.echo(f"{len(told) - len(failed)} passed, {len(failed)} failed")
    if failed:
        raise typer.Exit(CHECK_FOUND)


@rules_app.command("lock")
def rules_lock(
    check: Annotated[bool, typer.Option("--check", help="Only compare with rules.lock.")] = False,
    json: Json = False,
) -> None:
    """Write rules.lock, or with --check tell what differs from it."""
    with spoken_faults():
        from detector.shelf import LOCK, load_shelf, lock_faults, lock_text, rules_folder

        shelf, path = load_shelf(), rules_folder() / LOCK
    locks.lock(
        path, "rules", len(shelf), lock_text(shelf), lambda held: lock_faults(shelf, held), check,
        json,
    )  # fmt: skip


def main() -> None:
    """Entry point of the `oriole` command."""
    machine.keep_memory()
    app()


if __name__ == "__main__":
    main()
