"""Whether what a Parquet file says of its own row groups and pages can be true.

A reader that believes a false count may ask for more memory than there is, and that ends the
process. So every count is compared with its neighbours before anybody reserves room for it.
"""

from __future__ import annotations

import mmap
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from replay.readers.streams import Damaged
from replay.readers.thrift import Broken, Reader

_MAGIC = b"PAR1"
_PAGE_VALUES_MAX = 1 << 24
_PAGE_BYTES_MAX = 1 << 29
_NESTED_VALUES_MAX = 1 << 28  # of a column of lists in one row group
_REPEATED = 2
_DATA, _DICTIONARY, _DATA_2 = 0, 2, 3
_SENSELESS = (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError)
Lost = tuple[int, int, str]  # rows from, to (counted from 0), and why


class Contents:
    """The table of contents of a file. Raises `Damaged` where it is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - 8))
                tail = file.read()
                size = int.from_bytes(tail[:4], "little")
                at = file.tell() - 8 - size
                if tail[4:] != _MAGIC or at < len(_MAGIC):
                    raise Broken("its end is missing")
                file.seek(at)
                self._footer = Reader(file.read(size)).struct()
            self.rows = int(self._footer[3])
            self.names = [top[4].decode() for top in _tops(self._footer[2])]
            rows = [int(group[3]) for group in self._footer.get(4, [])]
            if any(n < 0 for n in rows) or sum(rows) != self.rows:
                raise Broken("its row groups have not as many rows as itself")
        except Broken as fault:
            raise Damaged(f"it is no sound Parquet file: {fault}") from None
        except _SENSELESS:
            raise Damaged("it is no sound Parquet file: its footer makes no sense") from None

    def lost(self, names: Collection[str]) -> list[Lost]:
        """Rows that cannot be read in these columns."""
        lists = {t[4].decode() for t in _tops(self._footer[2]) if t.get(5) or t.get(3) == _REPEATED}
        lost, rows = [], 0
        with self._path.open("rb") as file, _mapped(file) as data:
            for group in self._footer.get(4, []):
                begin, rows = rows, rows + group[3]
                try:
                    for chunk in group[1]:
                        name = chunk[3][3][0].decode()
                        if name in names:
                            _check_chunk(data, chunk[3], None if name in lists else group[3])
                except Broken as fault:
                    lost.append((begin, rows, str(fault)))
                except _SENSELESS:
                    lost.append((begin, rows, "the metadata of a row group makes no sense"))
        return lost


def _mapped(file: BinaryIO) -> mmap.mmap:
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _tops(schema: list[dict[int, Any]]) -> Iterator[dict[int, Any]]:
    """The columns of a schema, which lists each element before its children, without those."""
    at = 1
    while at < len(schema):
        yield schema[at]
        waiting = 1
        while waiting and at < len(schema):
            waiting += int(schema[at].get(5, 0)) - 1
            at += 1


def _check_chunk(data: mmap.mmap, about: dict[int, Any], rows: int | None) -> None:
    """The pages of a column in one row group; `rows` None where a row may hold several values."""
    values = about[5]
    if values != rows if rows is not None else not 0 <= values <= _NESTED_VALUES_MAX:
        raise Broken("a column has not as many values as rows")
    at = about[9] if not about.get(11) else min(about[9], about[11])
    seen = 0
    while seen < values:
        if not 0 < at < len(data):
            raise Broken("a page lies outside the file")
        reader = Reader(memoryview(data)[at:])
        try:
            page = reader.struct()
        finally:
            reader.data.release()
        if not 0 <= page[3] <= len(data) - at - reader.at or not 0 <= page[2] <= _PAGE_BYTES_MAX:
            raise Broken("a page is larger than it can be")
        at += reader.at + page[3]
        seen += _values(page)
    if seen != values:
        raise Broken("its pages have not as many values as the column")


def _values(page: dict[int, Any]) -> int:
    """How many values of the column a page holds."""
    if page[1] == _DICTIONARY:
        if not 0 <= page[7][1] <= page[2]:
            raise Broken("a dictionary has more words than bytes")
        return 0
    if page[1] not in (_DATA, _DATA_2):
        return 0
    count = int(page[5 if page[1] == _DATA else 8][1])
    if not 0 <= count <= _PAGE_VALUES_MAX:
        raise Broken("a page has more values than it can have")
    return count
