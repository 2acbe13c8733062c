"""All that a rule file may import: the kit an offence is written with.

A rule *measures* (one whole-column expression, integers, a unit) and *bands* judge the number.
Where a datum is missing the rule says so: exactly those rows are undetermined, never a silent "no".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from string import Formatter
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np

from detector.event import ACTIONS
from detector.examplekit import Example as Example
from detector.examplekit import act as act
from detector.examplekit import ev as ev
from detector.examplekit import fact as fact
from detector.examplekit import order as order

Column = np.ndarray
NEVER_BELOW = -np.inf  # the first band's edge
SECOND = 1_000_000  # the engine's times are microseconds
HOUR = 3_600 * SECOND
LEARNED_TIER_MOST = 1  # of a rule that reads a learner


class Columns(Protocol):
    """What a rule sees: columns by name, one value a row. See docs/columns.md for the names."""

    def __getitem__(self, name: str) -> Column: ...


class Params(SimpleNamespace):
    """The rule's parameters as this district sets them, by name."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the rule declares no parameter {name}")


Expression = Callable[[Columns, Params], Column]


@dataclass(frozen=True)
class Band:
    """One stretch of the line: from `edge` (above it, where `exclusive`) to the next band's edge.

    `edge` is in the rule's unit; the first is `NEVER_BELOW`. No tier: nothing is raised. The band
    of a clock is reached `edge` after that `share` of the limit.
    """

    code: str
    edge: float
    tier: int | None = None
    exclusive: bool = False
    zh: str = ""
    en: str = ""
    share: float = 1.0


@dataclass(frozen=True)
class Param:
    """A number that a district may set, with its unit and bounds."""

    name: str
    default: int
    unit: str
    about: str
    least: int = 0
    most: int = 10**9


@dataclass(frozen=True)
class Table:
    """A parameter looked up by item and by other named columns: `*` is any, the most specific wins.

    Its column `<value>` is there for the expressions; `default` names the Param that fills gaps.
    """

    name: str
    keys: tuple[tuple[str, str], ...]  # (name in rulebook.toml, column it is compared with)
    value: str
    default: str
    entries: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Clock:
    """What a clock rule runs on. Working days, less suspensions where the kind knows of them.

    `case` runs from acceptance to close, `acceptance` from application to acceptance, `issue` from
    close to licence, `step` from a step of the flow to the next, `stall` from the last record of an
    open case to the next, `procedure` from a suspension to its end (docs/judging.md §4), `answer`
    from a complaint or consultation to its answer (§7).
    """

    limit: str = ""  # of `case`: `promised_days` or `statutory_days`; else a parameter of the rule
    due: str | None = None  # an absolute instant that overrides the days
    kind: str = "case"


CLOCK_KINDS = ("case", "acceptance", "issue", "step", "stall", "procedure", "answer")


@dataclass(frozen=True)
class Tuned:
    """The limit of a rule that can be tried out (阈值试算) on what was already judged.

    That needs a raw value that does not depend on the limit: a row raises where its value is
    `worse` than the limit, which is a band's edge, or what the measure sets off against the value.
    All are whole numbers of the engine: limits are told apart by `grain`, from `least` to `most`.
    """

    setting: str  # as rulebook.toml names it: a parameter, or `bands.<code>.edge`
    worse: str  # "below" or "above"
    grain: int
    least: int
    most: int
    value: Expression | None = None  # default: what the rule shows
    applies: Expression | None = None  # rows whose limit this setting is


@dataclass(frozen=True)
class Ordinary:
    """What a learner published as ordinary, told behind a rule's own judgement. It raises nothing:
    where it holds, it mutes what lies within, of bands that a learned limit may speak in."""

    learner: str
    sentence_zh: str  # behind the rule's own; it may name `ORDINARY_EVIDENCE` too
    sentence_en: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One offence: how it is measured, judged, explained, and proven."""

    id: str
    edition: int
    family: str  # timeliness, truth, process, content, supervision
    zh: str  # the offence's name
    en: str
    basis: str  # legal or published source, or "ours"
    unit: str  # key of UNITS
    bands: tuple[Band, ...]
    sentence_zh: str  # str.format over the evidence
    sentence_en: str
    examples: tuple[Example, ...]
    subject: str = "case"  # or another of `SUBJECTS`
    actions: tuple[str, ...] = ()  # concerns these alone; () is all
    per: str = "event"  # what a row is: "event", "pair" (each incompatible pair of the step's
    # duty), or for a subject of `ROWS` what stands there
    applies: Expression | None = None
    unknown: tuple[tuple[str, Expression], ...] = ()  # (reason, mask), asked in this order
    measure: Expression | None = None  # None: a clock rule
    clock: Clock | None = None
    value: Expression | None = None  # what is shown; default the measure
    limit: Expression | None = None
    stamps: tuple[str, ...] = ()  # instants that must be finer than a day for the rule to raise
    mutes: tuple[str, ...] = ()  # imported, on_the_spot, one_stamp, system_action, justified; of
    # learned rules: imported, on_the_spot, one_stamp, told, overtime
    events: Callable[[Columns, Params], tuple[Column, ...]] | None = None
    cause: tuple[str, ...] = ("event_id",)
    evidence: tuple[str, ...] = ()  # columns that the sentence needs
    params: tuple[Param, ...] = ()
    table: Table | None = None
    tuned: Tuned | None = None  # what `oriole rules tune` may try; None: nothing
    learner: str = ""  # judges what this learner of models/ says, when all shards have come so far
    repeats: str = ""  # of a learned rule: what that rule said of the same event mutes it (`told`)
    ordinary: Ordinary | None = None
    blocking: bool = False  # says no at `POST /gate`; rulebook.toml may set it otherwise
    remedy_zh: str = ""  # the smallest change that clears it, where value and limit do not say it
    remedy_en: str = ""

    @property
    def reads(self) -> str:
        """The learner whose limits its findings may name, "" for none."""
        return self.ordinary.learner if self.ordinary else self.learner

    @property
    def may_block(self) -> bool:
        """Does it judge an event by its case alone, so that it can be asked beforehand."""
        return self.subject == "case" and self.clock is None and not self.learner


SUBJECTS = (
    "case", "operator", "complaint", "consultation", "supervisor", "department", "source",
)  # fmt: skip
VOICES = ("complaint", "consultation")
# What a row is for subjects that are judged by more than their clock, and the columns that it has.
ROWS: dict[str, dict[str, tuple[str, ...]]] = {
    "supervisor": {
        "day": ("recorded_at", "day", "idle_day", "watched", "idle", "idle_before"),
        "notice": (
            "recorded_at", "notice_id", "about", "issued_at", "issue", "deadline_at", "limit_wd",
            "notice_tier", "late", "acts_known", "supervised",
        ),
    },
    "department": {
        "fines": (
            "recorded_at", "item", "month", "fines_fen", "receipts_fen", "short_fen", "over_fen",
            "treasury_known",
        ),
        "volume": (
            "recorded_at", "item", "period", "cases", "has_month_before", "cases_month_before",
            "month_change", "has_year_before", "cases_year_before", "year_change", "gap",
        ),
    },
    "source": {
        "stamp": ("recorded_at", "day", "close_of", "cases", "date_only"),
        "silence": ("recorded_at", "heard_at", "heard_days", "has_history"),
    },
}  # fmt: skip
UNITS = {  # unit → (divisor of the engine's integers, 0 for the calendar's working day; zh, en)
    "s": (SECOND, "秒", "s"),
    "min": (60 * SECOND, "分钟", "minutes"),
    "h": (HOUR, "工作小时", "working hours"),
    "hours": (HOUR, "小时", "hours"),
    "wd": (1, "工作日", "working days"),
    "work_days": (0, "工作日", "working days"),
    "days": (1, "天", "days"),
    "bits": (1_000, "比特", "bits"),
    "share": (1_000, "倍", "of the limit"),
    "permille": (1, "‰", "‰"),
    "fen": (1, "分", "fen"),
    "cases": (1, "件", "cases"),
    "pairs": (1, "对", "pairs"),
    "times": (1, "次", "times"),
    "chars": (1, "字", "characters"),
    "documents": (1, "份", "documents"),
    "fields": (1, "项", "fields"),
    "steps": (1, "个", "steps"),
    "status": (1, "状态", "status"),
}


def unit_divisor(unit: str, day_us: int) -> int:
    """The engine's integers that make one of a unit; `day_us` is a day's working time."""
    return UNITS[unit][0] or day_us


# What every sentence may name besides the rule's evidence.
SPOKEN = (
    "subject", "case_id", "item", "department", "step", "operator", "value", "limit", "at",
    "reason_zh", "reason_en",
)  # fmt: skip


CLOCK_EVIDENCE = (
    "accept_occurred_at", "start_at", "at", "limit_days", "provisional", "held_step", "limit_hours",
    "procedure",
)  # fmt: skip
OPERATOR_EVIDENCE = ("operator", "recorded_at", "cases_in_window", "usual_twice")


ORDINARY_EVIDENCE = (
    "ordinary_low", "ordinary_middle", "ordinary_high", "learned_cases", "months", "since_day",
    "until_day", "ordinary",
)  # fmt: skip


def _placeholders(*texts: str) -> set[str]:
    parts = [part for text in texts for part in Formatter().parse(text)]
    return {name for _, name, _, _ in parts if name is not None}


class RuleFault(Exception):
    """A rule file that cannot be taken, with the reason."""


def check_rule(rule: Rule) -> None:
    """Raise `RuleFault` unless bands cover the whole line in rising order and the card is whole."""
    edges = [b.edge for b in rule.bands]
    if not edges or edges[0] != NEVER_BELOW:
        raise RuleFault(f"{rule.id}: the first band must begin at NEVER_BELOW")
    places = [(b.share, b.edge) if rule.unit == "share" else (0, b.edge) for b in rule.bands[1:]]
    if any(b <= a for a, b in pairwise([(0, edges[0]), *places])):
        raise RuleFault(f"{rule.id}: the edges of the bands must rise")
    if len({b.code for b in rule.bands}) != len(edges):
        raise RuleFault(f"{rule.id}: two bands share a code")
    if all(b.tier is None for b in rule.bands):
        raise RuleFault(f"{rule.id}: no band raises")
    if any(b.tier is not None and not (0 <= b.tier <= 3 and b.zh and b.en) for b in rule.bands):
        raise RuleFault(
            f"{rule.id}: a raising band needs a tier from 0 to 3 and its reason in zh and en"
        )
    if rule.unit not in UNITS:
        raise RuleFault(f"{rule.id}: unknown unit {rule.unit}")
    if (rule.measure is None) == (rule.clock is None):
        raise RuleFault(f"{rule.id}: a rule has a measure or a clock, not both")
    if rule.learner and any((b.tier or 0) > LEARNED_TIER_MOST for b in rule.bands):
        raise RuleFault(f"{rule.id}: what was learned never speaks above tier {LEARNED_TIER_MOST}")
    tells = rule.events is not None or rule.subject != "case" or rule.learner
    if rule.measure is not None and not tells:
        raise RuleFault(f"{rule.id}: name the events that a finding rests on")
    if bool(rule.repeats) != ("told" in rule.mutes) or (rule.repeats and not rule.learner):
        raise RuleFault(
            f"{rule.id}: a learned rule names the rule that it repeats, and is mute told"
        )
    if rule.blocking and not rule.may_block:
        raise RuleFault(f"{rule.id}: only a rule about a case's events can block one")
    if (rule.clock is not None and rule.clock.kind == "answer") != (rule.subject in VOICES):
        raise RuleFault(f"{rule.id}: a clock of kind answer is that of a complaint or consultation")
    if rule.per == "fines" and not {"grace_days", "grace_wd"} <= {p.name for p in rule.params}:
        raise RuleFault(f"{rule.id}: a month of fines needs the params grace_days and grace_wd")
    _check_bands(rule)
    _check_names(rule)
    _check_tuned(rule)
    known, told = {*rule.evidence, *SPOKEN}, rule.ordinary
    named = (rule.sentence_zh, rule.sentence_en, rule.remedy_zh, rule.remedy_en)
    strange = _placeholders(*named) - known
    if told is not None:
        strange |= _placeholders(told.sentence_zh, told.sentence_en) - {*known, *ORDINARY_EVIDENCE}
        if rule.per != "volume" or rule.learner:
            raise RuleFault(f"{rule.id}: only of a month's volume it is known what is ordinary")
    if strange:
        raise RuleFault(f"{rule.id}: the sentence names {sorted(strange)}, which is no evidence")
    wants = {e.want.partition(":")[0] for e in rule.examples}
    knows = not (rule.unknown or rule.stamps)
    knows &= rule.clock is None or rule.clock.kind in ("acceptance", "stall", "answer")
    needed = {"clear"} if knows else {"clear", "undetermined"}
    if not needed <= wants or not wants & {b.code for b in rule.bands}:
        raise RuleFault(
            f"{rule.id}: needs at least a hit, a miss and (if it may not know) an undetermined"
            " example"
        )


def _check_bands(rule: Rule) -> None:
    divisor = unit_divisor(rule.unit, HOUR)
    for band in rule.bands[1:]:
        if band.edge * divisor != band.edge * divisor // 1:
            raise RuleFault(
                f"{rule.id}: the edge of {band.code} is no whole number of the engine's"
            )


def _check_tuned(rule: Rule) -> None:
    tuned = rule.tuned
    if tuned is None:
        return
    if rule.subject != "case" or rule.measure is None or rule.per != "event":
        raise RuleFault(f"{rule.id}: only a rule that measures a case's events can be tried out")
    edges = [f"bands.{band.code}.edge" for band in rule.bands[1:]]
    if tuned.setting not in (*edges, *(p.name for p in rule.params)):
        raise RuleFault(f"{rule.id}: it has no setting {tuned.setting} to be tried out")
    if tuned.setting not in edges and rule.limit is None:
        raise RuleFault(f"{rule.id}: what tries out a parameter needs the rule's limit")
    if tuned.worse not in ("below", "above"):
        raise RuleFault(f"{rule.id}: a value is worse below or above the limit")
    if not 0 < tuned.grain <= tuned.most or not 0 <= tuned.least < tuned.most:
        raise RuleFault(f"{rule.id}: limits are tried from least to most, a grain apart")


def _check_names(rule: Rule) -> None:
    """Names that nobody would miss before the rule is asked in earnest."""
    mine = ("told", "overtime") if rule.learner else ("system_action", "justified")
    known = ("imported", "on_the_spot", "one_stamp", *mine)
    rows = ROWS.get(rule.subject, {})
    for kind, names, allowed in (
        ("subject", (rule.subject,), SUBJECTS),
        ("row", (rule.per,), tuple(rows) or ("event", "pair")),
        ("evidence", rule.evidence if rows else (), rows.get(rule.per, ())),
        ("cause", rule.cause if rows else (), ("item", "value", "band", *rows.get(rule.per, ()))),
        ("mute", rule.mutes, known if rule.subject in ("case", "operator") else ()),
        ("action", rule.actions, tuple(ACTIONS)),
        ("evidence", rule.evidence if rule.clock else (), CLOCK_EVIDENCE),
        ("evidence", rule.evidence if rule.subject == "operator" else (), OPERATOR_EVIDENCE),
        ("kind of clock", (rule.clock.kind,) if rule.clock else (), CLOCK_KINDS),
        ("param", (rule.table.default,) if rule.table else (), tuple(p.name for p in rule.params)),
    ):
        for name in names:
            if name not in allowed:
                raise RuleFault(f"{rule.id}: unknown {kind} {name}; known: {', '.join(allowed)}")
