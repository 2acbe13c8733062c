"""What every command shares: exit codes, `--json`, and how a mistake is said."""

from __future__ import annotations

from typing import Annotated, Any, NoReturn

import typer

CHECK_FOUND, BAD_USAGE, REFUSED = 1, 2, 3
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout.")]


def print_json(told: Any) -> None:
    """One object, for programs."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())


def refuse(reason: str) -> NoReturn:
    """Say what is wrong with the usage or the configuration, and end."""
    typer.echo(reason, err=True)
    raise typer.Exit(BAD_USAGE)
