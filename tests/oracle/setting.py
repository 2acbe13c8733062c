"""What a verdict depends on besides the inputs, and what verdicts are."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple, cast

from detector.event import Event
from detector.values import ABSENT

from .calendar import DAY, Calendar

DEFAULTS: dict[str, dict[str, Any]] = {
    "too_fast_step": {
        "default_limit_s": 60,
        "limits": [{"item": "*", "from": "accept", "to": "survey", "limit_s": 1800}],
    },
    "too_fast_case": {"limit_s": 300},
    "back_entry": {"limit_h": 24, "order_tolerance_s": 60},
    "batch_entry": {"ratio": 3},
    "major_penalty": {"default_limit_yuan": 5_000, "limits": []},
    "overdue_acceptance": {"limit_wd": 2},
    "overdue_issue": {"limit_wd": 3},
    "stalled_case": {"limit_days": 90},
}


class OStep(NamedTuple):
    """A step of an item's flow."""

    code: str
    duty: str | None = None
    required: bool = False
    limit_us: int | None = None  # working time that it may be held
    documents: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


class OBenchmark(NamedTuple):
    """The range of fines of one grade, for all parties or one kind of them."""

    grade: str
    party_kind: str | None = None
    least_fen: int = 0
    most_fen: int = 0
    factors: tuple[str, ...] = ()


@dataclass(frozen=True)
class OItem:
    """An item of the power catalogue, as far as the rules ask about it."""

    code: str
    kind: str = "promised"  # or on_the_spot
    promised_days: int | None = None
    statutory_days: int | None = None
    fee_fen: int | None = None
    steps: tuple[OStep | tuple[str, str | None], ...] = ()  # (code, duty) where there is no more
    pairs: tuple[tuple[str, str], ...] = ()  # duties that must be apart
    status: str = "in_use"  # or dormant, abolished
    type: str = "01"
    benchmarks: tuple[OBenchmark, ...] = ()

    @cached_property
    def flow(self) -> tuple[OStep, ...]:
        return tuple(OStep(*step) for step in self.steps)

    def position(self, step: str) -> int | None:
        """Where a step stands in the flow."""
        codes = [one.code for one in self.flow]
        return codes.index(step) if step in codes else None


@dataclass(frozen=True)
class Setting:
    """A district and its rulebook: everything a verdict depends on besides the inputs."""

    zone: str
    hours: tuple[tuple[int, int], ...]  # seconds of the local day
    is_working: Callable[[date], bool]
    covered_to: int | None = None
    lateness_s: int = 60
    case_events_max: int = 10_000
    operators_known: bool = True  # the source has a column of them
    reasons_known: bool = True
    documents_known: bool = True
    fields_known: bool = True
    items: dict[str, OItem] = field(default_factory=dict)
    params: dict[str, dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def calendar(self) -> Calendar:
        return Calendar(self.zone, self.hours, self.is_working)

    def param(self, rule: str, name: str) -> Any:
        return self.params.get(rule, {}).get(name, DEFAULTS.get(rule, {}).get(name))

    def mode(self, rule: str) -> str:
        return str(self.param(rule, "mode") or "on")

    def limited(self, rule: str, here: Mapping[str, str | None], value: str, default: str) -> int:
        """The rule's limit by the most specific entry of its `limits`, then the last of them."""
        limit, most = self.param(rule, default), -1
        for entry in self.param(rule, "limits"):
            named = {k: entry.get(k) for k in here if entry.get(k) not in (None, "*")}
            if all(here[k] == name for k, name in named.items()) and len(named) >= most:
                limit, most = entry[value], len(named)
        return int(limit)

    def on_the_spot(self, item: str) -> bool:
        return item in self.items and self.items[item].kind == "on_the_spot"

    def step(self, e: Event) -> OStep | None:
        """The event's step in the flow of its own item."""
        at = self.position(e)
        return None if at is None else self.items[e.item].flow[at]

    def position(self, e: Event) -> int | None:
        """Where the event's step stands in the flow of its own item."""
        return self.items[e.item].position(step_of(e)) if e.item in self.items else None

    def item_fee(self, e: Event) -> int | None:
        return self.items[e.item].fee_fen if e.item in self.items else None

    def no_fee(self, e: Event) -> str:
        return "no_item_fee" if e.item in self.items else "item_not_listed"

    def date_only(self, *instants: int) -> bool:
        return any(self.calendar.wall(instant) % DAY == 0 for instant in instants)

    def exempt(
        self, rule: str, at: int, item: str | None, department: str, step: str | None
    ) -> bool:
        """Whether an exemption covers it; one that names what the offence has not does not."""
        day = self.calendar.day(at)
        has = {"item": item, "department": department, "step": step}
        for entry in self.param(rule, "exempt") or ():
            named = {k: entry.get(k) for k in has if entry.get(k) not in (None, "*")}
            until = entry.get("until")
            over = until is not None and day > date.fromisoformat(str(until))
            if not over and all(has[k] == value for k, value in named.items()):
                return True
        return False

    def muted(self, rule: str, **holds: bool) -> str | None:
        """The first of the mutes that holds, else whether the rule is in shadow mode."""
        shadow = "shadow" if self.mode(rule) == "shadow" else None
        return next((mute for mute, it_holds in holds.items() if it_holds), shadow)


@dataclass
class OFinding:
    """One finding and its state at the end."""

    rule: str
    tier: int
    reason: str
    subject_kind: str
    subject: str
    case_id: str | None
    department: str
    item: str | None
    step: str | None
    operator: str | None
    at: int
    value: int
    limit: int | None
    events: tuple[str, ...]
    muted: str | None
    withdrawn: str | None = None


@dataclass
class Verdicts:
    """All that a stream of inputs comes to."""

    findings: dict[str, OFinding] = field(default_factory=dict)
    undetermined: Counter[tuple[str, str]] = field(default_factory=Counter)
    duplicates: int = 0
    refused: list[tuple[int, str, str]] = field(default_factory=list)


def step_of(e: Event) -> str:
    return e.step or e.action


def finding_id(rule: str, kind: str, subject: str, cause: Iterable[Any]) -> str:
    text = json.dumps([rule, kind, subject, *cause], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def ids(*events: Event) -> tuple[str, ...]:
    return tuple(cast(str, e.event_id) for e in events)


def first(past: Sequence[Event], action: str) -> Event | None:
    return next((e for e in past if e.action == action), None)


def last_stated(events: Sequence[Event], name: str) -> int | None:
    stated = [getattr(e, name) for e in events if getattr(e, name) != ABSENT]
    return stated[-1] if stated else None
