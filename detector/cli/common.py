"""What every command shares: exit codes, `--json`, and how a mistake is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

CHECK_FOUND, BAD_USAGE, REFUSED = 1, 2, 3
Scan = Annotated[
    str,
    typer.Option(
        "--scan-command", envvar="ORIOLE_SCAN_COMMAND",
        help="A program that is run with the path of each file of an answer; 0: it is clean.",
    ),
]  # fmt: skip
Keep = Annotated[
    int,
    typer.Option(
        "--attachments-days", envvar="ORIOLE_ATTACHMENTS_DAYS", min=0, max=100_000,
        help="Days that files of answers are kept after the last move of their closed notice; 0:"
        " for ever.",
    ),
]  # fmt: skip
KEPT_DAYS = 3_650
Speak = Annotated[
    str, typer.Option("--lang", envvar="LANG", help="zh or en; else as LANG says, Chinese first.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout.")]


def print_json(told: Any) -> None:
    """One object, for programs."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())


def spoken(lang: str) -> Literal["zh", "en"]:
    """The language that is asked for: `en`, or a locale of English; else Chinese."""
    return "en" if lang.lower().startswith("en") else "zh"


def refuse(reason: str) -> NoReturn:
    """Say what is wrong with the usage or the configuration, and end."""
    typer.echo(reason, err=True)
    raise typer.Exit(BAD_USAGE)


@contextmanager
def spoken_faults() -> Iterator[None]:
    """Mistakes in files and usage are said in their own words, and end with exit code 2."""
    from detector.learnkit import LearnerFault
    from detector.rulekit import RuleFault
    from detector.tomlfile import DistrictError

    try:
        yield
    except (DistrictError, LearnerFault, RuleFault) as fault:
        typer.echo(str(fault), err=True)
        raise typer.Exit(BAD_USAGE) from None


def example_county() -> Path:
    """The shipped example: in the installed package, else in the checkout."""
    package = Path(__file__).resolve().parent.parent
    packed = package / "_content" / "examples"
    return (packed if packed.is_dir() else package.parent / "examples") / "county"
