"""Files enclosed with answers (附件): kept by their hash, outside of what the web serves.

Folder: `<sha256>` a file; `notices/<notice>/<act>.json` what an act encloses; by which notices a
file may be read, `of/<sha256>/<notice>`. Servers beside each other share the folder. What is in it
is no part of the ledger; acts name files by their hashes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from detector.adapters.machine import chance
from detector.web.file_kinds import kind_of, shown_name

MIB = 1 << 20
ATTACHMENTS = "attachments"  # in the data folder
FILE_BYTES_MAX, FILES_MAX = 10 * MIB, 5
HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HALF = re.compile(r"half-[0-9a-f]{16}", re.ASCII)
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)


class Attached(msgspec.Struct, frozen=True):
    """A file as an act names it, and whether it was looked at for viruses."""

    name: str
    sha256: str
    bytes: int
    type: str
    scanned: bool = False

    def named(self) -> dict[str, str | int]:
        """What the act's line says of it."""
        return {"name": self.name, "sha256": self.sha256, "bytes": self.bytes, "type": self.type}


class Enclosed(msgspec.Struct, frozen=True):
    """What one act encloses."""

    actor: str
    files: list[Attached]


class Unfit(Exception):
    """A file that is not taken. `why`: `too_large`, `empty`, `unknown_kind` or `not_clean`."""

    def __init__(self, why: str, name: str) -> None:
        super().__init__(f"{name}: {why}")
        self.why, self.name = why, name


class Attachments:
    """The folder. Nothing here runs in the event loop: it waits for the disk."""

    def __init__(self, folder: Path, clean: Callable[[Path], bool] | None = None) -> None:
        self.folder, self._clean = folder, clean

    @property
    def scans(self) -> bool:
        """Whether files are looked at for viruses."""
        return self._clean is not None

    def take(self, file: BinaryIO, name: str) -> Attached:
        """Keep a file, durably; it is nobody's until an act encloses it. Raises `Unfit`."""
        with self._half() as half:
            size, digest = _copy(file, half)
            kind = kind_of(half) if 0 < size <= FILE_BYTES_MAX else None
            shown = shown_name(name, kind)
            if size > FILE_BYTES_MAX:
                raise Unfit("too_large", shown)
            if not size:
                raise Unfit("empty", shown)
            if kind is None:
                raise Unfit("unknown_kind", shown)
            if self._clean is not None and not self._clean(half):
                raise Unfit("not_clean", shown)
            _settle(half, self.folder / digest)
        return Attached(shown, digest, size, kind, self.scans)

    def enclose(self, notice: str, act: str, told: Enclosed) -> bool:
        """Write down what an act encloses, before it is judged; False where it enclosed something
        else when it was sent before, or a file is no longer kept."""
        path = self._act(notice, act)
        with suppress(FileNotFoundError):
            return _read(path).files == told.files
        with self._alone():  # a file is never removed between its mark and the act
            if not all(self.path(one.sha256).exists() for one in told.files):
                return False
            for one in told.files:
                mark = self.folder / "of" / one.sha256 / notice
                mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                mark.touch(mode=0o600)
        with self._half() as half:
            half.write_bytes(msgspec.json.encode(told))
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):  # sent twice at once: the first one counts
                os.link(half, path)
        return _read(path).files == told.files

    def forget(self, notice: str, act: str) -> None:
        """The act was refused: it encloses nothing."""
        self._act(notice, act).unlink(missing_ok=True)

    def of(self, notice: str) -> dict[str, Enclosed]:
        """What each act on a notice encloses, by the act's id."""
        if not _ID.fullmatch(notice):
            return {}
        paths = sorted((self.folder / "notices" / notice).glob("*.json"))
        return {path.stem: _read(path) for path in paths}

    def notices(self) -> list[str]:
        """The notices on which acts enclose something."""
        return sorted(path.name for path in (self.folder / "notices").glob("*"))

    def remove(self, notice: str) -> list[str]:
        """Keep no longer what acts on a notice enclose; the hashes of the files that are gone:
        those that no other notice encloses."""
        gone = []
        with self._alone():
            files = {one.sha256 for told in self.of(notice).values() for one in told.files}
            for sha256 in sorted(files):
                marks = self.folder / "of" / sha256
                (marks / notice).unlink(missing_ok=True)
                if not any(marks.glob("*")):
                    marks.rmdir()
                    self.path(sha256).unlink(missing_ok=True)
                    gone.append(sha256)
            acts = self.folder / "notices" / notice
            for path in acts.glob("*.json"):
                path.unlink()
            acts.rmdir()
        return gone

    def loose(self, before_us: int) -> list[str]:
        """What was taken before an instant of the wall clock and no act encloses: hashes of files,
        and names of what an upload that broke off left behind."""
        if not self.folder.is_dir():
            return []
        some = (one.name for one in os.scandir(self.folder) if one.is_file())
        return sorted(name for name in some if self._loose(name, before_us))

    def drop(self, names: Sequence[str], before_us: int) -> list[str]:
        """Keep no longer those of them that are loose still; what is gone."""
        gone = []
        with self._alone():
            for name in names:
                if self._loose(name, before_us):
                    shutil.rmtree(self.folder / "of" / name, ignore_errors=True)
                    (self.folder / name).unlink()
                    gone.append(name)
        return gone

    def _loose(self, name: str, before_us: int) -> bool:
        """A mark that is fresh stands for an act that is about to enclose the file."""
        if not HASH.fullmatch(name) and not _HALF.fullmatch(name):
            return False
        try:
            last = max(_touched_us(p) for p in (self.folder / name, *self._marks(name)))
        except FileNotFoundError:  # gone, or on its way to its name
            return False
        return last < before_us and not self.readers_of(name)

    def _marks(self, sha256: str) -> Iterator[Path]:
        return (self.folder / "of" / sha256).glob("*")

    def readers_of(self, sha256: str) -> dict[str, Attached]:
        """By which notices a file may be read, and as what."""
        if not HASH.fullmatch(sha256):
            return {}
        found = {}
        for mark in self._marks(sha256):
            files = (one for told in self.of(mark.name).values() for one in told.files)
            for one in files:
                if one.sha256 == sha256:
                    found[mark.name] = one
        return found

    def path(self, sha256: str) -> Path:
        """Where a file that `readers_of` knows lies."""
        return self.folder / sha256

    def _act(self, notice: str, act: str) -> Path:
        if not _ID.fullmatch(notice) or not _ID.fullmatch(act):
            raise ValueError("an id that is no file's name")
        return self.folder / "notices" / notice / f"{act}.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other server on this folder marks or removes files meanwhile."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / "lock").open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _half(self) -> Iterator[Path]:
        """A fresh name in the folder, gone afterwards."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        half = self.folder / f"half-{chance(8)}"
        try:
            yield half
        finally:
            half.unlink(missing_ok=True)


def _touched_us(path: Path) -> int:
    return path.stat().st_mtime_ns // 1000


def _read(path: Path) -> Enclosed:
    return msgspec.json.decode(path.read_bytes(), type=Enclosed)


def _copy(file: BinaryIO, half: Path) -> tuple[int, str]:
    """Its size and hash; a file that is too large is not written to its end."""
    size, told = 0, hashlib.sha256()
    handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "wb") as target:
        while part := file.read(MIB):
            size += len(part)
            if size > FILE_BYTES_MAX:
                break
            told.update(part)
            target.write(part)
        target.flush()
        os.fsync(handle)
    return size, told.hexdigest()


def _settle(half: Path, path: Path) -> None:
    """Give a whole file its name, durably."""
    os.replace(half, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def enclosures(files: Sequence[Attached]) -> list[dict[str, str | int]]:
    """What an act's line says of them."""
    return [one.named() for one in files]
