"""Texts as codes: the distinct texts of a column in order of first sight, and stable hashes.

Codes are a matter of this process: they never reach a finding, a sort order or a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from detector.event import sound_code

NO_CODE = -1  # a text that was not given
_UNTAKEN = -2  # a text that no code may be (too long, control characters): decided line by line


class _Index(dict[Any, int]):
    """text → code; a text not met before gets the next code if `sound` lets it."""

    def __init__(self, words: list[str]) -> None:
        super().__init__({None: NO_CODE, "": NO_CODE})
        self.words = words
        for code, word in enumerate(words):
            self[word] = code

    def __missing__(self, word: str) -> int:
        if not sound_code(word):
            return _UNTAKEN
        code = self[word] = len(self.words)
        self.words.append(word)
        return code


class Vocabulary:
    """The distinct texts of one column, in order of first sight, and their stable hashes."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words: list[str] = list(words)
        self._index = _Index(self.words)
        self._hashes = np.zeros(0, np.uint64)  # grown by halves, filled up to `_hashed`
        self._hashed = 0

    def __len__(self) -> int:
        return len(self.words)

    def code(self, word: str | None) -> int:
        """The code of one text, given on first sight."""
        return self._index[word]

    def find(self, word: str | None) -> int:
        """The code of a text, `NO_CODE` where it was never seen."""
        return self._index.get(word, NO_CODE)

    def encode(self, texts: Sequence[str | None]) -> np.ndarray:
        """Codes (int32) of a column; -1 absent, -2 not a sound code."""
        if not any(texts):
            return np.full(len(texts), NO_CODE, np.int32)
        return np.fromiter(map(self._index.__getitem__, texts), np.int32, len(texts))

    def texts(self, codes: np.ndarray) -> list[str | None]:
        """The texts of a column of codes."""
        words = self.words
        return [words[c] if c >= 0 else None for c in codes.tolist()]

    def hashes(self, codes: np.ndarray) -> np.ndarray:
        """Stable 64-bit hashes (uint64) of a column of codes, 0 where absent."""
        known = len(self.words)
        if self._hashed < known:
            new = hash_texts(to_bytes(self.words[self._hashed : known]))
            if known > len(self._hashes):
                grown = np.zeros(known + known // 2, np.uint64)
                grown[: self._hashed] = self._hashes[: self._hashed]
                self._hashes = grown
            self._hashes[self._hashed : known] = new
            self._hashed = known
        if not known:
            return np.zeros(len(codes), np.uint64)
        return np.where(codes >= 0, self._hashes[np.maximum(codes, 0)], np.uint64(0))

    def hash_of(self, code: int) -> int:
        """As `hashes`, of one code that was given."""
        if code >= self._hashed:
            self.hashes(np.zeros(0, np.int32))
        return int(self._hashes[code])


_ODD = (np.arange(1, 64, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) | np.uint64(1)


_ODD_ONE, _BITS = _ODD.tolist(), (1 << 64) - 1


def mix(values: np.ndarray, salt: int) -> np.ndarray:
    """Spread 64-bit values; 0 stays 0, so what was not given adds nothing."""
    mixed = values * _ODD[salt]
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    return mixed


def to_bytes(texts: Sequence[str]) -> np.ndarray:
    """Texts as a fixed-width bytes column (S); they hold no NUL."""
    if not texts:
        return np.zeros(0, "S1")
    return np.array([t.encode() for t in texts], dtype=np.bytes_)


def hash_texts(texts: np.ndarray) -> np.ndarray:
    """Stable 64-bit hash (uint64) of a bytes column, the same whatever the column's width."""
    rows, width = len(texts), texts.dtype.itemsize
    wide = -(-width // 8) * 8
    if wide != width:
        texts = texts.astype(f"S{wide}")
    parts = np.ascontiguousarray(texts).view(np.uint64).reshape(rows, wide // 8)
    total = np.zeros(rows, np.uint64)
    for place in range(parts.shape[1]):
        total += mix(parts[:, place], place % 48 + 8)
    return mix(total, 7)


def mix_one(value: int, salt: int) -> int:
    """As `mix`, of one value: plain integers cost a tenth of columns there."""
    mixed = value * _ODD_ONE[salt] & _BITS
    mixed ^= mixed >> 29
    mixed = mixed * 0xBF58476D1CE4E5B9 & _BITS
    return mixed ^ mixed >> 32


def hash_text(text: str) -> int:
    """As `hash_texts`, of one text."""
    told = text.encode()
    parts = range(0, len(told), 8)
    words = (int.from_bytes(told[at : at + 8], "little") for at in parts)
    total = sum(mix_one(word, place % 48 + 8) for place, word in enumerate(words))
    return mix_one(total & _BITS, 7)
