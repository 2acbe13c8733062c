"""NDJSON bytes → columns in one compiled pass: the kernels of the quick road.

They accept a strict subset of what `event.read` takes and leave every line that they are not sure
of to `decode`. `p` is always an address: of a byte of the block, behind which `SPARE` bytes follow.
Tables and bounds of other modules come in as arguments, never compiled in: numba's cache looks at
this file alone, and at what a kernel closes over.
"""

from __future__ import annotations

import inspect
import zlib
from typing import Any

import numpy as np

from detector import compiled, known, syntax, written
from detector.compiled import inner, outer, peek, put
from detector.syntax import line_end, skip, text_end, value_end
from detector.texts import enter_all, entry_of, find, forget, hash_text, mix, plant_all
from detector.written import (
    ABSENT,
    ACTION,
    AHEAD,
    CHANNEL,
    DISTRICT,
    EVENT_ID,
    FIRST,
    IMPORTED,
    LINE_MAX,
    OCCURRED,
    PROCEDURE,
    REASON,
    RECEIVED,
    RECORDED,
    RELIEF,
    RESULT,
    SOURCE,
    STAMP,
    STEP,
    field_of,
    may_drop,
    read_value,
)  # fmt: skip

SPARE = 64  # bytes after the lines: a newline, then zeros; loads of eight bytes stay within
TOLD_BYTES_MAX = 1_024  # of the seldom texts of one line together
# Columns of `big`, after times and numbers.
CONTENT, POSITION, ID_AT, ID_LENGTH, BIG = 9, 10, 11, 12, 13

_U = np.uint64
_LOW, _ONE, _ZERO = _U(0xFFFFFFFF), _U(1), _U(0)
_FLIP = _U(0x5BD1E995)

# --- lines ----------------------------------------------------------------------------------------


@inner
def _members(p: int, given: Any, spot: np.ndarray) -> int:
    """Read a line's object into `spot`: where the line ends, -1 where unsure."""
    _, keys, drops, _, _ = given
    seen = 0
    p = skip(p)
    if peek(p) != 123:
        return -1
    while True:
        p = skip(p + 1)
        if peek(p) != 34:
            return -1
        end, _ = text_end(p + 1, False)
        if end < 0:
            return -1
        key = field_of(keys, p + 1, end - p - 1)
        lost = key == -2 or (key == -1 and may_drop(drops, p + 1, end - p - 1))
        p = skip(end + 1)
        if lost or peek(p) != 58:
            return -1
        p = skip(p + 1)
        if key < 0:
            p = value_end(p)
        else:
            if seen >> key & 1:
                return -1
            seen |= 1 << key
            p = read_value(p, key, spot, given)
        if p < 0:
            return -1
        p = skip(p)
        if peek(p) == 125:
            break
        if peek(p) != 44:
            return -1
    p += 1
    while peek(p) == 32 or peek(p) == 13:
        p += 1
    return p if peek(p) == 10 else -1


@inner
def _told(told: Any, spot: np.ndarray, key: int) -> int:
    """The entry of result and seldom texts of a line, as written, together: -1 none, -2 unsure."""
    slots, heads, arena, used = told
    length = 0
    for tag in range(1, OCCURRED - REASON + 2):
        field = REASON + tag - 1 if tag <= OCCURRED - REASON else RESULT
        p, end = spot[field, 0], spot[field, 1]
        if p != ABSENT:
            if length + end - p + 1 > TOLD_BYTES_MAX:
                return -2
            put(key + length, tag)
            for i in range(end - p):
                put(key + length + 1 + i, peek(p + i))
            length += end - p + 1
    if length == 0:
        return -1
    entry = find(slots, heads, arena, used, key, length, 0, hash_text(key, length), True)
    return entry if entry >= 0 else -2


@inner
def _clock(spot: np.ndarray, bounds: np.ndarray) -> bool:
    """Settle when the line was received; are its times given and not far after that?"""
    occurred, recorded = spot[OCCURRED, 0], spot[RECORDED, 0]
    if bounds[STAMP] != ABSENT:
        spot[RECEIVED, 0] = bounds[STAMP]
    elif spot[RECEIVED, 0] == ABSENT:
        spot[RECEIVED, 0] = recorded
    latest = spot[RECEIVED, 0] + bounds[AHEAD]
    return occurred != ABSENT and recorded != ABSENT and occurred <= latest and recorded <= latest


@inner
def _numbers_hash(spot: np.ndarray, action: int) -> Any:
    """What action, times, numbers and the flag add to the hash of the content."""
    total = mix(_U(action) ^ _FLIP, 20) if action else _ZERO
    salt = 21
    for field in range(OCCURRED, IMPORTED):
        if field != RECEIVED:
            if spot[field, 0] != ABSENT:
                total += mix(_U(spot[field, 0]) ^ _FLIP, salt)
            salt += 1
    return total + mix(_ONE ^ _FLIP, salt) if spot[IMPORTED, 0] == 1 else total


@inner
def _file(line: int, row: int, given: Any, words: Any, told: Any, out: Any) -> bool:
    """Enter a line that was read as a row of the columns, False where unsure; then nothing stays
    of it in the tables."""
    big, small, tiny, _, spot, key = out
    bounds, width = given[0], words[3]
    if spot[0, 0] == ABSENT or spot[1, 0] == ABSENT or spot[2, 0] == ABSENT:
        return False
    if spot[ACTION, 0] == ABSENT or not _clock(spot, bounds):
        return False
    action, mixed = entry_of(words, spot, ACTION, ACTION, False)
    if action < 0:
        return False
    content = _numbers_hash(spot, action)
    if spot[STEP, 0] == ABSENT:
        content += mix(mixed, 5 + STEP)
    before = width[0], width[1]
    for field in range(DISTRICT):
        entry = -1
        if spot[field, 0] != ABSENT:
            entry, mixed = entry_of(words, spot, field, field, field != PROCEDURE)
            if entry < 0:
                forget(words, before)
                return False
            if field:
                content += mix(mixed, 5 + field)
        small[field, row] = entry
    for field, place in ((SOURCE, SOURCE), (CHANNEL, SOURCE + 1)):
        entry = -1
        if spot[field, 0] != ABSENT:
            entry, _ = entry_of(words, spot, field, field, True)
            if entry < 0:
                forget(words, before)
                return False
        small[place, row] = entry
    small[DISTRICT, row] = _told(told, spot, key)
    if small[DISTRICT, row] == -2:
        forget(words, before)
        return False
    for field in range(DISTRICT, REASON):
        if spot[field, 0] != ABSENT:
            length = spot[field, 1] - spot[field, 0]
            content += mix(hash_text(spot[field, 0], length), 6 + field)
    for field in range(OCCURRED, IMPORTED):
        big[field - OCCURRED, row] = spot[field, 0]
    big[CONTENT, row], big[POSITION, row] = np.int64(content), bounds[FIRST] + line
    length = spot[EVENT_ID, 1] - spot[EVENT_ID, 0] if spot[EVENT_ID, 0] != ABSENT else 0
    big[ID_AT, row], big[ID_LENGTH, row] = spot[EVENT_ID, 0], length
    width[2] = max(width[2], length)
    tiny[0, row], tiny[1, row] = action, spot[RELIEF, 0] != ABSENT
    tiny[2, row] = spot[IMPORTED, 0] == 1
    return True


@inner
def _scan(begin: int, size: int, given: Any, words: Any, told: Any, out: Any) -> Any:
    """How many lines became rows, and how many wait in `slow` (number, begin, end)."""
    slow, spot = out[3], out[4]
    p, line, rows, unsure = begin, 0, 0, 0
    while p < begin + size:
        spot[:, 0] = ABSENT
        end = _members(p, given, spot)
        if (
            end < 0
            or end - p > given[0][LINE_MAX]
            or not _file(line, rows, given, words, told, out)
        ):
            end = line_end(p)
            if end > p:
                slow[0, unsure] = line
                slow[1, unsure], slow[2, unsure] = p - begin, end - begin
                unsure += 1
        else:
            rows += 1
        line += 1
        p = end + 1
    return rows, unsure


@inner
def _finish(rows: int, codes: np.ndarray, meant: Any, out: Any, ids: np.ndarray) -> None:
    """Entries → codes, the seldom texts into the hash of the content, and the column of ids."""
    said, extras = meant
    big, small, tiny = out[0], out[1], out[2]
    for row in range(rows):
        for field in range(DISTRICT):
            entry = small[field, row]
            if entry >= 0:
                small[field, row] = codes[entry]
            elif field == STEP:
                small[field, row] = tiny[0, row]
        for place in range(SOURCE, SOURCE + 2):
            if small[place, row] >= 0:
                small[place, row] = codes[small[place, row]]
        entry = small[DISTRICT, row]
        if entry >= 0:
            content = _U(big[CONTENT, row]) + mix(_U(extras[entry]), 3)
            big[CONTENT, row] = np.int64(content)
            small[DISTRICT, row] = said[entry]
        for i in range(big[ID_LENGTH, row]):
            ids[row, i] = peek(big[ID_AT, row] + i)


def _kernels(edition: int) -> tuple[Any, Any, Any, Any]:
    """The kernels; they close over the edition of what lies in other files, so a change there
    compiles anew."""

    def scan(begin: Any, size: Any, given: Any, words: Any, told: Any, out: Any) -> Any:
        words[3][3] = edition
        return _scan(begin, size, given, words, told, out)

    def finish(rows: Any, codes: Any, meant: Any, out: Any, ids: Any) -> Any:
        return _finish(rows, codes, meant, out, ids) if edition >= 0 else None

    def enter(table: Any, texts: Any, ends: Any, kind: Any) -> Any:
        table[3][3] = edition
        return enter_all(table, texts, ends, kind)

    def replant(table: Any) -> Any:
        table[3][3] = edition
        return plant_all(table)

    return outer(scan), outer(finish), outer(enter), outer(replant)


_sources = "".join(inspect.getsource(module) for module in (compiled, known, syntax, written))
scan, finish, enter, replant = _kernels(zlib.crc32(_sources.encode()))
