"""Thrift's compact protocol, as far as Parquet's metadata needs it: structs as dicts by field."""

from __future__ import annotations

from typing import Any

DEPTH_MAX = 16
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_NUMBERS = (4, 5, 6)
_VARINT_BYTES_MAX = 10


class Broken(Exception):
    """Bytes that are no such struct."""


class Reader:
    """Reads structs from a buffer, from `at` on."""

    def __init__(self, data: Any, at: int = 0) -> None:
        self.data, self.at = data, at

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The next struct: field id → value."""
        if depth > DEPTH_MAX:
            raise Broken("nests too deep")
        fields: dict[int, Any] = {}
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self._number()
            fields[field] = self._value(head & 15, depth, in_list=False)
        return fields

    def _value(self, kind: int, depth: int, in_list: bool) -> Any:
        if kind in (_TRUE, _FALSE):
            return (self._byte() if in_list else kind) == _TRUE
        if kind in _NUMBERS:
            return self._number()
        if kind == _BYTE:
            return self._byte()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind == _STRUCT:
            return self.struct(depth + 1)
        raise Broken(f"holds a value of unknown type {kind}")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._varint()
        if size > len(self.data) - self.at or depth > DEPTH_MAX:
            raise Broken("holds a list that is longer than it is")
        return [self._value(head & 15, depth + 1, in_list=True) for _ in range(size)]

    def _byte(self) -> int:
        if self.at >= len(self.data):
            raise Broken("ends too early")
        self.at += 1
        return int(self.data[self.at - 1])

    def _bytes(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise Broken("ends too early")
        self.at += size
        return bytes(self.data[self.at - size : self.at])

    def _varint(self) -> int:
        value = 0
        for place in range(_VARINT_BYTES_MAX):
            byte = self._byte()
            value |= (byte & 127) << 7 * place
            if byte < 128:
                return value
        raise Broken("holds a number that does not end")

    def _number(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
