"""Findings in words: evidence, value and limit in the reader's unit, and a bilingual sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np

from detector.evaluate import TEXT_OF, Raised
from detector.rulekit import ORDINARY_EVIDENCE, Rule
from detector.shelf import Configured
from detector.values import ABSENT, SECOND_US, read_time
from detector.verdict import Finding, Reason, Text, Withdrawn, finding_id, show_number
from detector.workcalendar import WorkCalendar, Zone

ABSENT_TEXT = "—"
_FEW = 12  # instants that are spelled one by one sooner than as a column
_EPOCH, _YEAR_10000 = datetime(1970, 1, 1), 253_402_300_800 * SECOND_US
CHINESE = {  # the field's words for actions and duties, where a catalogue has no name of its own
    "apply": "申请", "preaccept": "网上预受理", "accept": "受理", "return": "退回",
    "correct": "补交告知", "corrected": "补交受理", "suspend": "特别程序申请",
    "resume": "特别程序结果", "survey": "勘查", "review": "审核", "decide": "决定", "pay": "缴费",
    "issue": "出证", "deliver": "送达", "close": "办结",
    "hearing": "听证", "tender": "招标", "auction": "拍卖", "inspection": "检验",
    "testing": "检测", "quarantine": "检疫", "appraisal": "鉴定", "expert_review": "专家评审",
    "extension": "延长审批", "publicity": "公示",
}  # fmt: skip
_NOTHING = dict.fromkeys(("case_id", "item", "department", "step", "operator"))


@cache
def _reason(code: str, zh: str, en: str) -> Reason:
    return Reason(code, zh, en)


@cache
def _stamped(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(n for n in names if n.endswith("_at"))


def stamps_of(zone: Zone, instants: np.ndarray) -> list[str]:
    """Instants as RFC 3339 on a zone's wall clock, with offset."""
    local = np.asarray(zone.local(instants))
    if len(local) <= _FEW:  # as they mostly are
        few = local.tolist()
        if all(0 <= one < _YEAR_10000 for one in few):
            return list(map(_stamp, few, instants.tolist()))
    whole = not (local % SECOND_US).any()
    texts = np.datetime_as_string(local.astype("M8[us]"), unit="s" if whole else "us").tolist()
    offsets = ((local - instants) // (60 * SECOND_US)).tolist()
    told = zip(texts, offsets, strict=True)
    return [(t if whole else _trim(t)) + _offset(o) for t, o in told]


def _stamp(local: int, instant: int) -> str:
    """The same of one: plain integers cost a tenth of columns there."""
    second, fraction = divmod(local, SECOND_US)
    text = (_EPOCH + timedelta(seconds=second)).isoformat()
    if fraction:
        text += f".{fraction:06d}".rstrip("0")
    return text + _offset((local - instant) // (60 * SECOND_US))


@cache
def _offset(minutes: int) -> str:
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


class Change(Withdrawn, frozen=True):
    """A finding whose standing changed; an empty reason: it stands again."""

    finding_id: str = ""


class Teller:
    """Turns raised rows into findings for one district and rulebook."""

    def __init__(
        self, district: str, calendar: WorkCalendar, rulebook: str,
        step_names: Mapping[tuple[str, str], str] | None = None,
    ) -> None:  # fmt: skip
        self.district = district
        self.step_names = step_names or {}  # (item, step) → the name that people know it by
        self.calendar = calendar
        self.rulebook = rulebook

    def stamps(self, instants: np.ndarray) -> list[str]:
        """RFC 3339 on the district's wall clock, with offset."""
        return stamps_of(self.calendar.zone, instants)

    def instant(self, stamp: str) -> int:
        """µs UTC of what `stamps` wrote."""
        return read_time(stamp, self.calendar.zone)

    def tell(self, raised: Raised, event_texts: Any) -> list[Finding]:
        """The findings of one event rule over some rows. `event_texts` spells event references."""
        rule, view, rows = raised.rule.rule, raised.view, len(raised.at)
        words = view.batch.inputs.words
        spelled = {
            name: getattr(words, vocabulary).texts(view[name])
            for name, vocabulary in (
                ("case_id", "case"), ("item", "item"), ("department", "department"),
                                     ("step", "step"), ("operator", "operator"))
        }  # fmt: skip
        assert rule.events is not None
        events = _events(rule.events(view, raised.rule.params), event_texts, rows)
        evidence = self.evidence(rule.evidence, view, view.batch.vocabulary)
        causes = self._causes(raised, events)
        at = self.stamps(view["recorded_at"])
        names, values = list(evidence), list(evidence.values())
        kept = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)] or [
            {}
        ] * rows
        who = [dict(zip(spelled, row, strict=True)) for row in zip(*spelled.values(), strict=True)]
        value, limit, band = raised.value.tolist(), raised.limit.tolist(), raised.band.tolist()
        return [
            self.finding(
                raised.rule, band[n], "case", who[n]["case_id"], causes[n], at[n], value[n],
                limit[n], events[n], kept[n], raised.muted[n], who[n],
            )
            for n in range(rows)
        ]  # fmt: skip

    def _causes(self, raised: Raised, events: list[tuple[str, ...]]) -> list[list[str]]:
        """What names each finding: its event, unless the rule says otherwise."""
        rule, view = raised.rule.rule, raised.view
        if rule.cause == ("event_id",):
            return [[told[-1]] for told in events]
        columns = [view.batch.vocabulary(TEXT_OF[name]).texts(view[name]) for name in rule.cause]
        if rule.per == "pair":  # the person, and the two duties in alphabetical order
            return [[c[0], *sorted(c[1:])] for c in zip(*columns, strict=True)]
        return [list(c) for c in zip(*columns, strict=True)]

    def evidence(self, names: Sequence[str], view: Any, vocabulary: Any) -> dict[str, list[Any]]:
        """Columns in the form that evidence keeps: texts, stamps, whole numbers, None if absent."""
        told: dict[str, list[Any]] = {}
        for name in names:
            column = view[name]
            if name in TEXT_OF:
                told[name] = vocabulary(TEXT_OF[name]).texts(column)
            elif name.endswith("_at"):
                told[name] = self.stamps(column)
            elif column.dtype == object:  # lists of texts
                told[name] = column.tolist()
            else:
                told[name] = [None if v == ABSENT else v for v in column.tolist()]
        return told

    def finding(
        self, configured: Configured, band: int, kind: str, subject: str,
        cause: Sequence[str | int], at: str, value: int, limit: int | None, events: tuple[str, ...],
        evidence: dict[str, Any], muted: str | None, spelled: dict[str, str | None],
        tier: int | None = None,
    ) -> Finding:  # fmt: skip
        """One finding, whole."""
        rule = configured.rule
        reached = rule.bands[band]
        divisor = configured.divisor
        shown_value = show_number(value, divisor)
        shown_limit = None if limit is None else show_number(limit, divisor)
        told: dict[str, Any] = {"subject": subject, **_NOTHING, **spelled, **evidence}
        for name, said in told.items():
            if said is None:
                told[name] = ABSENT_TEXT
            elif isinstance(said, list):
                told[name] = "、".join(map(str, said)) or ABSENT_TEXT
        for name in _stamped(tuple(evidence)):
            told[name] = _spoken(name, told[name])
        told["value"] = short(shown_value, shown_limit)
        told["limit"] = ABSENT_TEXT if shown_limit is None else short(shown_limit, shown_value)
        told["at"] = _spoken("_at", at)
        told["reason_zh"], told["reason_en"] = reached.zh, reached.en
        chinese, english = sentences_of(rule, evidence)
        english = english.format_map(told)
        item = spelled.get("item") or ""
        for name in ("step", "previous_step", "held_step"):  # by name in Chinese, else by code
            told[name] = self.step_name(item, told.get(name, ""))
        if "skipped_steps" in evidence:
            names = (self.step_name(item, code) for code in evidence["skipped_steps"])
            told["skipped_steps"] = "、".join(names)
        for name in ("duty", "other_duty", "procedure"):
            told[name] = CHINESE.get(told.get(name, ""), told.get(name))
        return Finding(
            finding_id=finding_id(rule.id, kind, subject, cause),
            rule=rule.id, edition=rule.edition, family=rule.family,
            tier=(reached.tier or 0) if tier is None else tier,
            reason=_reason(reached.code, reached.zh, reached.en),
            subject_kind=kind, subject=subject, district=self.district,
            case_id=spelled.get("case_id"), department=spelled.get("department"),
            item=spelled.get("item"), step=spelled.get("step"), operator=spelled.get("operator"),
            at=at, value=shown_value, unit=rule.unit, limit=shown_limit, evidence=evidence,
            sentence=Text(chinese.format_map(told), english),
            basis=rule.basis, events=events, rulebook=self.rulebook, muted=muted,
        )  # fmt: skip

    def step_name(self, item: str, code: str) -> str:
        """What people call a step of an item in Chinese."""
        return self.step_names.get((item, code)) or CHINESE.get(code, code)


def sentences_of(rule: Rule, evidence: Mapping[str, Any]) -> tuple[str, str]:
    """The rule's sentences, and behind them what is ordinary, where that was learned."""
    behind = rule.ordinary
    if behind is None or ORDINARY_EVIDENCE[0] not in evidence:
        return rule.sentence_zh, rule.sentence_en
    return rule.sentence_zh + behind.sentence_zh, f"{rule.sentence_en} {behind.sentence_en}"


def _events(columns: tuple[np.ndarray, ...], spell: Any, rows: int) -> list[tuple[str, ...]]:
    """Event ids of each row; -1 names none."""
    told: list[list[str]] = [[] for _ in range(rows)]
    for refs in columns:
        here = np.flatnonzero(refs >= 0)
        for row, text in zip(here.tolist(), spell(refs[here]), strict=True):
            told[row].append(text)
    return [tuple(t) for t in told]


def _trim(stamp: str) -> str:
    return stamp.rstrip("0").rstrip(".")


def _spoken(name: str, value: Any) -> Any:
    """A value as a sentence says it: stamps without the T and the offset."""
    if value is None:
        return ABSENT_TEXT
    if name.endswith("_at") and isinstance(value, str) and len(value) > 18:
        return value[:10] + " " + value[11:-6]
    return value


def short(value: int | float, other: int | float | None) -> int | float | str:
    """A number as a sentence says it: two decimals, unless these would hide a difference."""
    if isinstance(value, int):
        return value
    two = f"{value:.2f}"
    return value if other is not None and float(two) == other else two
