"""A small town on a fake clock: events and acts go in, notices are looked at."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from detector.columns import Words, from_events
from detector.district import District, district_from
from detector.engine import Engine
from detector.event import Event, Fact, Reading, read_event, read_fact
from detector.notice import Notice, NoticeMove, canonical
from detector.notice_walk import Walked
from detector.shelf import Rulebook, configure, load_shelf
from detector.values import read_time
from detector.verdict import Finding

SHELF = load_shelf()
PEOPLE = """person,name,role,department,phone,level
P1,甲,operator,D01,13900000001,1
P2,乙,operator,D01,13900000002,1
S1,丙,supervisor,D01,13900000003,1
H1,丁,leader,D01,13900000004,1
L2,戊,supervisor,D09,13900000005,2
"""
DISTRICT = """code = "000000"
name = "例子区"
time_zone = "Asia/Shanghai"
office_hours = [["09:00", "12:00"], ["13:30", "17:30"]]
profile = "{profile}"
{more}
[calendar]
base = "CN"
covered_to = 2026
{calendar}
"""
CATALOGUE = """[[items]]
code = "permit"
name = "许可"
type = "01"
promised_days = 7
statutory_days = 10
[[items.steps]]
code = "accept"
[[items.steps]]
code = "survey"
"""


def town_of(
    profile: str = "default", more: str = "", people: str = PEOPLE, calendar: str = "",
    rulebook: str = "", channels: str = "",
) -> District:  # fmt: skip
    """The town's district."""
    files = {
        "district.toml": DISTRICT.format(profile=profile, more=more, calendar=calendar),
        "catalogue/a.toml": CATALOGUE, "people.csv": people, "rulebook.toml": rulebook,
        "channels.toml": channels,
    }  # fmt: skip
    return district_from({name: text.encode() for name, text in files.items()})


class Town:
    """One engine with its state, fed as things happen."""

    def __init__(self, district: District | None = None, only: tuple[str, ...] = ()) -> None:
        self.district = district or town_of()
        self.engine = self._engine(self.district, only)
        self.only = only
        self.state = self.engine.new_state(Words())
        self.notices: dict[str, Notice] = {}
        self.lines: dict[str, bytes] = {}
        self.moves: list[NoticeMove] = []
        self.sends: list[Any] = []
        self.findings: dict[str, Finding] = {}
        self.unknown: list[tuple[str, str]] = []
        self.count = 0

    def _engine(self, district: District, only: tuple[str, ...]) -> Engine:
        book = configure(SHELF, district)
        rules = tuple(c for c in book.rules if not only or c.rule.id in only)
        return Engine(district, Rulebook(rules, book.digest))

    def instant(self, text: str) -> int:
        """µs UTC of the town's clock."""
        return read_time(text, self.district.calendar.zone)

    def text(self, at: int) -> str:
        """The town's clock."""
        return self.engine.teller.stamps(np.array([at]))[0][:19].replace("T", " ")

    def event(self, case: str, action: str, at: str, **told: Any) -> Event:
        """An event of the town."""
        self.count += 1
        line = {
            "event_id": f"e{self.count}", "case_id": case, "action": action, "item": "permit",
            "department": "D01", "operator": "P1", "recorded_at": at, "occurred_at": at,
        }  # fmt: skip
        return read_event(line | told, Reading(self.district.calendar.zone))

    def act(self, act: str, notice: str, at: str, actor: str = "S1", **told: Any) -> Fact:
        """An act on a notice."""
        self.count += 1
        line = {
            "act_id": f"a{self.count}", "notice_id": notice, "act": act, "actor": actor, "at": at,
        }  # fmt: skip
        return read_fact("act", line | told, Reading(self.district.calendar.zone))

    def feed(self, *inputs: Event | Fact) -> None:
        """One batch."""
        events = [one for one in inputs if isinstance(one, Event)]
        facts = [one for one in inputs if isinstance(one, Fact)]
        batch = from_events(events, self.state.cases.words, facts=facts)
        self.state, effects = self.engine.step(self.state, batch)
        self.take(effects)

    def take(self, effects: Any) -> None:
        """Keep what was caused."""
        walked: Walked = effects.notices
        self.moves += walked.moves
        self.sends += walked.sends
        self.notices |= walked.touched
        self.lines |= {i: canonical(n) for i, n in walked.touched.items()}
        for move in effects.moves:
            if isinstance(move, Finding):
                self.findings[move.finding_id] = move
            else:
                gone = msgspec.structs.replace(self.findings[move.finding_id])
                gone.withdrawn = move if move.reason else None
                self.findings[move.finding_id] = gone
        self.unknown += [(u.rule, u.reason) for u in effects.undetermined for _ in u.rows]

    def tick(self, at: str) -> None:
        """Time passes."""
        now = self.instant(at)
        self.feed(Fact(kind="tick", received_at=now, fields={"at": now}))

    def told(self, notice: Notice, since: int = 0) -> list[str]:
        """The history of a notice: `when from→to reason (actor)`."""
        return [
            f"{self.text(m.at)} {m.before or '·'}→{m.after or '·'} {m.reason} ({m.actor})"
            for m in self.moves
            if m.notice_id == notice.notice_id
        ][since:]

    def about(self, subject: str) -> Notice:
        """The latest notice about a subject."""
        return [n for n in self.notices.values() if n.subject == subject][-1]

    def heard(self, notice: Notice) -> list[str]:
        """`when person occasion` of what went out to persons."""
        return [
            f"{self.text(s.at)} {s.person} {s.occasion}"
            for s in self.sends
            if s.notice.notice_id == notice.notice_id and s.person != "*"
        ]
