"""What the engine says of a line or of itself, in the reader's language (错误说明的译文).

Below the web, reasons are English sentences: they are kept in ledgers and compared byte by byte, so
they cannot depend on who reads. Here a sentence is found again by the English catalogue's patterns
(`why.*`) and said by the same key of the other; one that no pattern knows is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from string import Formatter
from typing import ClassVar

from detector.web.words import catalogue, words_of

WHY, SHOWN = "why.", "shown."
OTHER = "other"  # the code of a sentence that no pattern knows
SENTENCES_MAX = 4_096  # that are remembered with their keys
INNER = "why"  # a value of this name is a sentence itself


class Said(str):
    """A sentence of the engine's, or the key of a word (`state.issued`), not yet put into words."""

    __slots__ = ()
    KINDS: ClassVar[Sequence[str]] = (WHY,)  # of keys by which it may have been written

    def in_(self, lang: str) -> str:
        """What it is in a language."""
        if self in catalogue(lang):
            return words_of(lang)(self)
        _, key, values = _found(str(self), tuple(self.KINDS))
        if not key:
            return str(self)
        told = {name: _part(name, value, lang) for name, value in values.items()}
        return catalogue(lang)[key].format(**told)

    @property
    def code(self) -> str:
        """What programs know it by, the same in every language; `OTHER` where nothing fits."""
        return _found(str(self), tuple(self.KINDS))[0]


@lru_cache(SENTENCES_MAX)
def _found(text: str, kinds: Sequence[str]) -> tuple[str, str, dict[str, str]]:
    """The code and key that a sentence was written by, and its values; key "" where none fits."""
    for kind in kinds:
        for key, begin, pattern in _patterns(kind):
            hit = pattern.fullmatch(text) if text.startswith(begin) else None
            if hit:
                return key.removeprefix(kind), key, hit.groupdict()
    return OTHER, "", {}


def _part(name: str, value: str, lang: str) -> str:
    """A value of a sentence: most are shown as they are."""
    if name == INNER:
        return Said(value).in_(lang)
    key = _shown().get(value)
    return words_of(lang)(key) if key else value


@cache
def _shown() -> dict[str, str]:
    """English words that stand for a value, with their keys: `a table`."""
    return {text: key for key, text in catalogue("en").items() if key.startswith(SHOWN)}


@cache
def _patterns(kind: str) -> list[tuple[str, str, re.Pattern[str]]]:
    """Keys with how their sentences begin and what they look like; those that say most first."""
    held = {k: v for k, v in catalogue("en").items() if k.startswith(kind)}
    parts = {k: list(Formatter().parse(v)) for k, v in held.items()}
    fixed = {k: sum(len(plain) for plain, *_ in parts[k]) for k in parts}
    return [
        (key, parts[key][0][0], re.compile("".join(map(_pattern, parts[key])), re.DOTALL))
        for key in sorted(parts, key=lambda k: (-fixed[k], k))
    ]


def _pattern(part: tuple[str, str | None, str | None, str | None]) -> str:
    plain, name, *_ = part
    return re.escape(plain) + (f"(?P<{name}>.+)" if name else "")
