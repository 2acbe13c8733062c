"""The account of a finding (计时明细): which days counted and how long, where its limit stands, and
the smallest change that would have cleared it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import msgspec
import numpy as np

from detector.district import District
from detector.rulekit import UNITS, Rule
from detector.shelf import Rulebook
from detector.values import DAY_US, SECOND_US, date_of, read_time
from detector.verdict import Finding, Text, show_number

COUNTED = ("wd", "work_days", "h")  # units that Chinese counts with 个
DAYS_MAX = 400  # rows of one account; a longer clock is told by its first and last days
NAMED = ("subject", "case_id", "item", "department", "step", "operator", "value", "limit", "at")
_HOUR = 3_600 * SECOND_US
_DAYS = {"promised_days": "承诺时限", "statutory_days": "法定时限"}
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

    limit_from: Text  # file and line, or the event or parameter that set the limit
    days: list[Day]
    left_out: int  # days between those told
    not_counted_hours: int | float  # of working time, by suspensions
    cleared_by: Text

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "limit_from": msgspec.to_builtins(self.limit_from),
            "days": msgspec.to_builtins(self.days),
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


def _limit_from(finding: Finding, rule: Rule, district: District) -> Text:
    item = district.catalogue.items.get(finding.item or "")
    clock = rule.clock
    if clock is not None and clock.kind == "case":
        if finding.limit is None:
            return Text("办件记录写明的截止时间 due_at", "due_at, stated by an event of the case")
        days = _DAYS[clock.limit]
        if item is not None and getattr(item, clock.limit) == finding.limit:
            zh = f"{_line(item.where)}：事项“{item.name}”的{days}"
            return Text(zh, f"{item.where}: {clock.limit} of item {item.code}")
        return Text(f"办件记录写明的{days}", f"{clock.limit}, stated by an event of the case")
    if clock is not None and clock.kind == "step":
        if item is None:
            return Text("权力目录", "the catalogue")
        zh = f"{_line(item.where)}：事项“{item.name}”中该环节的时限"
        return Text(zh, f"{item.where}: limit_hours of its step")
    if clock is not None and clock.kind == "procedure":
        return Text("特别程序申请写明的天数", "days_granted, stated by the suspension")
    named = [p.name for p in rule.params] if rule.params else []
    key = f"rules.{rule.id}.{clock.limit if clock else named[0] if named else 'bands'}"
    if rule.learner:
        return Text(f"学习所得，设置项 {key}", f"learned; the setting is {key}")
    return Text(
        f"规则设置 {key}（rulebook.toml 或 profile.toml）", f"rulebook.toml or profile.toml: {key}"
    )


def _line(where: str) -> str:
    """A place in a file of the catalogue, in Chinese."""
    file, _, line = where.rpartition(":")
    return f"权力目录 {file} 第 {line} 行"


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
        zh, en = _remedies(finding, rule)
        return Text(f"{zh}，或经批准豁免", f"{en}, or exempted")
    if finding.limit is None or finding.unit == "status":
        return Text("经批准豁免", "an exemption")
    more, short = finding.value < finding.limit, abs(finding.value - finding.limit)
    if not short:  # it is raised from the limit on
        zh, en = _amount(finding.limit, finding.unit)
        return Text(f"不到 {zh}，或经批准豁免", f"less than {en}, or exempted")
    zh, en = _amount(ceil(round(short * 100, 4)) / 100, finding.unit)
    return Text(
        f"{'多' if more else '少'} {zh}，或经批准豁免",
        f"{en} {'more' if more else 'less'}, or exempted",
    )


def _amount(value: int | float, unit: str) -> tuple[str, str]:
    """A number with its unit, in Chinese and English; fen as yuan, ‰ as points of percent."""
    if unit == "fen":
        return f"{value / 100:,.2f} 元", f"CNY {value / 100:,.2f}"
    if unit == "permille":
        return f"{value / 10:g} 个百分点", f"{value / 10:g} points"
    _, zh, en = UNITS[unit]
    counted = "个" if unit in COUNTED else ""
    return f"{value:.10g} {counted}{zh}", f"{value:.10g} {en}"


def _remedies(finding: Finding, rule: Rule) -> tuple[str, str]:
    """What the rule itself says would clear it, with its names spelled out."""
    told = {name: getattr(finding, name) for name in NAMED} | finding.evidence
    told = {n: "、".join(v) if isinstance(v, list | tuple) else v for n, v in told.items()}
    zh, en = rule.remedy_zh, rule.remedy_en
    if rule.unit == "fen":
        told["value_zh"], told["value_en"] = _amount(finding.value, rule.unit)
        zh, en = zh.replace("{value} 分", "{value_zh}"), en.replace("{value} fen", "{value_en}")
    return zh.format_map(told), en.format_map(told)
