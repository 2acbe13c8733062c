"""What an event says besides its codes, times and amounts: result, grade, reason, lists. 具体内容

Few combinations occur, so each is kept once and a row bears its code: `NO_CODE` says nothing at
all, and finds in every column below what that means.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec
import numpy as np

from detector.vocabulary import NO_CODE, Vocabulary

RESULTS = (
    "granted", "refused", "not_accepted", "returned", "withdrawn", "void", "forwarded",
    "terminated",
)  # fmt: skip
RESULT = {name: code for code, name in enumerate(RESULTS)}
NO_RESULT, OTHER_RESULT = -1, len(RESULTS)
_ROOM = 64


def of_results(*names: str, none: bool = False) -> np.ndarray:
    """Which results are one of these (a mask by code), `none`: or no result, whose code is the
    last from behind."""
    mask = np.zeros(OTHER_RESULT + 2, bool)
    mask[[RESULT[name] for name in names]] = True
    mask[NO_RESULT] = none
    return mask


class Said(msgspec.Struct, frozen=True, array_like=True):
    """One combination; lists without repeats and in order of their texts."""

    result: str | None = None
    reason_chars: int = 0  # characters that are no white space
    grade: str | None = None
    party_kind: str | None = None
    documents: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()


NOTHING = Said()
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Said).decode


@lru_cache(1 << 14)
def said(
    result: str | None, reason: str | None, grade: str | None, party_kind: str | None,
    documents: tuple[str, ...], fields: tuple[str, ...], factors: tuple[str, ...],
) -> str | None:  # fmt: skip
    """The text under which a combination is kept, None where it says nothing."""
    one = Said(
        result or None, reason_chars(reason), grade or None, party_kind or None,
        _once(documents), _once(fields), _once(factors),
    )  # fmt: skip
    return None if one == NOTHING else _encode(one).decode()


def reason_chars(reason: str | None) -> int:
    """Characters of a reason that are no white space."""
    return len("".join(reason.split())) if reason else 0


def _once(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(texts)))


class Particulars(Vocabulary):
    """The combinations met so far, and their parts as columns by code."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        super().__init__(words)
        self.said: list[Said] = []
        self._result = np.full(_ROOM, NO_RESULT, np.int8)
        self._chars = np.zeros(_ROOM, np.int32)

    def encode(self, texts: Sequence[str | None]) -> np.ndarray:
        """Codes (int32) of combinations as `said` writes them."""
        index, words = self._index, self.words
        codes = np.full(len(texts), NO_CODE, np.int32)
        for row, text in enumerate(texts):
            if text is not None:
                code = index.get(text)
                if code is None:
                    code = index[text] = len(words)
                    words.append(text)
                codes[row] = code
        return codes

    def result(self, codes: np.ndarray) -> np.ndarray:
        """Place in `RESULTS`; `NO_RESULT`, or `OTHER_RESULT` for any other word."""
        self._read()
        return self._result[codes]

    def reason_chars(self, codes: np.ndarray) -> np.ndarray:
        """Characters of the reason that are no white space (int32)."""
        self._read()
        return self._chars[codes]

    def of(self, code: int) -> Said:
        """One combination."""
        if code < 0:
            return NOTHING
        self._read()
        return self.said[code]

    def _read(self) -> None:
        """Take up what was added. The last place of every column stands for `NO_CODE`."""
        known, have = len(self.words), len(self.said)
        if have == known:
            return
        if known + 1 > len(self._result):
            room = 2 * (known + 1)
            self._result = _grown(self._result, room, NO_RESULT)
            self._chars = _grown(self._chars, room, 0)
        for code in range(have, known):
            one = _decode(self.words[code])
            self.said.append(one)
            if one.result is not None:
                self._result[code] = RESULT.get(one.result, OTHER_RESULT)
            self._chars[code] = one.reason_chars


def _grown(column: np.ndarray, room: int, nothing: int) -> np.ndarray:
    grown = np.full(room, nothing, column.dtype)
    grown[: len(column)] = column
    return grown
