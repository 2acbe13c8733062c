"""Rows of a log, as cells → lines of ours → the decoder, which judges every line alone.

All formats but Parquet go this way whole, and Parquet with the rows it is not sure of.
"""

from __future__ import annotations

import difflib
import fnmatch
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, TypeGuard

import msgspec
import numpy as np

from detector.decode import Decoded, Decoder
from detector.event import CODES, DAYS, LISTS, TEXTS, Refusal
from replay.mapping import CODE_FIELDS, Mapping, Recipe
from replay.readers.streams import Damaged, ReplayError

EVENTS_OF_A_ROW = 16  # positions are line × 16 + j: j = 0 the row itself, then what it emits
_NEEDED = (*CODES, "action", "occurred_at", "recorded_at")
NAMES_KEPT_MAX = 10_000  # of a log that makes up a name for every value
_TAIL_ROWS = 8_192
_WITHHELD = "withheld: it may name a reporter and cannot be read"
_INT_BITS = 63  # beyond it JSON numbers are not ours to write
_encode = msgspec.json.Encoder().encode_lines
Row = Sequence[Any]


def check_columns(
    mapping: Mapping, names: Iterable[str], file: str, usual: Sequence[str] = ()
) -> None:
    """Raises `ReplayError` where the mapping names a column that the log has not.

    A column of the `usual` ones may lack.
    """
    known = list(names)
    missing = [
        f'has no column "{column}", which {mapping.file}: {key} names; {_near(column, known)}'
        for column, key in mapping.uses().items()
        if column not in known and column not in usual
    ]
    if missing:
        raise ReplayError("\n".join(f"{file}: {fault}" for fault in missing))


def check_own_names(names: Iterable[str], file: str) -> None:
    """Raises `ReplayError` where a flat file without mapping lacks a column that events need."""
    known = list(names)
    if "kind" in known:  # rows of facts have columns of their own
        return
    missing = [
        f'has no column "{name}"; {_near(name, known)}; name its columns in a mapping file'
        for name in _NEEDED
        if name not in known
    ]
    if missing:
        raise ReplayError("\n".join(f"{file}: {fault}" for fault in missing))


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, 3, 0.4)
    return f"near it: {', '.join(near)}" if near else f"it has: {', '.join(known[:40])}"


class Privacy(dict[str, bool]):
    """Column of a log → whether the district forbids to keep what it holds.

    It does by the name that the column has there, or by the field of ours that it would become.
    """

    def __init__(self, mapping: Mapping, drop: Sequence[str]) -> None:
        super().__init__()
        self.drop = drop
        for recipe in mapping.recipes:
            self.update((c, True) for n, c in recipe.columns.items() if self.forbids(n))

    def forbids(self, name: str) -> bool:
        """Whether no field of this name may be kept."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.drop)

    def __missing__(self, column: str) -> bool:
        secret = self.forbids(column) or self.forbids(column.removeprefix("case:"))
        if len(self) < NAMES_KEPT_MAX:
            self[column] = secret
        return secret


class Maker:
    """Makes the lines of one recipe of rows whose cells stand in the order of `names`."""

    def __init__(
        self, recipe: Recipe, values: Lookup[str, Lookup[str, str]], names: Sequence[str],
        privacy: Privacy, typed: bool = False,
    ) -> None:  # fmt: skip
        columns = {n: c for n, c in recipe.columns.items() if not privacy[c]}
        place = {name: index for index, name in enumerate(names)}
        self.recipe = recipe
        self.constants = {n: v for n, v in recipe.constants.items() if not privacy.forbids(n)}
        self.when = place[recipe.when] if recipe.when else None
        self._fields = list(columns)
        self._pick = _picker([place[columns[n]] for n in self._fields])
        turns = ((n, _turn(n, values.get(n), typed)) for n in self._fields)
        self._turns = [(n, turn) for n, turn in turns if turn]
        self._actions = values.get("action", {})
        self._by_step = "action" not in recipe.columns and "action" not in recipe.constants

    def emits(self, row: Row) -> bool:
        """Whether the column of `when` says that this row gives the event."""
        return self.when is None or row[self.when] not in (None, "")

    def lines(self, rows: Iterable[Row]) -> list[dict[str, Any]]:
        """One line a row; what was not given is left out."""
        fields, pick, made = self._fields, self._pick, []
        for row in rows:
            cells = zip(fields, pick(row), strict=True)
            line = {n: v for n, v in cells if v is not None and v != ""}
            if self._by_step:
                step = _code(line.get("step"))
                line["action"] = self._actions.get(step, "step") if _is_text(step) else "step"
            for name, turn in self._turns:
                if name in line:
                    line[name] = turn(line[name])
            line.update(self.constants)
            made.append(line)
        return made


def _picker(places: list[int]) -> Callable[[Row], tuple[Any, ...]]:
    if len(places) == 1:
        return lambda row: (row[places[0]],)
    return itemgetter(*places) if places else lambda row: ()


def _turn(name: str, words: Lookup[str, str] | None, typed: bool) -> Callable[[Any], Any] | None:
    """What is done to a cell of this field before the decoder reads it; None leaves it alone.

    Flat files write all as text: what has another form in a line is put into it, so that most
    lines take the decoder's quick road. What does not fit stays, and is refused there.
    """
    form = _FORMS.get(name)
    if typed and form is None:
        form = _code if name in (*CODE_FIELDS, *TEXTS) else _number
    if words is None:
        return form

    def turn(value: Any) -> Any:
        value = _code(value) if typed else value
        value = words.get(value, value) if _is_text(value) else value
        return form(value) if form else value

    return turn


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str)


def _code(value: Any) -> Any:
    """A whole number where a text is due: typed columns often hold case numbers so."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return [] if isinstance(value, float) else value  # no text, and refused as none


def _number(value: Any) -> Any:
    """A number that JSON cannot say, as a text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and value.bit_length() > _INT_BITS:
        return str(value)
    return value


def _days(value: Any) -> Any:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    return _number(value)


def _flag(value: Any) -> Any:
    known = {"true": True, "false": False, "1": True, "0": False}
    return known.get(value.lower(), value) if isinstance(value, str) else _number(value)


def _list(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.split(";") if part.strip()]
    return _number(value)


_FORMS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(DAYS, _days),
    **dict.fromkeys(LISTS, _list),
    "imported": _flag,
}


@dataclass
class Chunk:
    """Rows as they come from a file, and what could not be made a row."""

    rows: list[Any] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)  # where each row stands, from 1
    places: list[int] = field(default_factory=list)  # rising; [] = like the lines
    ends: list[int] = field(default_factory=list)  # rows that are the last of their case
    bare: list[int] = field(default_factory=list)  # rows that only stand for their case
    refusals: list[Refusal] = field(default_factory=list)
    dropped: int = 0

    def refuse(self, decoder: Decoder, line: int, error: str, text: str, secret: bool) -> None:
        """Note a line that is no row; a secret one is not shown."""
        shown = _WITHHELD if secret else text
        self.refusals.append(Refusal(decoder.file, line, "line", error, shown))


class Rows:
    """Judges chunks of rows of one log, by one mapping and one decoder."""

    def __init__(
        self, decoder: Decoder, mapping: Mapping, names: Sequence[str], typed: bool = False
    ) -> None:
        self.decoder, self.mapping = decoder, mapping
        self.privacy = Privacy(mapping, decoder.drop)
        words, privacy = mapping.values, self.privacy
        self.makers = [Maker(recipe, words, names, privacy, typed) for recipe in mapping.recipes]
        case = mapping.base.columns.get("case_id")
        self._case = names.index(case) if case else None
        self._ends: dict[str, tuple[int, Row]] = {}  # case → line and cells of its last row

    def note(self, chunk: Chunk) -> None:
        """Remember each case's last row, where an event is to be made of it after all rows."""
        if not self.mapping.per_case:
            return
        for line, row in zip(chunk.lines, chunk.rows, strict=True):
            case = None if self._case is None else row[self._case]
            self._ends[case if isinstance(case, str) else repr(case)] = line, row

    def tail(self, number: int, share: tuple[int, int]) -> Iterator[Decoded]:
        """What is made of the noted rows, in chunks of which the first has this number."""
        ends = sorted(self._ends.values(), key=itemgetter(0))
        for begin in range(0, len(ends), _TAIL_ROWS):
            if number % share[1] == share[0]:
                some = ends[begin : begin + _TAIL_ROWS]
                lines, rows = [line for line, _ in some], [row for _, row in some]
                every = list(range(len(rows)))
                chunk = Chunk(rows, lines, ends=every, bare=every)
                yield self.decode(chunk)
            number += 1

    def decode(self, chunk: Chunk) -> Decoded:
        """Columns of what the rows give, in the order of their positions."""
        made, rows, order = [], [], []
        bare = set(chunk.bare)
        events = [n for n in range(len(chunk.rows)) if n not in bare]
        for j, maker in enumerate(self.makers):
            source = chunk.ends if maker.recipe.per == "case" else events
            chosen = [n for n in source if maker.emits(chunk.rows[n])] if j else events
            made += maker.lines(map(chunk.rows.__getitem__, chosen))
            rows += chosen
            order += [n * EVENTS_OF_A_ROW + j for n in chosen]
        if len(self.makers) > 1:
            by = sorted(range(len(order)), key=order.__getitem__)
            made, rows = [made[n] for n in by], [rows[n] for n in by]
            order = [order[n] for n in by]
        of_row, at = np.array(rows, np.int64), np.array(order, np.int64) % EVENTS_OF_A_ROW
        lines = np.array(chunk.lines, np.int64)
        places = np.array(chunk.places, np.int64) if chunk.places else lines
        decoded = self.judge(made, lines[of_row], places[of_row] * EVENTS_OF_A_ROW + at)
        decoded.refusals = sorted([*decoded.refusals, *chunk.refusals], key=lambda r: r.line)
        decoded.dropped += chunk.dropped
        return decoded

    def judge(
        self, made: list[dict[str, Any]], lines: np.ndarray, positions: np.ndarray
    ) -> Decoded:
        """Columns of these lines of ours, made of what stood on `lines` of the source."""
        decoded = self.decoder.decode(_encode(made), 0, 0)
        decoded.inputs.position = positions[decoded.inputs.position]
        decoded.refusals = [
            msgspec.structs.replace(refusal, line=int(lines[refusal.line]))
            for refusal in decoded.refusals
        ]
        return decoded


def cut_off(decoder: Decoder, fault: Damaged, share: tuple[int, int]) -> list[Decoded]:
    """The one refusal for the rest of a damaged file, told by the share whose turn it is."""
    if fault.number % share[1] != share[0]:
        return []
    decoded = decoder.decode(b"")
    error = f"is cut off or damaged: {fault.reason}"
    decoded.refusals.append(Refusal(decoder.file, fault.line, "file", error, ""))
    return [decoded]
