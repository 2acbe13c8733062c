"""What judges, as a journalled input: the district's files, the rules' texts, lock and calendar.

The first input of every journal is such a content, so a ledger proves itself years later without
the folder, the rulebook or the holiday tables of the day on which it is asked. A later one is a
change; a file that the content before it had too stands there as its hash alone.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from detector.district import District, district_from
from detector.engine import Engine
from detector.learning.shelf import load_learners, models_folder
from detector.shelf import LOCK, configure, load_shelf
from detector.workcalendar import calendar_from

LEARNERS = "models/"  # begins the names of learners among the texts


class Content(msgspec.Struct, frozen=True):
    """A district and a rulebook as bytes, in force from `at` (µs UTC) on."""

    at: int
    district: dict[str, bytes]  # name in the folder → bytes
    rules: dict[str, bytes]  # file name → text: the lock among them, and learners
    calendar: dict[str, Any]
    guarded: list[str] = []  # rules that the blast-radius guard put in shadow, in order
    shards: tuple[int, int] | None = None  # of cases and of operators; None: all are one

    def line(self, before: Content | None = None) -> bytes:
        """One JSON line, keys in order; files that are no UTF-8 go as base64, and what the content
        `before` this one has too as its SHA-256."""
        known = before._files() if before else {}
        calendar = _packed(self.calendar)
        told: dict[str, Any] = {
            "at": self.at,
            "calendar": _named(calendar) if _hash(calendar) in known else self.calendar,
            "district": {n: _spell(data, known) for n, data in sorted(self.district.items())},
            "rules": {n: _spell(data, known) for n, data in sorted(self.rules.items())},
        }
        if self.guarded:
            told["guarded"] = self.guarded
        if self.shards:
            told["shards"] = self.shards
        return msgspec.json.encode(told, order="sorted") + b"\n"

    def _files(self) -> dict[str, bytes]:
        """What it holds, by SHA-256."""
        held = [*self.district.values(), *self.rules.values(), _packed(self.calendar)]
        return {_hash(data): data for data in held}

    def digest(self) -> str:
        """SHA-256 (hex) over what judges, whenever it came into force."""
        return hashlib.sha256(replace_at(self).line()).hexdigest()

    def load(self) -> District:
        """The district, with the calendar as it was. Raises `DistrictError`."""
        return replace(district_from(self.district), calendar=calendar_from(self.calendar))

    def engine(self) -> Engine:
        """An engine that judges by this content alone. Raises `DistrictError`, `RuleFault`."""
        district = self.load()
        with tempfile.TemporaryDirectory(prefix="oriole-rules-") as folder:
            (Path(folder) / "models").mkdir()
            for name, text in self.rules.items():
                if name != LOCK:
                    (Path(folder) / name).write_bytes(text)
            rulebook = configure(load_shelf(Path(folder)), district)
            learns = district.learning.on
            learners = load_learners(Path(folder) / "models") if learns else {}
            return Engine(district, rulebook.guarded(self.guarded), learners)


def replace_at(content: Content, at: int = 0) -> Content:
    """The same content in force from another instant on."""
    return msgspec.structs.replace(content, at=at)


def content_of(files: Mapping[str, bytes], rules: Path, at: int) -> Content:
    """The content of a district's files and a folder of rules. Raises `DistrictError`."""
    paths = sorted([*rules.glob("*.py"), *rules.glob(LOCK)])
    return content_with(files, {path.name: path.read_bytes() for path in paths}, at)


def content_with(files: Mapping[str, bytes], texts: dict[str, bytes], at: int) -> Content:
    """The content of a district's files and the texts of rules. Raises `DistrictError`.

    Learners (`models/…`) are part of it where the district learns: those of `texts`, else those
    that are shipped.
    """
    district = district_from(files)
    learners = {name: text for name, text in texts.items() if name.startswith(LEARNERS)}
    texts = {name: text for name, text in texts.items() if name not in learners}
    if district.learning.on:
        shipped = sorted(models_folder().glob("*.py"))
        texts |= learners or {f"{LEARNERS}{path.name}": path.read_bytes() for path in shipped}
    calendar = msgspec.json.decode(msgspec.json.encode(district.calendar.content()))
    return Content(at, dict(files), texts, calendar)


def read_content(line: bytes, before: Content | None = None) -> Content:
    """The content of a journalled line; `before`: the one that it followed. Raises `KeyError`
    where it names a file that was not there."""
    told = msgspec.json.decode(line)
    known = before._files() if before else {}
    files, rules = (
        {name: _bytes(text, known) for name, text in told[part].items()}
        for part in ("district", "rules")
    )
    calendar = told["calendar"]
    if set(calendar) == {_SAME}:
        calendar = msgspec.json.decode(known[calendar[_SAME]])
    guarded, shards = told.get("guarded", []), told.get("shards")
    return Content(
        told["at"], files, rules, calendar, guarded, (shards[0], shards[1]) if shards else None
    )


def changed(held: Content, content: Content) -> list[str]:
    """Names of what differs between two contents: files, and the calendar that follows of them."""
    names = []
    for part in ("district", "rules"):
        mine, theirs = getattr(held, part), getattr(content, part)
        names += [n for n in sorted({*mine, *theirs}) if mine.get(n) != theirs.get(n)]
    names += ["calendar"] if held.calendar != content.calendar else []
    return names + (["guarded"] if held.guarded != content.guarded else [])


_SAME = "sha256"


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _named(data: bytes) -> dict[str, str]:
    return {_SAME: _hash(data)}


def _packed(calendar: dict[str, Any]) -> bytes:
    return msgspec.json.encode(calendar, order="sorted")


def _spell(data: bytes, known: Mapping[str, bytes]) -> Any:
    if _hash(data) in known:
        return _named(data)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _bytes(told: Any, known: Mapping[str, bytes]) -> bytes:
    if isinstance(told, str):
        return told.encode()
    return known[told[_SAME]] if _SAME in told else base64.b64decode(told["base64"])
