"""Bytes of a log, unpacked while they are read and cut into blocks of whole lines.

Nothing here holds more than a block, one line of bounded length and a bounded piece of unpacked
bytes, whatever the file says of itself.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard

from detector.event import LINE_BYTES_MAX

BLOCK_BYTES = 1_300_000  # about 4,000 lines: larger blocks leave the cache
_READ_BYTES = 1 << 16
_UNPACKED_BYTES_MAX = 1 << 20  # what one step of gzip may give
_ZSTD_STEP_BYTES = 1 << 10  # zstd has no such limit: a step gives at most 32 MiB of so little
_KEPT_BYTES = LINE_BYTES_MAX + 1  # of an over-long line: enough to be refused
_PACKINGS = (".gz", ".zst")
_BOM = b"\xef\xbb\xbf"


class ReplayError(Exception):
    """A log that cannot be replayed as asked; `str()` is the sentence for who asked."""


class Damaged(Exception):
    """The rest of a file cannot be read; what came before has been handed over.

    `line` (from 1) and `number` (of a block) are those that would have come next.
    """

    def __init__(self, reason: str, line: int = 1, number: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.line, self.number = reason, line, number


@dataclass(frozen=True)
class Source:
    """A log on disk: what it is by its name, and its bytes."""

    path: Path

    @property
    def packing(self) -> str:
        """`.gz`, `.zst` or nothing."""
        suffix = self.path.suffix.lower()
        return suffix if suffix in _PACKINGS else ""

    @property
    def format(self) -> str:
        """The suffix below the packing: `.ndjson`, `.csv` …"""
        name = self.path.name.lower().removesuffix(self.packing)
        return Path(name).suffix

    def check(self) -> None:
        """Raises `ReplayError` where the file cannot be opened."""
        try:
            self.path.open("rb").close()
        except OSError as fault:
            raise ReplayError(f"{self.path}: cannot be read: {fault.strerror or fault}") from None

    def pieces(self, size: int = BLOCK_BYTES) -> Iterator[bytes]:
        """The unpacked bytes in pieces of `size`, the last one shorter. Raises `Damaged`."""
        try:
            with self.path.open("rb") as file:
                if self.packing:
                    yield from _regroup(_UNPACK[self.packing](file), size)
                    return
                while piece := file.read(size):
                    yield piece
        except OSError as fault:
            raise ReplayError(f"{self.path}: cannot be read: {fault.strerror or fault}") from None


def _regroup(parts: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of one size, so that no cut depends on the packing."""
    held = bytearray()
    damage = None
    while True:
        try:
            part = next(parts, None)
        except Damaged as fault:
            part, damage = None, fault
        if part is None:
            break
        held += part
        begin = 0
        while len(held) - begin >= size:
            yield bytes(held[begin : begin + size])
            begin += size
        del held[:begin]
    if held:
        yield bytes(held)
    if damage:
        raise damage


def _gunzip(file: BinaryIO) -> Iterator[bytes]:
    member, members = None, 0
    while data := file.read(_READ_BYTES):
        while data:
            if member is None:
                data = data.lstrip(b"\0") if members else data  # padding after a member
                if not data:
                    break
                member, members = zlib.decompressobj(31), members + 1
            spare = member.copy()
            try:
                part = member.decompress(data, _UNPACKED_BYTES_MAX)
            except zlib.error as fault:
                yield from _salvaged(spare, data)
                raise Damaged(str(fault)) from None
            yield part
            data = member.unused_data if member.eof else member.unconsumed_tail
            if member.eof:
                member = None
    if member is not None:
        yield member.flush()
    if not members or (member is not None and not member.eof):
        raise Damaged("it ends in the middle of a gzip member")


def _salvaged(member: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """What comes out before the byte that cannot be unpacked."""
    try:
        for place in range(len(data)):
            yield member.decompress(data[place : place + 1])
    except zlib.error:
        return


def _unzstd(file: BinaryIO) -> Iterator[bytes]:
    frame, frames = None, 0
    while data := file.read(_ZSTD_STEP_BYTES):
        while data:
            if frame is None:
                frame, frames = zstandard.ZstdDecompressor().decompressobj(), frames + 1
            try:
                yield frame.decompress(data)
            except zstandard.ZstdError as fault:
                raise Damaged(str(fault)) from None
            data = frame.unused_data if frame.eof else b""
            if frame.eof:
                frame = None
    if frame is not None or not frames:
        raise Damaged("it ends in the middle of a zstd frame")


_UNPACK = {".gz": _gunzip, ".zst": _unzstd}


@dataclass(frozen=True)
class Block:
    """Whole lines of a file, and where they stand in it."""

    number: int  # from 0; the same whoever reads
    line: int  # of its first line, from 1
    data: bytes


def blocks(
    source: Source, size: int = BLOCK_BYTES, share: tuple[int, int] = (0, 1)
) -> Iterator[Block]:
    """The blocks that fall to this share. Raises `Damaged` after the last.

    Block n ends with the last line end before byte (n + 1) · size, so the cuts depend on the file
    alone. Of a line longer than `LINE_BYTES_MAX` only so much is kept that it will be refused.
    """
    carry, line, number, damage = b"", 1, 0, None
    pieces = source.pieces(size)
    while True:
        try:
            piece = next(pieces, None)
        except Damaged as fault:
            piece, damage = None, fault
        if piece is None:
            break
        if not number:
            piece = piece.removeprefix(_BOM)
        cut = piece.rfind(b"\n") + 1
        if cut:
            begin = piece.find(b"\n") if len(carry) >= _KEPT_BYTES else 0
            if number % share[1] == share[0]:
                yield Block(number, line, b"".join((carry, memoryview(piece)[begin:cut])))
            line += piece.count(b"\n")
            carry = piece[cut : cut + _KEPT_BYTES]
        else:
            carry = (carry + piece[:_KEPT_BYTES])[:_KEPT_BYTES]
        number += 1
    if carry:
        if number % share[1] == share[0]:
            yield Block(number, line, carry)
        line, number = line + 1, number + 1
    if damage:
        raise Damaged(damage.reason, line, number)


def has_long_line(data: bytes) -> bool:
    """Whether some line may be longer than `LINE_BYTES_MAX`; never False where one is."""
    window = LINE_BYTES_MAX // 2
    ends = range(window, len(data) + 1, window)
    return any(data.find(b"\n", end - window, end) < 0 for end in ends)
