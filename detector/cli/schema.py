"""`oriole schema`: JSON Schemas of every TOML file that a district or a mapping is written in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from detector.cli.common import Json, spoken_faults
from detector.cli.generated import write_or_check


def schemas() -> dict[str, str]:
    """Every schema file by its name. Raises `RuleFault` where the shelf does not load."""
    from detector.schema.catalogue import catalogue_schema
    from detector.schema.district import district_schema
    from detector.schema.ladder import profile_schema
    from detector.schema.parts import file
    from detector.schema.rulebook import rulebook_schema
    from detector.shelf import load_shelf
    from replay.mapping_schema import mapping_schema

    shelf = load_shelf()
    return {
        "catalogue.json": file(catalogue_schema()),
        "district.json": file(district_schema()),
        "mapping.json": file(mapping_schema()),
        "profile.json": file(profile_schema(shelf)),
        "rulebook.json": file(rulebook_schema(shelf)),
    }


def schema(
    out: Annotated[Path, typer.Option(help="Folder of the schemas.")] = Path("schemas"),
    check: Annotated[bool, typer.Option("--check", help="Only tell what is out of date.")] = False,
    json: Json = False,
) -> None:
    """Write JSON Schemas of the district's files and of mappings, for editors."""
    from detector.schema.parts import MARK

    with spoken_faults():
        wanted = schemas()
    write_or_check(out, wanted, MARK, check, json)
