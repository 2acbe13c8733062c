"""What a message says: the courteous, exact tone of an office, and short enough for a text message.

No telephone or identity number ever leaves in a text, also where a person wrote one. What people
wrote stands in quotation marks, so that `sms.shorten` may cut it first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

import msgspec

from detector.moments import short_days, wall
from detector.phrases import (
    ATTEND,
    FIRST,
    LIMIT,
    MORE,
    NO_REASON,
    NOBODY,
    OPEN_LINK,
    OTHER,
    PHRASES,
    REASONS,
    REMARK,
    SUBJECTS,
    SYSTEM,
    VERBS,
    WITHHELD,
)
from detector.values import LocalZone
from detector.verdict import Text

SAID_CHARACTERS_MAX = 60
SUBJECT_CHARACTERS_MAX = 80
SYSTEM_ACTORS = ("", "oriole", "system")
DEADLINES = ("acknowledge", "answer", "finish")
_AGAIN = ("answer", "reissued")
_MISSED = {  # the deadline that a reminder is about
    "not_acknowledged": "acknowledge",
    "late_answer": "answer",
    "unfinished": "finish",
    "unurged": "answer",
    "still_open": "finish",
}
_PRIVATE = re.compile(
    r"(?<!\d)(?:"
    r"[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]"  # identity card
    r"|(?:\+?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}"  # mobile, any of today's ranges
    r"|0\d{2,3}[- ]?[2-9]\d{6,7}"  # landline
    r")(?!\d)",
    re.ASCII,
)
_NARROW = str.maketrans("０１２３４５６７８９－", "0123456789-")
_PLAIN = str.maketrans({"【": "〔", "】": "〕", "「": "“", "」": "”"})  # 【】 is the signature's


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a message is made of. Deadlines are µs UTC; one that is met or not set is None."""

    notice_id: str
    occasion: str  # a key of `phrases.PHRASES`
    tier: int
    level: int  # 1 department, 2 control centre
    subject_kind: str
    subject: str
    tier_name: Text  # from the ladder
    department: str | None = None
    department_name: str | None = None
    item_name: str | None = None
    findings: int = 1  # how many stand
    reasons: tuple[Text, ...] = ()  # rule and band, the gravest first
    acknowledge_by: int | None = None
    answer_by: int | None = None
    finish_by: int | None = None
    at_us: int | None = None  # instant of what is told: years that differ from its are said
    by: str = ""  # who acted, by name
    said: str = ""  # what that person wrote
    reason: str = ""  # why it moved: a key of `phrases.REASONS`
    person: str = ""  # whom it did not reach, by name
    count: int = 1  # notices in a digest


def say(told: Told, zone: LocalZone, language: str = "zh") -> tuple[str, str]:
    """(subject line, text) of a message. A reason that the catalogue has not is said as it is."""
    phrase = PHRASES.get(f"{told.occasion}.{told.reason}") or PHRASES[told.occasion]
    fields = _Fields(told, zone, language)
    text = " ".join(_in(phrase.text, language).format_map(fields).split())
    label, what = _in(phrase.label, language), fields["what"]
    if told.occasion == "digest":
        what = str(told.count)
    if language == "zh":
        line = f"{fields['tier']}{label}：{what}" + ("件" if told.occasion == "digest" else "")
    else:
        line = f"{fields['Tier']}{', ' if label else ''}{label}: {what}"
    return _cut(line, SUBJECT_CHARACTERS_MAX), text


def linked(text: str, link: str, language: str = "zh") -> str:
    """A text with the address where its recipient may answer at its end; "" is none."""
    return f"{text}{_in(OPEN_LINK, language)}{link}" if link else text


class _Fields(dict[str, str]):
    """The parts of a message by name, each made when a phrase first names it."""

    def __init__(self, told: Told, zone: LocalZone, language: str) -> None:
        super().__init__()
        self._of = told, zone, language

    def __missing__(self, name: str) -> str:
        part = self[name] = _PARTS[name](*self._of)
        return part


def _tier(told: Told, zone: LocalZone, language: str) -> str:
    return _plain(_in(told.tier_name, language))


def _capital_tier(told: Told, zone: LocalZone, language: str) -> str:
    tier = _tier(told, zone, language)
    return tier[:1].upper() + tier[1:]


def _quoted(told: Told, zone: LocalZone, language: str) -> str:
    said = _said(told.said, language)
    return f"{'：' if language == 'zh' else ': '}{said}" if said else ""


def _remark(told: Told, zone: LocalZone, language: str) -> str:
    said = _said(told.said, language)
    return _in(REMARK, language).format(said=said) if said else ""


def _in(text: Text, language: str) -> str:
    return text.zh if language == "zh" else text.en


def _plain(text: str) -> str:
    """One line, without the marks that a message uses itself."""
    return " ".join(text.split()).translate(_PLAIN)


def _cut(text: str, characters_max: int) -> str:
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"


def _what(told: Told, language: str) -> str:
    """What it is about, by name where it has one."""
    kind = SUBJECTS.get(told.subject_kind, Text(told.subject_kind, told.subject_kind))
    subject, item = _plain(told.subject), _plain(told.item_name or "")
    if told.subject_kind == "department" and told.subject == told.department:
        subject = _plain(told.department_name or "") or subject
        if language == "zh" and told.department_name:
            return subject
    if language == "zh":
        return f"{item}{kind.zh}{subject}"
    return f"{kind.en} {subject}" + (f" ({item})" if item else "")


def _why(told: Told, language: str) -> str:
    """The gravest of what was found, and how much more there is."""
    first = _plain(_in(told.reasons[0] if told.reasons else NO_REASON, language)).rstrip("。.")
    if told.findings < 2:
        return first
    return _in(MORE, language).format(first=first, n=told.findings, more=told.findings - 1)


def _reason(code: str, language: str) -> str:
    """A reason in words; as it is where the catalogue has none for it."""
    return _in(REASONS.get(code, Text(code, code)) if code else OTHER, language)


def _said(text: str, language: str) -> str:
    """A quotation; nothing where nothing was written."""
    text = _plain(_PRIVATE.sub(_in(WITHHELD, language), text.translate(_NARROW))).rstrip(
        "。.；;，, "
    )
    text = _cut(text, SAID_CHARACTERS_MAX)
    if not text:
        return ""
    return f"「{text}」" if language == "zh" else f"“{text}”"


def _dues(told: Told, names: tuple[str, ...]) -> list[tuple[str, int]]:
    """(what is asked, until when) of the deadlines that are set."""
    dues = [(name, getattr(told, f"{name}_by")) for name in names]
    return [(name, due) for name, due in dues if due is not None]


def _rest(told: Told) -> tuple[str, ...]:
    """What is still to come behind the deadline that was missed."""
    missed = _MISSED.get(told.reason)
    return DEADLINES[DEADLINES.index(missed) + 1 :] if missed else DEADLINES


def _first(told: Told, zone: LocalZone, language: str) -> str:
    """The deadline of a digest that comes first."""
    due, name = min(((due, name) for name, due in _dues(told, DEADLINES)), default=(0, ""))
    if not name:
        return ""
    when, verb = _when(due, told, zone, language), _in(VERBS[name], language)
    return _in(FIRST, language).format(when=when, verb=verb)


def _ask(told: Told, zone: LocalZone, language: str, names: tuple[str, ...]) -> str:
    """What is to be done and by when, one sentence."""
    dues = _dues(told, names)
    if not dues:
        return ""
    days = [wall(due, zone) for _, due in dues]
    dates = short_days(days, _now(told, zone), language)
    verbs = [
        _in(VERBS["answer_again" if (n, told.occasion) == _AGAIN else n], language) for n, _ in dues
    ]
    if language != "zh":
        each = [f"{v} by {d} {s:%H:%M}" for v, d, s in zip(verbs, dates, days, strict=True)]
        return f"Please {' and '.join([', '.join(each[:-1])] * (len(each) > 1) + each[-1:])}."
    if len({(seen.hour, seen.minute) for seen in days}) == 1:
        once = dates[:1] if len(set(days)) == 1 else dates
        return f"请于{'、'.join(once)}{days[0]:%H:%M}前{'、'.join(verbs)}。"
    each = [f"{d}{s:%H:%M}前{v}" for v, d, s in zip(verbs, dates, days, strict=True)]
    return f"请于{'，'.join(each)}。"


def _limit(told: Told, zone: LocalZone, language: str) -> str:
    """The deadline that was missed, in brackets."""
    for _, due in _dues(told, (_MISSED.get(told.reason, "answer"),)):
        return _in(LIMIT, language).format(when=_when(due, told, zone, language))
    return ""


def _when(due: int, told: Told, zone: LocalZone, language: str) -> str:
    seen = wall(due, zone)
    date = short_days([seen], _now(told, zone), language)[0]
    return f"{date}{'' if language == 'zh' else ' '}{seen:%H:%M}"


def _now(told: Told, zone: LocalZone) -> datetime | None:
    return None if told.at_us is None else wall(told.at_us, zone)


_PARTS: dict[str, Callable[[Told, LocalZone, str], str]] = {
    "tier": _tier,
    "Tier": _capital_tier,
    "what": lambda told, zone, language: _what(told, language),
    "why": lambda told, zone, language: _why(told, language),
    "ask": lambda told, zone, language: (
        _ask(told, zone, language, DEADLINES) or _in(ATTEND, language)
    ),
    "rest": lambda told, zone, language: _ask(told, zone, language, _rest(told)),
    "first": _first,
    "limit": _limit,
    "by": lambda told, zone, language: (
        _in(SYSTEM, language) if told.by in SYSTEM_ACTORS else _plain(told.by)
    ),
    "said": _quoted,
    "remark": _remark,
    "reason": lambda told, zone, language: _reason(told.reason, language),
    "person": lambda told, zone, language: _plain(told.person) or _in(NOBODY, language),
    "count": lambda told, zone, language: str(told.count),
}
