"""Journal frames (日志帧): the lines as they were received, chained by hash.

The canonical bytes of a frame are a text that a plain program can read. A line that begins with `@`
says when the lines below it arrived; the others are inputs, a JSON object each:

    @1767571200000000      these lines arrived at this instant (µs UTC)
    {"event_id": …}
    @line                  what these lines say of their arrival themselves holds (--clock events)
    {"kind":"tick","at":…}
    @>=1767571200000000    that too, but they came behind inputs of this instant, so not before it
    {"event_id": …}
    @content               the district and the rulebook that judge from here on

    hash = sha256(hash of the frame before ‖ canonical bytes), the first from 32 zero bytes
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import zstandard

from detector.ledger import Frame, LedgerError, Position

FRAME_INPUTS_MAX = 2_048
FRAME_BYTES_MAX = 192 << 20  # of canonical bytes: 2,048 lines of 64 KiB, or a district's folder
LINE, FLOOR, CONTENT = b"@line", b"@>=", b"@content"
_LEVEL = 1
_NEWLINE, _AT = b"\n@"


@dataclass(frozen=True)
class Block:
    """Lines that arrived alike: their stamp in µs UTC, None where each says it itself; then not
    before `floor`."""

    stamp: int | None
    data: bytes  # whole lines, each with its newline
    n: int
    floor: int | None = None
    content: bool = False

    @property
    def head(self) -> bytes:
        """The line that stands above them."""
        if self.content:
            return CONTENT
        if self.floor is not None:
            return FLOOR + b"%d" % self.floor
        return LINE if self.stamp is None else b"@%d" % self.stamp


def canonical(blocks: Iterable[Block]) -> bytes:
    """The bytes that are hashed and kept."""
    parts: list[bytes] = []
    head = b""
    for block in blocks:
        if block.head != head:
            head = block.head
            parts.append(head + b"\n")
        parts.append(block.data)
    return b"".join(parts)


def blocks_of(data: bytes) -> list[Block]:
    """The blocks of canonical bytes. Raises `LedgerError` where they are none."""
    blocks = []
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        head = data[at:end]
        if end < 0 or not head.startswith(b"@"):
            raise LedgerError("the frame does not begin with an @ line")
        following = data.find(b"\n@", end)
        at = len(data) if following < 0 else following + 1
        lines = data[end + 1 : at]
        blocks.append(_block(head, lines, lines.count(b"\n")))
    return blocks


def _block(head: bytes, lines: bytes, n: int) -> Block:
    """Lines below the @ line `head`."""
    floor = head.removeprefix(FLOOR) if head.startswith(FLOOR) else b""
    stamp = b"" if floor or head in (LINE, CONTENT) else head[1:]
    if not (floor or stamp or b"0").isdigit():
        raise LedgerError("the frame holds an unknown @ line")
    arrived, least = (int(told) if told else None for told in (stamp, floor))
    return Block(arrived, lines, n, least, head == CONTENT)


class Lines:
    """The single inputs of canonical bytes, found by their place."""

    def __init__(self, data: bytes) -> None:
        letters = np.frombuffer(data, np.uint8)
        self.data = data
        self._ends = np.flatnonzero(letters == _NEWLINE)
        begins = np.concatenate([[0], self._ends[:-1] + 1])
        heads = letters[begins] == _AT
        self._begins = begins
        self._inputs = np.flatnonzero(~heads)  # lines of the text that are inputs
        self._heads = np.maximum.accumulate(np.where(heads, np.arange(len(begins)), 0))

    def block(self, place: int) -> Block:
        """The block of one input."""
        line = int(self._inputs[place])
        head = self._line(int(self._heads[line]))
        return _block(head[:-1], self._line(line), 1)

    def _line(self, line: int) -> bytes:
        return self.data[int(self._begins[line]) : int(self._ends[line]) + 1]


def frames_of(blocks: Sequence[Block]) -> list[list[Block]]:
    """The blocks cut so that no frame holds more than `FRAME_INPUTS_MAX` inputs; content alone."""
    frames: list[list[Block]] = []
    room = 0
    for block in blocks:
        if block.content:
            frames.append([block])
            room = 0
            continue
        for part in _cut(block, room):
            if not room:
                frames.append([])
                room = FRAME_INPUTS_MAX
            frames[-1].append(part)
            room -= part.n
    return frames


def _cut(block: Block, room: int) -> list[Block]:
    """The block in pieces: the first fits into `room`, the others fill a frame."""
    if block.n <= (room or FRAME_INPUTS_MAX):
        return [block] if block.n else []
    ends = np.flatnonzero(np.frombuffer(block.data, np.uint8) == _NEWLINE) + 1
    parts, begin, done = [], 0, 0
    while done < block.n:
        take = min(block.n - done, room or FRAME_INPUTS_MAX)
        room = 0
        done += take
        end = int(ends[done - 1])
        parts.append(Block(block.stamp, block.data[begin:end], take, block.floor))
        begin = end
    return parts


def pack_back(back: np.ndarray) -> bytes:
    """Distances (int64, 0 where there is none before) as bytes."""
    small = not len(back) or int(back.max()) < 1 << 32
    return zstandard.compress(back.astype("<u4" if small else "<i8").tobytes(), _LEVEL)


def unpack_back(frame: Frame) -> np.ndarray:
    """The distances of a frame (int64)."""
    told = _unpack(frame.back, 8 * frame.n, frame.seq)
    wide = len(told) == 8 * frame.n
    if not wide and len(told) != 4 * frame.n:
        raise LedgerError(f"journal frame {frame.seq}: back: is of another length than the frame")
    return np.frombuffer(told, "<i8" if wide else "<u4").astype(np.int64)


def seal(seq: int, first_event: int, n: int, at_lo: int, at_hi: int, *blobs: bytes) -> bytes:
    """SHA-256 over a row's columns, in their order."""
    whole = hashlib.sha256(struct.pack("<5q", seq, first_event, n, at_lo, at_hi))
    for blob in blobs:
        whole.update(struct.pack("<q", len(blob)))
        whole.update(blob)
    return whole.digest()


def make_frame(
    before: Position, blocks: Sequence[Block], at: np.ndarray, back: np.ndarray
) -> Frame:
    """The frame of these blocks behind `before`. `at`: received_at of each input (int64)."""
    return finish_frame(before, compress(canonical(blocks), before.hash), at, back)


@dataclass(frozen=True)
class Packed:
    """What can be made of a frame before it is judged."""

    data: bytes
    hash: bytes


def compress(text: bytes, previous: bytes) -> Packed:
    """Pack and chain canonical bytes; heavy, and free of the interpreter's lock."""
    return Packed(zstandard.compress(text, _LEVEL), chain(previous, text))


def finish_frame(before: Position, packed: Packed, at: np.ndarray, back: np.ndarray) -> Frame:
    """A frame once its inputs were judged."""
    numbers = (before.seq + 1, before.next_event, len(at), int(at.min()), int(at.max()))
    links = pack_back(back)
    sealed = seal(*numbers, packed.hash, packed.data, links)
    return Frame(*numbers, packed.hash, packed.data, links, sealed)


def chain(previous: bytes, text: bytes) -> bytes:
    """The hash of a frame of this text behind a frame of that hash."""
    whole = hashlib.sha256(previous)
    whole.update(text)
    return whole.digest()


def text_of(frame: Frame) -> bytes:
    """The canonical bytes of a frame. Raises `LedgerError` where they cannot be unpacked."""
    return unpacked(frame.data, frame.seq)


def unpacked(data: bytes, seq: int) -> bytes:
    """The same of a frame's packed bytes."""
    return _unpack(data, FRAME_BYTES_MAX, seq)


def contents_among(frames: Iterable[Frame]) -> list[int]:
    """Which of these frames hold a content. Raises `LedgerError` where one cannot be unpacked."""
    return [f.seq for f in frames if f.n == 1 and text_of(f).startswith(CONTENT)]


def _unpack(data: bytes, most: int, seq: int) -> bytes:
    try:
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=most)
    except zstandard.ZstdError as fault:
        raise LedgerError(f"journal frame {seq}: cannot be unpacked: {fault}") from None


def checked(frame: Frame, before: Position) -> bytes:
    """The frame's canonical bytes, once each of its columns was found to be as it was written.

    Raises `LedgerError` naming the frame, its inputs and the column.
    """
    name = (
        f"journal frame {frame.seq} (inputs {frame.first_event}–{frame.first_event + frame.n - 1})"
    )
    if frame.seq != before.seq + 1:
        raise LedgerError(f"{name}: seq: frame {before.seq + 1} is missing before it")
    if frame.first_event != before.next_event:
        raise LedgerError(f"{name}: first_event: is not {before.next_event}")
    numbers = (frame.seq, frame.first_event, frame.n, frame.at_lo, frame.at_hi)
    if seal(*numbers, frame.hash, frame.data, frame.back) != frame.seal:
        raise LedgerError(f"{name}: seal: some column of the row was changed")
    text = text_of(frame)
    if chain(before.hash, text) != frame.hash:
        raise LedgerError(f"{name}: hash: does not follow from the frame before and the inputs")
    return text
