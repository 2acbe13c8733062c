"""What the engine says of a line or of itself, in the reader's language (错误说明的译文).

Below the web, reasons are English sentences: they are kept in ledgers and compared byte by byte, so
they cannot depend on who reads. Here a sentence is found again by the English catalogue's patterns
(`why.*`) and said by the same key of the other; one that no pattern knows is shown as it is.
"""

from __future__ import annotations

import re
from functools import cache
from string import Formatter

from detector.web.words import catalogue, words_of

_KIND = "why."


class Said(str):
    """A sentence of the engine's, or the key of a word (`state.issued`), not yet put into words."""

    __slots__ = ()

    def in_(self, lang: str) -> str:
        """What it is in a language."""
        if self in catalogue(lang):
            return words_of(lang)(self)
        key, values = _found(self)
        return words_of(lang)(key, **values) if key else str(self)


def _found(text: str) -> tuple[str, dict[str, str]]:
    """The key that a sentence was written by, and its values; "" where none fits."""
    for key, pattern in _patterns():
        hit = pattern.fullmatch(text)
        if hit:
            return key, hit.groupdict()
    return "", {}


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Keys with what their sentences look like; those that say most come first."""
    held = {k: v for k, v in catalogue("en").items() if k.startswith(_KIND)}
    parts = {k: list(Formatter().parse(v)) for k, v in held.items()}
    fixed = {k: sum(len(plain) for plain, *_ in parts[k]) for k in parts}
    return [
        (key, re.compile("".join(map(_pattern, parts[key])), re.DOTALL))
        for key in sorted(parts, key=lambda k: (-fixed[k], k))
    ]


def _pattern(part: tuple[str, str | None, str | None, str | None]) -> str:
    plain, name, *_ = part
    return re.escape(plain) + (f"(?P<{name}>.+)" if name else "")
