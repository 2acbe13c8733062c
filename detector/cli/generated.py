"""Files that are generated and checked in: write them, or tell which are out of date."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import typer

from detector.cli.common import CHECK_FOUND, print_json, refuse


def differences(folder: Path, wanted: Mapping[str, str], mark: str) -> list[str]:
    """What differs between the folder and the wanted files (name → text), a sentence each.

    Of other files only those are told that bear `mark`: they were written once and are no longer.
    """
    faults = []
    for name, text in wanted.items():
        path = folder / name
        if not path.is_file():
            faults.append(f"{name}: missing")
        elif path.read_bytes() != text.encode():
            faults.append(f"{name}: stale")
    return faults + [f"{name}: belongs to nothing" for name in orphans(folder, wanted, mark)]


def orphans(folder: Path, wanted: Mapping[str, str], mark: str) -> list[str]:
    """Names of files that bear the mark and are wanted no more."""
    if not folder.is_dir():
        return []
    others = sorted(p for p in folder.iterdir() if p.is_file() and p.name not in wanted)
    return [p.name for p in others if mark.encode() in p.read_bytes()]


def write(folder: Path, wanted: Mapping[str, str], mark: str) -> None:
    """Make the folder hold the wanted files and none that bears the mark besides."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in orphans(folder, wanted, mark):
        (folder / name).unlink()
    for name, text in wanted.items():
        (folder / name).write_bytes(text.encode())


def write_or_check(
    folder: Path, wanted: Mapping[str, str], mark: str, check: bool, json: bool
) -> None:
    """The body of a command that generates: exit 1 where a check finds a difference."""
    faults = differences(folder, wanted, mark) if check else []
    if not check:
        try:
            write(folder, wanted, mark)
        except OSError as fault:
            refuse(f"{folder}: cannot be written: {fault.strerror or fault}")
    if json:
        print_json({"folder": str(folder), "files": len(wanted), "faults": faults})
    else:
        for told in faults:
            typer.echo(f"{folder}/{told}")
        told = f"{len(faults)} out of date" if check else "written"
        typer.echo(f"{folder}: {len(wanted)} files, {told}")
    if faults:
        raise typer.Exit(CHECK_FOUND)
