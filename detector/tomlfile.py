"""Read TOML so that every mistake is told at once, each with file, key, line and remedy.

`read_toml` turns bytes into a `Document`; `Document.root` gives a `Table`, whose typed getters note
a `Problem` and hand back a harmless value instead of raising, so that one run finds every mistake.
Lists are counted from 0 in keys, as in `items[3]`; lines are counted from 1.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Key = tuple[str | int, ...]  # ("items", 3, "code") is items[3].code

TOML_BYTES_MAX = 1 << 20
TOML_DEPTH_MAX = 16  # levels of tables, lists and dotted keys
TEXT_CHARS_MAX = 200
_SHOWN_CHARS_MAX = 60
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)\Z")
# Possessive and closed at the end of the text, so that broken input is still read in one pass.
_TOKEN = re.compile(
    r"""#[^\n]*|\n|[][{}=,]"""
    r"""|"{3}(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*+(?:"{3,5}|\\?"{0,2}\Z)"""
    r"""|'{3}(?:[^']|'{1,2}(?!'))*+(?:'{3,5}|'{0,2}\Z)"""
    r"""|"(?:[^"\\\n]|\\[^\n])*+(?:"|\\?(?=\n|\Z))|'[^'\n]*+'?"""
    r"""|[^][{}=,#"'.\s]+"""
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration file; `str()` is the sentence for its author."""

    file: str
    key: str  # dotted; "" where the whole file is meant
    reason: str
    line: int | None = None
    remedy: str = ""

    def __str__(self) -> str:
        where = f"{self.file}: {self.key}: " if self.key else f"{self.file}: "
        line = f" (line {self.line})" if self.line else ""
        return f"{where}{self.reason}{line}" + (f"; {self.remedy}" if self.remedy else "")


class DistrictError(Exception):
    """Configuration that cannot be used; `problems` holds every mistake that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML file that was read: its values, and the line on which each key is written."""

    file: str
    text: str
    values: Mapping[str, Any]
    lines: Mapping[Key, int]

    def line_of(self, key: Key) -> int | None:
        """The line of a key, or of the nearest table or list around it."""
        ends = range(len(key), 0, -1)
        return next((self.lines[key[:end]] for end in ends if key[:end] in self.lines), None)

    def problem(self, key: Key, reason: str, remedy: str = "") -> Problem:
        """The `Problem` of one key of this file, with its line."""
        return Problem(self.file, dotted(key), reason, self.line_of(key), remedy)

    def root(self, problems: list[Problem]) -> Table:
        """The file's top table; what its getters find goes into `problems`."""
        return Table(self, self.values, (), problems)


def read_toml(file: str, data: bytes, problems: list[Problem]) -> Document | None:
    """The document in `data`; None after a problem was noted. `file` is its name in messages.

    At most `TOML_BYTES_MAX` bytes of UTF-8, with or without byte-order mark, `TOML_DEPTH_MAX` deep.
    """
    if len(data) > TOML_BYTES_MAX:
        problem = Problem(file, "", f"is larger than {TOML_BYTES_MAX} bytes", None, "split it")
    else:
        try:
            text = data.decode("utf-8-sig").replace("\r\n", "\n")
            lines = _Lines().find(text)
            return Document(file, text, tomllib.loads(text), lines)
        except UnicodeDecodeError as fault:
            line = data.count(b"\n", 0, fault.start) + 1
            problem = Problem(file, "", "is not UTF-8", line, "save the file as UTF-8")
        except _TooDeep as fault:
            reason = f"nests deeper than {TOML_DEPTH_MAX} levels"
            problem = Problem(file, "", reason, fault.args[0], "write it flatter")
        except (ValueError, OverflowError, RecursionError) as fault:
            place = _PLACE.search(str(fault))
            reason = "is not TOML: " + _PLACE.sub(r", at column \2", str(fault))
            problem = Problem(file, "", reason, int(place[1]) if place else None, "mend it there")
    problems.append(problem)
    return None


class _TooDeep(Exception):
    """Nesting beyond `TOML_DEPTH_MAX`; its argument is the line."""


@dataclass(slots=True)
class _Open:
    """A container that is not closed yet: the file (""), a list ("[") or an inline table ("{")."""

    kind: str
    at: Key  # its own key
    line: int  # on which it opens
    here: Key  # the key of the value that is read now
    words: list[str] = field(default_factory=list)  # of a key whose `=` has not come
    valued: bool = False  # whether a value is read now, not a key


class _Lines:
    """Finds the line of every key, entry and header of a TOML text, in one pass over its tokens.

    It never raises on text that is not TOML (tomllib says what is wrong with that), but `_TooDeep`
    is raised before tomllib meets the text, because its cost grows with the square of the depth.
    """

    def __init__(self) -> None:
        self.lines: dict[Key, int] = {}
        self.rows: dict[Key, int] = {}  # entries so far of each [[list of tables]]
        self.open = [_Open("", (), 0, ())]
        self.brackets = 0  # of the [header] or [[header]] that is read now
        self.line = 1

    def find(self, text: str) -> dict[Key, int]:
        for match in _TOKEN.finditer(text + "\n"):  # the last line may end with the file
            token, top = match[0], self.open[-1]
            if token == "\n":
                self.end_line(top)
            elif token[0] == "#":
                continue
            elif token == "=" and not top.valued:
                top.here, top.words, top.valued = top.at + tuple(top.words), [], True
                self.mark(top)
            elif token == "," and top.kind:
                self.next_entry(top)
            elif token in "[{" and (top.valued or top.kind == "["):
                self.mark(top)
                here = (*top.here, 0) if token == "[" else top.here
                self.open.append(_Open(token, top.here, self.line, here))
            elif token in "]}" and top.kind == "[{"["]}".index(token)]:
                self.open.pop()
            elif token in "[]":
                self.brackets += token == "["
            elif top.valued or top.kind == "[":
                self.mark(top)
            else:
                top.words.append(_key_part(token))
            if len(top.words) > TOML_DEPTH_MAX or len(self.open) > TOML_DEPTH_MAX:
                raise _TooDeep(self.line)
            self.line += token.count("\n")
        return self.lines

    def mark(self, top: _Open) -> None:
        """Note the line of the present value, unless its container opens on the same one."""
        if len(top.here) > TOML_DEPTH_MAX:
            raise _TooDeep(self.line)
        if self.line != top.line:
            for end in range(len(top.at) + 1, len(top.here) + 1):
                self.lines.setdefault(top.here[:end], self.line)

    def next_entry(self, top: _Open) -> None:
        last = top.here[-1] if top.here else None  # a value without a key stands nowhere
        if top.kind == "{":
            top.words, top.valued = [], False
        elif isinstance(last, int):
            top.here = (*top.at, last + 1)

    def end_line(self, top: _Open) -> None:
        """End a value or a header of the file itself; inside a container a line means nothing."""
        if top.kind:
            return
        if self.brackets and top.words:
            key: Key = ()
            for depth, word in enumerate(top.words, 1):
                key = (*key, word)
                if depth == len(top.words) and self.brackets > 1:
                    self.rows[key] = self.rows.get(key, 0) + 1
                if key in self.rows:
                    key = (*key, self.rows[key] - 1)
            top.at, top.here = (), key
            self.mark(top)
            top.at = key
        self.brackets, top.words, top.valued = 0, [], False


def _key_part(token: str) -> str:
    if token[0] not in "\"'":
        return token
    try:
        return str(tomllib.loads(f"key = {token}")["key"])
    except (ValueError, KeyError):
        return token


def dotted(key: Key) -> str:
    """A key as its author would write it: `items[3].steps[0].code`."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE_KEY.fullmatch(part) else shown(part)
            text += f".{name}" if text else name
    return text


def shown(value: object) -> str:
    """A value inside a sentence: short and on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number beyond 64 bits"
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(value))
    text = text if len(text) <= _SHOWN_CHARS_MAX else text[:_SHOWN_CHARS_MAX] + "…"
    return f'"{text}"' if isinstance(value, str) else text


class Table:
    """One TOML table while it is checked: every getter notes what is wrong and goes on.

    A getter's `default` stands in for an absent key. Call `close` last: a key that no getter asked
    for is unknown.
    """

    def __init__(
        self, doc: Document, values: Mapping[str, Any], at: Key, problems: list[Problem]
    ) -> None:
        self.doc, self.at, self.problems = doc, at, problems
        self._values = values
        self._asked: dict[str, None] = {}

    def fault(self, key: str | Key, reason: str, remedy: str = "") -> None:
        """Note a problem of a key of this table, or with () of the table itself."""
        tail = (key,) if isinstance(key, str) else key
        self.problems.append(self.doc.problem(self.at + tail, reason, remedy))

    @property
    def keys(self) -> list[str]:
        """The keys that are there, in their order."""
        return list(self._values)

    def take(self, key: str) -> Any:
        """The value as TOML gave it, or None where the key is absent."""
        self._asked[key] = None
        return self._values.get(key)

    def text(self, key: str, default: str | None = None, chars_max: int = TEXT_CHARS_MAX) -> str:
        """A text of 1 to `chars_max` characters; without a default the key is demanded."""
        value = self.take(key)
        if value is None and default is None:
            self.fault(key, "is missing", f'add {key} = "…"')
        elif value is None or self.is_text((key,), value, chars_max):
            return str(value or default)
        return ""

    def texts(
        self, key: str, default: tuple[str, ...] = (), chars_max: int = TEXT_CHARS_MAX
    ) -> tuple[str, ...]:
        """A list of texts, none of them twice."""
        rows = self.rows(key)
        if rows is None:
            return default
        good: dict[str, None] = {}
        for index, row in enumerate(rows):
            if self.is_text((key, index), row, chars_max):
                if row in good:
                    self.fault((key, index), f"{shown(row)} stands in the list twice", "remove one")
                good[row] = None
        return tuple(good)

    def choice(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        """One of `choices`; without a default the key is demanded."""
        value = self.take(key)
        if value is None and default is not None:
            return default
        if isinstance(value, str) and value in choices:
            return value
        reason = "is missing" if value is None else f"{shown(value)} is unknown"
        self.fault(key, reason, f"write one of {', '.join(map(shown, choices))}")
        return choices[0]

    def whole(self, key: str, low: int, high: int) -> int | None:
        """A whole number from `low` to `high`; None where it is absent or wrong."""
        value = self.take(key)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        reason = f"{shown(value)} is not a whole number from {low} to {high}"
        self.fault(key, reason, "correct it, without quotes")
        return None

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.take(key)
        if value is not None and not isinstance(value, bool):
            self.fault(key, f"{shown(value)} is neither true nor false", "write one of these two")
        return value if isinstance(value, bool) else default

    def table(self, key: str) -> Table:
        """The table under `key`; an empty one where it is absent or wrong."""
        value = self.take(key)
        if value is not None and not isinstance(value, dict):
            self.fault(key, f"{shown(value)} is not a table", f"write [{dotted((*self.at, key))}]")
        inner = value if isinstance(value, dict) else {}
        return Table(self.doc, inner, (*self.at, key), self.problems)

    def tables(self, key: str) -> list[Table]:
        """The list of tables under `key`; empty where it is absent or wrong."""
        good, remedy = [], f"write [[{dotted((*self.at, key))}]] before each entry"
        for index, row in enumerate(self.rows(key) or ()):
            if isinstance(row, dict):
                good.append(Table(self.doc, row, (*self.at, key, index), self.problems))
            else:
                self.fault((key, index), f"{shown(row)} is not a table", remedy)
        return good

    def rows(self, key: str) -> list[Any] | None:
        """The list under `key`, its entries unchecked; None where it is absent."""
        value = self.take(key)
        if value is None or isinstance(value, list):
            return value
        self.fault(key, f"{shown(value)} is not a list", f"write {key} = […]")
        return []

    def is_text(self, tail: Key, value: object, chars_max: int = TEXT_CHARS_MAX) -> bool:
        """Whether the value at `tail` is a fit text; notes why not."""
        if not isinstance(value, str):
            self.fault(tail, f"{shown(value)} is not a text", "write it in quotes")
        elif not value or value != value.strip() or _CONTROL.search(value):
            self.fault(tail, f"{shown(value)} is blank, or has blanks at an end or control"
                       " characters", "write the text alone")  # fmt: skip
        elif len(value) > chars_max:
            self.fault(tail, f"is longer than {chars_max} characters", "shorten it")
        else:
            return True
        return False

    def close(self) -> None:
        """Note every key that no getter has asked for."""
        for key in self._values:
            if key not in self._asked:
                near = difflib.get_close_matches(key, self._asked, 1)
                remedy = f"did you mean {near[0]}?" if near else "known: " + ", ".join(self._asked)
                self.fault(key, "is an unknown key", remedy)
