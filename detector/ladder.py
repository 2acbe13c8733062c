"""A region's ladder of tiers (阶梯): names, colours, deadlines and points, shipped as a profile.

A profile is a TOML file; its `[rules]` are settings that the rulebook of a district may override.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from detector.tomlfile import Document, Problem, Table, read_toml, shown

PROFILES = ("default", "hunan", "jiangsu", "chengdu")
PROFILE = "profile.toml"  # a district may hold one of its own
TIERS = ("remind", "warn", "urge", "rectify")
COLOURS = ("blue", "yellow", "orange", "red")
NOTICES = (
    "acknowledge_wd", "answer_warn_wd", "answer_urge_wd", "answer_rectify_wd", "urge_wd",
    "close_wd",
)  # fmt: skip
MORE_NOTICES = {  # working days that a profile may leave out, and two that are tiers
    "review_wd": 5, "appeal_wd": 5, "release_wd": 1, "lift_wd": 20, "repeat_wd": 5,
    "lift_tier_max": 0, "by_hand_from_tier": 5,
}  # fmt: skip
ROLES = ("operator", "supervisor", "leader", "level_2")  # who may be meant by a word
RECIPIENTS: dict[str, tuple[str, ...]] = {  # by tier, and at level 2
    "remind": ("operator", "supervisor"), "warn": ("operator", "supervisor"),
    "urge": ("supervisor", "leader"), "rectify": ("supervisor", "leader"),
    "level_2": ("level_2",),
}  # fmt: skip
SPECIAL_MAX = 2_000
DAYS_MOST = 3_660  # of a notice
POINTS_MOST = 100  # that one finding may cost
_FOLDER = Path(__file__).resolve().parent / "profiles"


@dataclass(frozen=True, slots=True)
class Rung:
    """One tier: what people call it and its colour."""

    tier: int
    zh: str
    en: str
    colour: str


@dataclass(frozen=True, slots=True)
class Special:
    """Who receives notices that fit, instead of the usual ones; None fits any. A street (街道) is
    a department of its own."""

    to: tuple[str, ...]  # roles, or persons of people.csv
    item: str | None = None
    department: str | None = None
    tier: int | None = None
    level: int | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """A region's tiers, the working days of its notices, and its published points."""

    name: str
    zh: str
    source: str
    tiers: tuple[Rung, ...]
    notices: dict[str, int]  # working days
    points: dict[str, Decimal]  # rule → points that one finding costs
    rules: Document = field(repr=False)  # settings of rules: its table `rules`
    recipients: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(RECIPIENTS))
    special: tuple[Special, ...] = ()
    duty: str = ""  # the duty officer (值班员), who gets what nobody else can be found for


def shipped(name: str) -> bytes:
    """The text of a shipped profile."""
    return (_FOLDER / f"{name if name in PROFILES else PROFILES[0]}.toml").read_bytes()


def read_ladder(text: bytes, over: Table, problems: list[Problem]) -> Ladder | None:
    """The ladder of a profile's text; `over` (district.toml) may set its keys anew. None where the
    text is no TOML."""
    doc = read_toml(PROFILE, text, problems)
    if doc is None:
        return None
    root = doc.root(problems)
    name, zh, source = root.text("name"), root.text("zh"), root.text("source")
    tiers = _tiers(root.table("tiers"), over.table("tiers"))
    notices = _days(root.table("notices")) | _days(over.table("notices"), demanded=False)
    points = _points(root.table("points")) | _points(over.table("points"))
    root.take("rules")
    recipients, special, duty = dict(RECIPIENTS), list[Special](), ""
    for told in (root.table("recipients"), over.table("recipients")):
        some, rows, person = _recipients(told)
        recipients |= some
        special += rows
        duty = person or duty
    root.close()
    return Ladder(
        name, zh, source, tiers, MORE_NOTICES | notices, points, doc, recipients, tuple(special),
        duty,
    )  # fmt: skip


def _tiers(told: Table, over: Table) -> tuple[Rung, ...]:
    rungs = []
    for number, name in enumerate(TIERS):
        mine = over.take(name) is not None
        row = (over if mine else told).table(name)
        if told.take(name) is None and not mine:
            told.fault(name, "is missing", f"add {name} = {{ tier = {number}, … }}")
            continue
        tier = row.whole("tier", 0, len(TIERS) - 1)
        if tier != number:
            row.fault("tier", f"is not {number}, the tier of {name}", f"write tier = {number}")
        zh, en, colour = row.text("zh"), row.text("en"), row.choice("colour", COLOURS)
        rungs.append(Rung(number, zh, en, colour))
        row.close()
    told.close()
    over.close()
    return tuple(rungs)


def _days(table: Table, demanded: bool = True) -> dict[str, int]:
    days = {}
    for name in (*NOTICES, *MORE_NOTICES):
        value = table.whole(name, 0, DAYS_MOST)
        if value is not None:
            days[name] = value
        elif demanded and name in NOTICES and table.take(name) is None:
            table.fault(name, "is missing", f"add {name} = 5")
    table.close()
    return days


def _recipients(table: Table) -> tuple[dict[str, tuple[str, ...]], list[Special], str]:
    """Who receives at which tier, who instead of them, and the duty officer."""
    told = {name: some for name in RECIPIENTS if (some := table.texts(name, ()))}
    rows = table.tables("special")
    if len(rows) > SPECIAL_MAX:
        table.fault("special", f"has more than {SPECIAL_MAX} entries", "name whole departments")
    special = []
    for row in rows[:SPECIAL_MAX]:
        to = row.texts("to", ())
        if not to:
            row.fault("to", "names nobody", f"write roles ({', '.join(ROLES)}) or persons")
        special.append(
            Special(
                to, row.text("item", "") or None, row.text("department", "") or None,
                row.whole("tier", 0, 4), row.whole("level", 1, 2),
            )
        )  # fmt: skip
        row.close()
    duty = table.text("duty", "")
    table.close()
    return told, special, duty


def _points(table: Table) -> dict[str, Decimal]:
    points = {}
    for name in table.keys:
        value = table.take(name)
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and 0 <= value <= POINTS_MOST
        ):
            points[name] = Decimal(str(value))
        else:
            table.fault(
                name, f"{shown(value)} is no number of points from 0 to {POINTS_MOST}", "correct it"
            )
    return points
