"""Statements of SQLAlchemy Core, spelled out once for the driver's own connection."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ClauseElement

_DIALECT = sqlite.dialect()


class Statement:
    """A statement's text, and its parameters in the order in which the text wants them."""

    def __init__(self, statement: ClauseElement) -> None:
        options = {"render_postcompile": True}  # lists of values are spelled out, a mark each
        compiled = statement.compile(dialect=_DIALECT, compile_kwargs=options)
        self.text = str(compiled)
        self.names: list[str] = list(compiled.positiontup or ())  # type: ignore[attr-defined]
        self._fixed = {n: v for n, v in compiled.params.items() if v is not None}

    def row(self, told: dict[str, Any]) -> tuple[Any, ...]:
        """The parameters of one execution."""
        return tuple(told[n] if n in told else self._fixed[n] for n in self.names)


def rows_of(table: Any, names: tuple[str, ...]) -> Statement:
    """An insertion of rows with these columns; the shard is one of them."""
    return Statement(insert(table).values({n: bindparam(n) for n in ("shard", *names)}))
