"""What judges, as a journalled input: the district's files, the rules' texts, lock and calendar.

The first input of every journal is such a content, so a ledger proves itself years later without
the folder, the rulebook or the holiday tables of the day on which it is asked.
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
from detector.shelf import LOCK, configure, load_shelf
from detector.workcalendar import calendar_from


class Content(msgspec.Struct, frozen=True):
    """A district and a rulebook as bytes, in force from `at` (µs UTC) on."""

    at: int
    district: dict[str, bytes]  # name in the folder → bytes
    rules: dict[str, bytes]  # file name → text, the lock among them
    calendar: dict[str, Any]

    def line(self) -> bytes:
        """One JSON line, keys in order; files that are no UTF-8 go as base64."""
        told = {
            "at": self.at,
            "calendar": self.calendar,
            "district": {name: _spell(data) for name, data in sorted(self.district.items())},
            "rules": {name: _spell(data) for name, data in sorted(self.rules.items())},
        }
        return msgspec.json.encode(told, order="sorted") + b"\n"

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
            for name, text in self.rules.items():
                if name != LOCK:
                    (Path(folder) / name).write_bytes(text)
            return Engine(district, configure(load_shelf(Path(folder)), district))


def replace_at(content: Content, at: int = 0) -> Content:
    """The same content in force from another instant on."""
    return Content(at, content.district, content.rules, content.calendar)


def content_of(files: Mapping[str, bytes], rules: Path, at: int) -> Content:
    """The content of a district's files and a folder of rules. Raises `DistrictError`."""
    district = district_from(files)
    paths = sorted([*rules.glob("*.py"), *rules.glob(LOCK)])
    texts = {path.name: path.read_bytes() for path in paths}
    calendar = msgspec.json.decode(msgspec.json.encode(district.calendar.content()))
    return Content(at, dict(files), texts, calendar)


def read_content(line: bytes) -> Content:
    """The content of a journalled line."""
    told = msgspec.json.decode(line)
    files, rules = (
        {name: _bytes(text) for name, text in told[part].items()} for part in ("district", "rules")
    )
    return Content(told["at"], files, rules, told["calendar"])


def _spell(data: bytes) -> Any:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _bytes(told: Any) -> bytes:
    return told.encode() if isinstance(told, str) else base64.b64decode(told["base64"])
