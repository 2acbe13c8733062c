"""Statements of SQLAlchemy Core, spelled out once for a driver's own connection."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement

SQLITE: Dialect = sqlite.dialect()


class Statement:
    """A statement's text, and its parameters as the text wants them: in order, or by name."""

    def __init__(self, statement: ClauseElement, dialect: Dialect = SQLITE) -> None:
        options = {"render_postcompile": True}  # lists of values are spelled out, a mark each
        compiled: Any = statement.compile(dialect=dialect, compile_kwargs=options)
        self.text = str(compiled)
        self.names: list[str] = list(compiled.positiontup or ())
        self._by_name = not compiled.positional
        self._clean = dialect.name == "postgresql"
        self._fixed = {n: v for n, v in compiled.params.items() if v is not None}
        if self._clean:
            self._fixed = {n: clean(v) for n, v in self._fixed.items()}

    def row(self, told: dict[str, Any]) -> Any:
        """The parameters of one execution."""
        if self._clean:
            told = {name: clean(value) for name, value in told.items()}
        if self._by_name:
            return self._fixed | told
        return tuple(told[n] if n in told else self._fixed[n] for n in self.names)


def clean(value: Any) -> Any:
    """PostgreSQL keeps no text with a NUL in it: what somebody sent shows it as ␀."""
    if isinstance(value, str) and "\0" in value:
        return value.replace("\0", "\u2400")
    return value


def rows_of(table: Any, names: tuple[str, ...]) -> Statement:
    """An insertion of rows with these columns; the shard is one of them."""
    return Statement(insert(table).values({n: bindparam(n) for n in ("shard", *names)}))
