"""Markdown, as far as the generated pages need it: cells that cannot break a table, and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_SPECIAL = re.compile(r"([\\`*_<>|\[\]])")


def plain(text: str) -> str:
    """Text of any kind as Markdown that shows exactly this, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def prose(text: str) -> str:
    """Like `plain`, with what stands between backticks left as the code that it is."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    return "".join(
        code(p[1:-1]) if n % 2 else _SPECIAL.sub(r"\\\1", p) for n, p in enumerate(parts)
    )


def code(text: str) -> str:
    """A code span, fit for a table's cell."""
    return f"`{text.replace('|', chr(92) + '|')}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table, columns in which no row says anything left out; [] without rows."""
    kept = list(rows)
    if not kept:
        return []
    told = [n for n in range(len(head)) if any(row[n] for row in kept)]
    lines = [head, ["---"] * len(head), *kept]
    return ["| " + " | ".join(line[n] for n in told) + " |" for line in lines] + [""]


def facts(rows: Iterable[tuple[str, str]]) -> list[str]:
    """A table of two columns without a head; rows that say nothing are left out."""
    told = [f"| {name} | {text} |" for name, text in rows if text]
    return ["| | |", "|---|---|", *told, ""] if told else []


def spelled(value: Any) -> str:
    """A value as one would write it in TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{k} = {spelled(v)}" for k, v in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(spelled, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
