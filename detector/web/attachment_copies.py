"""The folder of files of answers, copied for a backup and put back (附件备份)."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from detector.ledger import LedgerError
from detector.web.attachments import HASH, MIB


def copy_attachments(source: Path, target: Path) -> int:
    """Copy the folder, also while servers add to it; how many files of answers are in it.

    Acts are copied before the files that they name, which were there first. Whole or not at all:
    raises `LedgerError` where a file's content is not what its name says, or it cannot be written.
    """
    half = target.with_name(target.name + ".half")
    try:
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700)
        for name in ("notices", "of"):
            if (source / name).is_dir():
                shutil.copytree(source / name, half / name)
        files = [path for path in sorted(source.iterdir()) if HASH.fullmatch(path.name)]
        for path in files:
            _copy(path, half / path.name)
        half.replace(target)
    except OSError as fault:
        raise LedgerError(f"{target}: cannot be written: {fault.strerror or fault}") from fault
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return len(files)


def _copy(path: Path, target: Path) -> None:
    """One file, durably, its hash looked at."""
    told = hashlib.sha256()
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with path.open("rb") as source, open(handle, "wb") as copy:
        while part := source.read(MIB):
            told.update(part)
            copy.write(part)
        copy.flush()
        os.fsync(handle)
    if told.hexdigest() != path.name:
        raise LedgerError(f"{path}: its content is not what its name says")
