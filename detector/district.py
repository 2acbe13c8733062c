"""A district folder (辖区配置): its clock, catalogue, people and rulebook, checked as a whole.

`load_district` reads a folder; `district_from` makes the same district of the bytes alone, so that
a journal that holds the files holds the district. Either gives a `District` or raises
`DistrictError` with every mistake of every file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from detector.catalogue import FILES_MAX, Catalogue, read_catalogue
from detector.channels import Channels
from detector.channels_read import read_channels
from detector.event import CODE_BYTES_MAX, CODES
from detector.gate_limits import GateLimits, read_gate
from detector.ladder import PROFILE, PROFILES, Ladder, read_ladder, shipped
from detector.learn_settings import LearnSettings, read_learning
from detector.people import COLUMNS, PEOPLE, PEOPLE_BYTES_MAX, ROLES, Person, read_people
from detector.tomlfile import (
    TOML_BYTES_MAX,
    DistrictError,
    Document,
    Problem,
    Table,
    read_toml,
    shown,
)
from detector.workcalendar import WorkCalendar, build_calendar

__all__ = [
    "COLUMNS",
    "ROLES",
    "District",
    "DistrictError",
    "Limits",
    "Person",
    "district_from",
    "load_district",
]

DISTRICT, RULEBOOK = "district.toml", "rulebook.toml"
CHANNELS = "channels.toml"
LATER = (
    CHANNELS,
    "scoring.toml",
)  # the latter is read to see that it is TOML; its owner comes later
OFFICE_HOURS = (("09:00", "12:00"), ("13:30", "17:30"))
SPANS_MAX = 48
DATES_MAX = 5_000
DEPARTMENTS_MAX = 5_000
YEARS = (1990, 2100)  # that a calendar knows
TIME_ZONE, BASE, DROP = "Asia/Shanghai", "CN", ("reporter_*",)  # where a district says nothing
LIMIT_BOUNDS = {
    "lateness_s": (0, 31 * 86_400),
    "case_events_max": (1, 1_000_000),
    "clock_jump_days_max": (1, 36_600),
    "source_lines_per_minute_max": (0, 1_000_000_000),
}
TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00", re.ASCII)
NEEDED = (*CODES, "kind", "event_id", "action", "occurred_at", "recorded_at", "received_at")
_CALENDAR_FAULT = re.compile(r"([\w.]+)(?:\[(\d+)\])?: ([^;]+)(?:; (.*))?", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Limits:
    """`[limits]` of district.toml."""

    lateness_s: int = 60
    case_events_max: int = 10_000
    clock_jump_days_max: int = 366
    source_lines_per_minute_max: int = 0  # over HTTP; 0: any number


@dataclass(frozen=True, slots=True)
class District:
    """A district whose files are all sound; `notes` tell oddities that are no mistakes."""

    code: str
    name: str
    time_zone: str
    office_hours: tuple[tuple[str, str], ...]
    profile: str
    ladder: Ladder  # what the profile says of tiers, notices, points and rules
    calendar: WorkCalendar
    privacy_drop: tuple[str, ...]  # field names, "*" stands for any letters
    limits: Limits
    catalogue: Catalogue
    people: dict[str, Person]
    rulebook_doc: Document  # empty where the file is absent
    notes: tuple[str, ...]
    digest: str  # SHA-256 (hex) over the names and bytes of the files that make up the district
    channels: Channels = field(default_factory=Channels)
    departments: Mapping[str, str] = field(default_factory=dict)  # code → name, where it has one
    gate: GateLimits = field(default_factory=GateLimits)
    learning: LearnSettings = field(default_factory=LearnSettings)

    @property
    def rulebook(self) -> Mapping[str, Any]:
        """rulebook.toml as TOML gave it; {} where there is none. The shelf checks it."""
        return self.rulebook_doc.values

    @property
    def rulebook_text(self) -> str:
        return self.rulebook_doc.text

    @property
    def rulebook_path(self) -> str:
        return self.rulebook_doc.file


def load_district(path: Path | str) -> District:
    """The district in a folder. Raises `DistrictError` with every mistake."""
    return district_from(read_folder(Path(path)))


def paths_of(folder: Path) -> list[Path]:
    """Where the files of a district may stand in its folder."""
    paths = [folder / name for name in (DISTRICT, PEOPLE, RULEBOOK, PROFILE, *LATER)]
    tables = sorted(p for p in folder.glob("catalogue/*.toml") if not p.name.startswith("."))
    return [*paths, *tables[: FILES_MAX + 1]]


def read_folder(folder: Path) -> dict[str, bytes]:
    """The files that make up a district, name → bytes; others in the folder are left alone.

    No file is read far beyond its size limit. Raises `DistrictError` for what cannot be read.
    """
    if not folder.is_dir():
        reason = "is not a folder"
        raise DistrictError([Problem(str(folder), "", reason, remedy="name a district folder")])
    files: dict[str, bytes] = {}
    problems: list[Problem] = []
    for path in paths_of(folder):
        name = path.relative_to(folder).as_posix()
        try:
            if not path.exists():
                continue
            if not path.is_file():
                raise OSError("is not a file")
            with path.open("rb") as stream:
                bytes_max = PEOPLE_BYTES_MAX if path.name == PEOPLE else TOML_BYTES_MAX
                files[name] = stream.read(bytes_max + 1)
        except OSError as fault:
            reason = fault.strerror or str(fault)
            problems.append(Problem(name, "", f"cannot be read: {reason}", remedy="mend that"))
    if problems:
        raise DistrictError(problems)
    if PROFILE not in files and DISTRICT in files:  # so that its bytes hold all that judges
        files[PROFILE] = shipped(_profile_of(files[DISTRICT]))
    return files


def _profile_of(data: bytes) -> str:
    """The profile that district.toml names; what is wrong with it is said when it is read."""
    doc = read_toml(DISTRICT, data, [])
    told = doc.values.get("profile") if doc else None
    return told if isinstance(told, str) else PROFILES[0]


def district_from(files: Mapping[str, bytes]) -> District:
    """The district of these files (name in the folder → bytes). Raises `DistrictError`."""
    problems: list[Problem] = []
    notes: list[str] = []
    tables = {name: files[name] for name in files if name.startswith("catalogue/")}
    for name in (DISTRICT, PEOPLE):
        if name not in files:
            problems.append(Problem(name, "", "is missing", remedy="every district needs it"))
    if not tables:
        problems.append(Problem("catalogue", "", "holds no *.toml", remedy="add catalogue/….toml"))
    docs = {n: read_toml(n, files[n], problems) for n in (DISTRICT, RULEBOOK, *LATER) if n in files}
    doc = docs.get(DISTRICT)
    own = files.get(PROFILE)
    settings, day_us = _settings(doc.root(problems), own, notes) if doc else ({}, None)
    catalogue = read_catalogue(tables, day_us, problems, notes) if tables else Catalogue({})
    people = read_people(files.get(PEOPLE, b""), problems)
    channels, ways = Channels(), docs.get(CHANNELS)
    if ways is not None and settings.get("calendar") is not None:
        channels = read_channels(ways, settings["calendar"].zone, problems)
    if problems:
        raise DistrictError(problems)
    return District(
        **settings,
        catalogue=catalogue,
        people=people,
        rulebook_doc=docs.get(RULEBOOK) or Document(RULEBOOK, "", {}, {}),
        notes=tuple(notes),
        digest=_digest(files),
        channels=channels,
    )


def same_district(held: District, new: District, files: Mapping[str, bytes]) -> list[Problem]:
    """What may not change while a ledger goes on: whose cases these are, and their wall clock."""
    problems: list[Problem] = []
    doc = read_toml(DISTRICT, files[DISTRICT], problems)
    for key in ("code", "time_zone"):
        was, now = getattr(held, key), getattr(new, key)
        if doc is not None and was != now:
            reason = f"is {shown(now)}, and the ledger was begun with {shown(was)}"
            remedy = "give that back, or begin another ledger with --data"
            problems.append(doc.problem((key,), reason, remedy))
    return problems


def _digest(files: Mapping[str, bytes]) -> str:
    total = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode("utf-8", "surrogateescape"), files[name]):
            total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()


def _settings(
    root: Table, own: bytes | None, notes: list[str]
) -> tuple[dict[str, Any], int | None]:
    """Fields of `District` from district.toml, and the working time of a day if it is known."""
    code = root.text("code", chars_max=CODE_BYTES_MAX)
    name = root.text("name", code)
    zone = root.text("time_zone", TIME_ZONE)
    hours = _office_hours(root)
    profile = root.choice("profile", PROFILES, "default")
    ladder = read_ladder(shipped(profile) if own is None else own, root, root.problems)
    calendar, day_us = _calendar(root, zone, hours)
    privacy = root.table("privacy")
    drop = _drop(privacy)
    privacy.close()
    limits, gate = _limits(root.table("limits")), read_gate(root)
    departments, learning = _departments(root.table("departments")), read_learning(root)
    root.close()
    for key, taken in (("time_zone", zone), ("office_hours", ", ".join(map("–".join, hours)))):
        if root.take(key) is None:
            notes.append(f"{DISTRICT}: {key}: is not given, so it is {taken}")
    settings: dict[str, Any] = {"code": code, "name": name, "time_zone": zone}
    settings |= {"office_hours": hours, "profile": profile, "ladder": ladder, "calendar": calendar}
    settings |= {"privacy_drop": drop, "limits": limits, "departments": departments, "gate": gate}
    settings["learning"] = learning
    return settings, day_us


def _departments(table: Table) -> dict[str, str]:
    """Names by code; any code may have one, whether the district's people know it or not."""
    if len(table.keys) > DEPARTMENTS_MAX:
        remedy = "leave out those that are gone"
        table.fault((), f"names more than {DEPARTMENTS_MAX} departments", remedy)
        return {}
    told = {code: table.text(code) for code in table.keys}
    table.close()
    return told


def _limits(table: Table) -> Limits:
    told = {name: table.whole(name, *bounds) for name, bounds in LIMIT_BOUNDS.items()}
    table.close()
    return Limits(**{name: value for name, value in told.items() if value is not None})


def _drop(privacy: Table) -> tuple[str, ...]:
    """Field patterns to remove; one that would remove what every event needs is refused."""
    patterns = privacy.texts("drop", DROP)
    for pattern in patterns:
        lost = [name for name in NEEDED if fnmatchcase(name, pattern)]
        if not all(letter.isalnum() or letter in "_*.:-" for letter in pattern):
            privacy.fault("drop", f"{shown(pattern)} is no field name", "use letters, _ and *")
        elif lost:
            reason = f"{shown(pattern)} would remove {lost[0]}, which every event needs"
            privacy.fault("drop", reason, "name the fields to remove more closely")
    return patterns


def _office_hours(root: Table) -> tuple[tuple[str, str], ...]:
    """Pairs of HH:MM, as written; () after a problem."""
    rows = root.rows("office_hours")
    if rows is None:
        return OFFICE_HOURS
    known = len(root.problems)
    if not 0 < len(rows) <= SPANS_MAX:
        remedy = 'write [["09:00", "12:00"], ["13:30", "17:30"]]'
        root.fault("office_hours", f"has {len(rows)} pairs, not 1 to {SPANS_MAX}", remedy)
    for index, pair in enumerate(rows[:SPANS_MAX]):
        times = pair if isinstance(pair, list) and len(pair) == 2 else ["", ""]
        if not all(TIME.fullmatch(str(time)) for time in times) or times[0] >= times[1]:
            reason = "is not a pair of times, the earlier one first, from 00:00 to 24:00"
            root.fault(("office_hours", index), reason, 'write ["09:00", "12:00"]')
    return () if len(root.problems) > known else tuple((a, b) for a, b in rows)


def _calendar(
    root: Table, zone: str, hours: tuple[tuple[str, str], ...]
) -> tuple[WorkCalendar | None, int | None]:
    """The calendar, and its day's working time, which may be known where the calendar is not."""
    table = root.table("calendar")
    given: dict[str, Any] = {
        "base": table.text("base", BASE) or "none",
        "zone_name": zone or "UTC",
        "office_hours": hours or OFFICE_HOURS,
        "covered_to": table.whole("covered_to", *YEARS),
        "off": _dates(table, "off"),
        "work": _dates(table, "work"),
    }
    table.close()
    try:
        calendar = build_calendar(**given)
        return calendar, calendar.day_us if hours else None
    except ValueError as fault:
        day_us, faults = None, [str(fault)]
    # It stops at the first mistake, so ask for one part at a time to hear of the others too.
    plain = {"base": "none", "zone_name": "UTC", "office_hours": OFFICE_HOURS}
    for part in (("zone_name",), ("office_hours",), ("base", "covered_to"), ("off", "work")):
        try:
            calendar = build_calendar(**(plain | {name: given[name] for name in part}))
            if part == ("office_hours",) and hours:
                day_us = calendar.day_us
        except ValueError as fault:
            faults.append(str(fault))
    root.problems.extend(_calendar_problem(root.doc, fault) for fault in dict.fromkeys(faults))
    return None, day_us


def _calendar_problem(doc: Document, fault: str) -> Problem:
    """`calendar.off: is wrong; mend it`, as workcalendar says it, with its line."""
    told = _CALENDAR_FAULT.fullmatch(fault)
    if not told:
        return doc.problem(("calendar",), fault, "correct it")
    index = (int(told[2]),) if told[2] else ()
    return doc.problem((*told[1].split("."), *index), told[3], told[4] or "correct it")


def _dates(table: Table, key: str) -> list[date]:
    rows = table.rows(key) or []
    if len(rows) > DATES_MAX:
        table.fault(key, f"has {len(rows)} days, more than {DATES_MAX}", "remove what is long past")
    days = []
    for index, row in enumerate(rows[:DATES_MAX]):
        try:
            day = date.fromisoformat(row) if isinstance(row, str) else row
        except ValueError:
            day = None
        if (
            isinstance(day, date)
            and not isinstance(day, datetime)
            and YEARS[0] <= day.year <= YEARS[1]
        ):
            days.append(day)
        else:
            reason = f"{shown(row)} is not a day from 1990 to 2100"
            table.fault((key, index), reason, 'write "2026-03-05"')
    return days
