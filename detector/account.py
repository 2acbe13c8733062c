"""The account of a finding (计时明细): which days counted and how long, where its limit stands, and
the smallest change that would have cleared it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from detector.district import District
from detector.rulekit import UNITS, Rule
from detector.shelf import Rulebook
from detector.values import DAY_US, SECOND_US, date_of, read_time
from detector.verdict import Finding, Text, show_number

DAYS_MAX = 400  # rows of one account; a longer clock is told by its first and last days
NAMED = ("subject", "case_id", "item", "department", "step", "operator", "value", "limit", "at")
_HOUR = 3_600 * SECOND_US
_OVER = {  # what ends each kind of clock
    "case": ("办结", "the close"), "acceptance": ("受理或答复", "the answer"),
    "issue": ("出证", "the licence"), "step": ("该环节", "the step"),
    "stall": ("任一环节", "any step"), "procedure": ("特别程序结果", "its end"),
    "answer": ("答复", "the answer"),
}  # fmt: skip


class Day(msgspec.Struct, frozen=True):
    """One local day of a clock: hours of work that counted, and all of them so far."""

    date: str
    works: bool
    hours: int | float
    total_hours: int | float


@dataclass(frozen=True)
class Account:
    """How a finding came about, as an auditor checks it."""

    limit_from: str  # file and line, or the event or parameter that set the limit
    days: list[Day]
    left_out: int  # days between those told
    not_counted_hours: int | float  # of working time, by suspensions
    cleared_by: Text

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "limit_from": self.limit_from, "days": msgspec.to_builtins(self.days),
            "left_out": self.left_out, "not_counted_hours": self.not_counted_hours,
            "cleared_by": msgspec.to_builtins(self.cleared_by),
        }  # fmt: skip


def account(finding: Finding, district: District, rulebook: Rulebook) -> Account | None:
    """The account of a finding under the rulebook in force; None where its rule is not in it."""
    configured = next((c for c in rulebook.rules if c.rule.id == finding.rule), None)
    if configured is None:
        return None
    rule, zone = configured.rule, district.calendar.zone
    begun = finding.evidence.get("start_at") or finding.evidence.get("accept_occurred_at")
    days: list[Day] = []
    not_counted = 0
    if rule.clock is not None and begun:
        start, end = read_time(begun, zone), read_time(finding.at, zone)
        days = _days(district, start, end)
        not_counted = _not_counted(finding, rule, district, start, end)
    shown, left = days, 0
    if len(days) > DAYS_MAX:
        left = len(days) - DAYS_MAX
        shown = days[: DAYS_MAX // 2] + days[-DAYS_MAX // 2 :]
    return Account(
        _limit_from(finding, rule, district), shown, left, show_number(not_counted, _HOUR),
        cleared_by(finding, rule),
    )  # fmt: skip


def _days(district: District, start: int, end: int) -> list[Day]:
    calendar = district.calendar
    first, last = int(calendar.day(start)), int(calendar.day(end))
    edges = calendar.zone.utc(np.arange(first, last + 2) * DAY_US)
    at = np.clip(edges, start, max(start, end))
    work = calendar.work(at)
    _, works = calendar.workday(edges[:-1])
    rows = zip(np.diff(work).tolist(), (work[1:] - work[0]).tolist(), works.tolist(), strict=True)
    return [
        Day(
            date_of(first + n).isoformat(), on,
            show_number(mine, _HOUR), show_number(total, _HOUR),
        )
        for n, (mine, total, on) in enumerate(rows)
    ]  # fmt: skip


def _not_counted(finding: Finding, rule: Rule, district: District, start: int, end: int) -> int:
    """Working time between start and instant that suspensions took out (µs)."""
    assert rule.clock is not None
    if rule.clock.kind != "case" or finding.limit is None:
        return 0
    band = next(b for b in rule.bands if b.code == finding.reason.code)
    day = district.calendar.day_us
    due = round((finding.limit * band.share + band.edge) * day)
    return max(0, int(district.calendar.between(start, end)) - due)


def _limit_from(finding: Finding, rule: Rule, district: District) -> str:
    item = district.catalogue.items.get(finding.item or "")
    clock = rule.clock
    if clock is not None and clock.kind == "case":
        if finding.limit is None:
            return "due_at, stated by an event of the case"
        if item is not None and getattr(item, clock.limit) == finding.limit:
            return f"{item.where}: {clock.limit} of item {item.code}"
        return f"{clock.limit}, stated by an event of the case"
    if clock is not None and clock.kind == "step":
        return f"{item.where}: limit_hours of its step" if item else "the catalogue"
    if clock is not None and clock.kind == "procedure":
        return "days_granted, stated by the suspension"
    named = [p.name for p in rule.params] if rule.params else []
    set_by = f"rulebook.toml or profile.toml: rules.{rule.id}"
    if clock is not None:
        return f"{set_by}.{clock.limit}"
    return f"{set_by}.{named[0]}" if named else f"{set_by}.bands"


def cleared_by(finding: Finding, rule: Rule) -> Text:
    """The smallest change that would have cleared it, or would clear it where it is asked
    beforehand."""
    if rule.clock is not None:
        zh, en = _OVER[rule.clock.kind]
        stamp = finding.at[:19].replace("T", " ")
        return Text(
            f"{zh}不晚于 {stamp} 录入，或经批准豁免", f"{en} recorded by {stamp}, or exempted"
        )
    if rule.remedy_zh:
        told = _spoken(finding)
        zh, en = (text.format_map(told) for text in (rule.remedy_zh, rule.remedy_en))
        return Text(f"{zh}，或经批准豁免", f"{en}, or exempted")
    if finding.limit is None:
        return Text("经批准豁免", "an exemption")
    short = round(abs(finding.value - finding.limit), 6)
    short = int(short) if short == int(short) else short
    _, unit_zh, unit_en = UNITS[finding.unit]
    more = finding.value < finding.limit
    return Text(
        f"{'多' if more else '少'} {short} {unit_zh}，或经批准豁免",
        f"{short} {unit_en} {'more' if more else 'less'}, or exempted",
    )


def _spoken(finding: Finding) -> dict[str, Any]:
    """What a remedy may name."""
    told = {name: getattr(finding, name) for name in NAMED} | finding.evidence
    return {n: "、".join(v) if isinstance(v, list | tuple) else v for n, v in told.items()}
