"""`oriole simulate`: a made-up county's stream with labelled wrong-doing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from detector.cli.common import Json, example_county, print_json, refuse


def simulate(
    out: Annotated[Path, typer.Option("--out", help="Where the events go, as NDJSON.")],
    cases: Annotated[int, typer.Option(min=1, max=5_000_000, help="How many cases.")] = 1_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 1,
    days: Annotated[int, typer.Option(min=1, max=360, help="Days in which cases begin.")] = 60,
    truth: Annotated[Path | None, typer.Option(help="Where the truth about them goes.")] = None,
    facts: Annotated[
        Path | None,
        typer.Option(help="Where receipts, log-ins … go; the truth is then about these, too."),
    ] = None,
    json: Json = False,
) -> None:
    """Write the stream of a made-up county from 2026-01-05 on, and the truth about it."""
    from time import perf_counter

    from detector.district import load_district
    from detector.simulate.county import simulate as make
    from detector.simulate.facts import report
    from detector.simulate.text import blocks, truth_lines

    begun = perf_counter()
    try:
        county = make(cases, seed, days, load_district(example_county()))
        reports = report(county) if facts is not None else None
        with out.open("wb") as target:
            for block in blocks(county):
                target.write(block)
        if truth is not None:
            truth.write_bytes(truth_lines(county, reports))
        if facts is not None and reports is not None:
            facts.write_bytes(reports.lines())
    except ValueError as fault:
        refuse(f"--days: {fault}")
    except OSError as fault:
        refuse(f"{fault.filename}: cannot be written: {fault.strerror}")
    offences: Counter[str] = Counter()
    for told in [county.truth, *([reports.rows] if reports else [])]:
        for rule, rows in zip(told.rules, told.rows, strict=True):
            offences[rule] += len(rows)
    offences.update(one.rule for one in (reports.offences if reports else []))
    seconds = round(perf_counter() - begun, 2)
    if json:
        print_json(
            {"events": len(county.stream), "cases": cases, "seed": seed, "days": days,
             "offences": dict(sorted(offences.items())), "seconds": seconds}
        )  # fmt: skip
        return
    typer.echo(f"{out}: {len(county.stream):,} events of {cases:,} cases in {seconds} s")
    for rule, n in sorted(offences.items()):
        typer.echo(f"  {rule:20}{n:>8,}")
