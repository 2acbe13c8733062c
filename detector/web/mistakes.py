"""Mistakes in a district's folder (配置错误), in the reader's language, for screens and answers.

Whoever finds one says it in English, as the terminal shows it; reason and remedy are found again by
the patterns `mistake.*` and `remedy.*` of the catalogues, as `said` finds what the engine says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from detector.tomlfile import Problem
from detector.web.said import WHY, Said
from detector.web.words import words_of


class _Reason(Said):
    __slots__ = ()
    KINDS: ClassVar[Sequence[str]] = ("mistake.", WHY)  # times and amounts are read as in a line


class _Remedy(Said):
    __slots__ = ()
    KINDS: ClassVar[Sequence[str]] = ("remedy.",)


class Mistakes(Said):
    """Every mistake of a folder, a line each."""

    problems: Sequence[Problem]

    def __new__(cls, problems: Sequence[Problem]) -> Self:
        """Of these problems."""
        made = super().__new__(cls, "\n".join(map(str, problems)))
        made.problems = problems
        return made

    def in_(self, lang: str) -> str:
        """What they are in a language."""
        return "\n".join(sentence(one, lang) for one in self.problems)


def told(one: Problem, lang: str) -> dict[str, Any]:
    """A mistake as it is answered."""
    reason = _Reason(one.reason)
    return {
        "file": one.file, "key": one.key, "line": one.line, "code": reason.code,
        "reason": reason.in_(lang), "remedy": _Remedy(one.remedy).in_(lang) if one.remedy else "",
    }  # fmt: skip


def sentence(one: Problem, lang: str) -> str:
    """A mistake as it is shown: where it is, what is wrong, what to do."""
    t, said = words_of(lang), told(one, lang)
    parts = [said["reason"] + (t("mistakes.line", n=one.line) if one.line else "")]
    parts += [said["remedy"]] if said["remedy"] else []
    where = [part for part in (one.file, one.key) if part]
    return t("mistakes.place").join([*where, t("mistakes.then").join(parts)])
