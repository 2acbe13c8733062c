"""`oriole verify`, `backup` and `restore`: a ledger proved, copied and put back."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli.common import (
    CHECK_FOUND,
    Json,
    example_county,
    print_json,
    refuse,
    spoken_faults,
)

if TYPE_CHECKING:
    from replay.verify import Say, Verified

Data = Annotated[Path, typer.Option("--data", envvar="ORIOLE_DATA", help="The data folder.")]
Ledger = Annotated[
    str, typer.Option(envvar="ORIOLE_LEDGER", help="postgresql://…; else a file in --data.")
]
DATA = Path("oriole-data")


def verify(
    ledger: Annotated[
        str, typer.Argument(help="A data folder (server stopped), its ledger, or postgresql://…")
    ],
    json: Json = False,
) -> None:
    """Walk the journal's chain and derive every finding again; exit 1 names what differs."""
    from detector.ledger import LedgerError
    from replay.progress import Watch

    try:
        with Watch() as watch:
            path, told = _proved(ledger, watch.say)
    except LedgerError as fault:
        refuse(str(fault))
    if json:
        print_json({"sound": not told.fault, "ledger": str(path)} | asdict(told))
    elif told.fault:
        typer.echo(f"{path}: {told.fault}")
    else:
        rate = round(told.inputs / max(told.seconds, 1e-9))
        typer.echo(
            f"{path}: sound: {told.inputs:,} inputs in {told.frames:,} frames,"
            f" {told.findings:,} findings, {told.notices:,} notices, digest {told.digest}"
            f" ({told.seconds:.1f} s, {rate:,} inputs/s)"
        )
    if told.fault:
        raise typer.Exit(CHECK_FOUND)


def _proved(ledger: str, say: Say) -> tuple[str, Verified]:
    """How the proof of a ledger went, and what it is called: an address may hold a password."""
    from detector.ledger import LedgerError
    from detector.ledger.sqlite_file import Folder
    from detector.places import POSTGRES, DatabasePlace
    from replay.verify import prove, verify

    if ledger.startswith(POSTGRES):
        with closing(DatabasePlace(ledger).reader()) as reader:
            names = reader.shards()
        if not names:
            raise LedgerError("the database holds no ledger yet")
        told = prove([DatabasePlace(ledger, name).reader() for name in names], say)
        return f"{len(names)} shards" if len(names) > 1 else f"shard {names[0]}", told
    if "://" in ledger or "password=" in ledger:
        raise LedgerError("write the address as postgresql://…")
    folder = Folder(Path(ledger)) if Path(ledger).is_dir() else None
    told = verify(Path(ledger), say)
    if folder:
        folder.close()
    return ledger, told


def migrate(
    ledger: Annotated[str, typer.Argument(envvar="ORIOLE_LEDGER", help="postgresql://…")],
    broker: Annotated[
        str, typer.Option(envvar="ORIOLE_BROKER", help="Make the topics of a scale-out too.")
    ] = "",
    district: Annotated[Path | None, typer.Option(help="What judges: its folder.")] = None,
    cases: Annotated[int, typer.Option(min=1, max=1_024, help="Shards of cases.")] = 4,
    operators: Annotated[int, typer.Option(min=1, max=1_024, help="Shards of operators.")] = 2,
) -> None:
    """Make the tables of a ledger in PostgreSQL, or bring them up to date; with --broker the shards
    and topics of a scale-out too."""
    from detector.ledger import LedgerError
    from detector.places import POSTGRES, DatabasePlace

    if not ledger.startswith(POSTGRES):
        refuse("the address begins with postgresql://; a file is brought up to date by itself")
    try:
        DatabasePlace(ledger).migrate()
        if broker:
            _shards(ledger, broker, district or example_county(), (cases, operators))
    except LedgerError as fault:
        refuse(str(fault))
    typer.echo("the tables are up to date 表已是最新")


def _shards(ledger: str, broker: str, district: Path, shards: tuple[int, int]) -> None:
    from detector.adapters.kafka import Unreachable
    from detector.begin import begin_shards, make_all_topics

    with spoken_faults():
        begin_shards(ledger, district, shards)
    try:
        make_all_topics(broker, shards)
    except Unreachable as fault:
        refuse(str(fault))


def export(
    ledger: Annotated[str, typer.Argument(help="postgresql://…: an empty, migrated database.")],
    data: Data = DATA,
    json: Json = False,
) -> None:
    """Copy a folder's ledger into a database, the server stopped; nothing is sent again."""
    from detector.ledger import LedgerError
    from detector.places import POSTGRES, DatabasePlace

    if not ledger.startswith(POSTGRES):
        refuse("the address begins with postgresql://")
    try:
        position = DatabasePlace(ledger).take_over(data)
    except LedgerError as fault:
        refuse(str(fault))
    _said({"folder": str(data), "frames": position.seq, "inputs": position.next_event}, json)


def backup(
    target: Annotated[Path, typer.Argument(help="File to write; it must not exist.")],
    data: Data = DATA,
    json: Json = False,
) -> None:
    """Copy a ledger, also while the server runs on it; accounts go into a file beside it, files of
    answers into a folder."""
    from detector.accounts.opening import FILE as ACCOUNTS
    from detector.ledger import LedgerError
    from detector.ledger.sqlite_file import FILE, copy_ledger
    from detector.web.attachment_copies import copy_attachments
    from detector.web.attachments import ATTACHMENTS

    beside, accounts = accounts_of(target), data / ACCOUNTS
    files, kept = attachments_of(target), data / ATTACHMENTS
    for one in (target, beside, files):
        if one.exists():
            refuse(f"{one}: exists; name a file that does not")
    told: dict[str, object] = {"file": str(target)}
    try:
        seq, inputs = _copy(data / FILE, target)
        if accounts.exists():
            beside.touch(0o600)
            copy_ledger(accounts, beside)
            told["accounts"] = str(beside)
        if kept.exists():  # behind the ledger, so no act in it names a file that is not here
            told |= {"attachments": str(files), "files": copy_attachments(kept, files)}
    except LedgerError as fault:
        refuse(str(fault))
    _said(told | {"frames": seq, "inputs": inputs}, json)


def accounts_of(target: Path) -> Path:
    """Where a backup's accounts are kept: beside it."""
    return target.with_name(f"{target.name}.accounts")


def attachments_of(target: Path) -> Path:
    """Where a backup's files of answers are kept: beside it."""
    return target.with_name(f"{target.name}.attachments")


def restore(
    source: Annotated[Path, typer.Argument(help="A file that `oriole backup` wrote.")],
    data: Data = DATA,
    json: Json = False,
) -> None:
    """Put a backup into a data folder that holds no ledger: accounts and files of answers too."""
    from detector.accounts.opening import FILE as ACCOUNTS
    from detector.ledger import LedgerError
    from detector.ledger.sqlite_file import FILE, Folder, copy_ledger
    from detector.web.attachment_copies import copy_attachments
    from detector.web.attachments import ATTACHMENTS

    beside, accounts = accounts_of(source), data / ACCOUNTS
    files, kept = attachments_of(source), data / ATTACHMENTS
    try:
        with closing(Folder(data)) as folder:
            pairs = ((source, folder.file), (beside, accounts), (files, kept))
            for one in (new for held, new in pairs if held.exists() and new.exists()):
                refuse(f"{one}: exists; restore into a folder without it")
            if files.exists():  # first: no act of the ledger names a file that is not here
                copy_attachments(files, kept)
            seq, inputs = _copy(source, data / FILE)
            if beside.exists():
                accounts.touch(0o600)
                copy_ledger(beside, accounts)
    except LedgerError as fault:
        refuse(str(fault))
    _said({"folder": str(data), "frames": seq, "inputs": inputs}, json)


def _copy(source: Path, target: Path) -> tuple[int, int]:
    """Copy whole or not at all, and see that the copy ends where it says."""
    from detector.ledger import LedgerError, after
    from detector.ledger.sqlite_file import copy_ledger, open_reader

    open_reader(source).close()  # says so where there is none
    half = target.with_name(target.name + ".half")
    half.unlink(missing_ok=True)
    try:
        copy_ledger(source, half)
        copy = open_reader(half)
        position = copy.position()
        last = list(copy.frames(position.seq, position.seq))
        copy.close()
        if position.seq and after(position, last) != position:
            raise LedgerError(f"{source}: its last frame does not fit its position")
        handle = os.open(half, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
        half.replace(target)
    except OSError as fault:
        raise LedgerError(f"{target}: cannot be written: {fault.strerror}") from fault
    finally:
        for rest in (half, *(half.with_name(half.name + s) for s in ("-wal", "-shm"))):
            rest.unlink(missing_ok=True)
    return position.seq, position.next_event


def _said(told: dict[str, object], json: bool) -> None:
    if json:
        print_json(told)
    else:
        typer.echo(", ".join(f"{name}: {value}" for name, value in told.items()))
