"""`oriole rules lock` and `oriole models lock`: a shelf's lock, written or compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer

from detector.cli.common import CHECK_FOUND, print_json


def lock(
    path: Path, noun: str, size: int, text: str, faults: Callable[[str], list[str]], check: bool,
    json: bool,
) -> None:  # fmt: skip
    """Write the lock of a shelf, or with `check` say what differs from it and end with 1."""
    found = faults(path.read_text("utf-8") if path.exists() else "") if check else []
    if not check:
        path.write_text(text, "utf-8")
    if json:
        print_json({"lock": str(path), noun: size, "faults": found})
    else:
        for fault in found:
            typer.echo(fault)
        told = f"{size} {noun}, {len(found)} differ" if check else "written"
        typer.echo(f"{path.name}: {told}")
    if found:
        raise typer.Exit(CHECK_FOUND)
