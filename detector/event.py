"""Inputs as others send them: one case event (办件事件), fact or tick, read and checked.

`read` is the reference for what a line means. The whole-batch roads (`decode`, the readers of
`replay`) accept a strict subset of it and hand every other line here, so that a line's verdict
depends on the line alone. A refusal names the field and the reason and never repeats a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from detector.enclosures import enclosed
from detector.notice import ACTS, DECISIONS, ORDER, ORDER_NEEDS, SUBJECT_KINDS, TIER_MAX
from detector.values import ABSENT, DAY_US, SECOND_US, LocalZone, read_money, read_time

LINE_BYTES_MAX = 64 * 1024
CODE_BYTES_MAX = 128  # ids and codes
TEXT_CHARS_MAX = 8_000  # reasons, titles
LIST_ITEMS_MAX = 256
DAYS_MAX = 3_660
LIVE_AHEAD_S_MAX = 600  # how far after its arrival a live line may say that something happened

ACTIONS = (
    "apply preaccept accept step return correct corrected suspend resume decide pay issue"
    " deliver close"
).split()
ACTION = {name: code for code, name in enumerate(ACTIONS)}
PROCEDURES = frozenset(
    "hearing tender auction inspection testing quarantine appraisal expert_review extension"
    " publicity".split()
)
CODES = ("case_id", "item", "department")  # required, each a short text without control characters
OPTIONAL_CODES = (
    "event_id", "district", "step", "operator", "source", "result", "channel", "grade",
    "party_kind", "supersedes",
)  # fmt: skip
TEXTS = ("reason", "title", "relief_reason")
LISTS = ("documents", "fields", "factors")
MONEYS = ("fee_due", "fee_paid", "fine")
DAYS = ("days_granted", "promised_days", "statutory_days")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Refused(Exception):
    """A line that is not taken: the field at fault and the reason, never the value."""

    def __init__(self, field: str, error: str) -> None:
        super().__init__(f"{field}: {error}")
        self.field = field
        self.error = error


class Refusal(msgspec.Struct, frozen=True):
    """One refused line, as it is kept, shown and written to `refusals.ndjson`."""

    file: str
    line: int  # from 1
    field: str
    error: str
    text: str


class Event(msgspec.Struct, kw_only=True):
    """A case event that was read: times in µs UTC, money in fen, `ABSENT` where not given."""

    case_id: str
    action: str
    item: str
    department: str
    occurred_at: int
    recorded_at: int
    received_at: int
    event_id: str | None = None
    district: str | None = None
    step: str | None = None
    operator: str | None = None
    source: str | None = None
    result: str | None = None
    channel: str | None = None
    grade: str | None = None
    party_kind: str | None = None
    supersedes: str | None = None
    reason: str | None = None
    title: str | None = None
    relief_reason: str | None = None
    documents: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()
    fee_due: int = ABSENT
    fee_paid: int = ABSENT
    fine: int = ABSENT
    days_granted: int = ABSENT
    promised_days: int = ABSENT
    statutory_days: int = ABSENT
    due_at: int = ABSENT
    offence_at: int = ABSENT
    procedure: str | None = None
    imported: bool = False


class Fact(msgspec.Struct, kw_only=True):
    """An input that is no case event: a treasury receipt, a log-in, a verdict … or a tick."""

    kind: str
    received_at: int
    fields: dict[str, Any]
    position: int = 0  # place in the source, as events have one


class Reading(msgspec.Struct, frozen=True):
    """How lines of one source are read: the zone of naive stamps and the bounds on time.

    A live line bears the `stamp` of its arrival (µs UTC), whatever it says of `received_at` itself.
    """

    zone: LocalZone
    clock_jump_days_max: int = 366
    stamp: int | None = None

    @property
    def ahead_us_max(self) -> int:
        """How far after its arrival a line may say that something happened."""
        if self.stamp is not None:
            return LIVE_AHEAD_S_MAX * SECOND_US
        return self.clock_jump_days_max * DAY_US

    @property
    def too_far(self) -> str:
        """What is wrong with a time beyond that."""
        return f"clock_jump: lies more than {self._bound} after the clock"

    @property
    def _bound(self) -> str:
        if self.stamp is not None:
            return f"{LIVE_AHEAD_S_MAX // 60} minutes"
        return "a year" if self.clock_jump_days_max == 366 else f"{self.clock_jump_days_max} days"


def read(line: Mapping[str, Any], how: Reading) -> Event | Fact:
    """One decoded line as an event or a fact. Raises `Refused`."""
    kind = line.get("kind")
    if kind is None or kind == "case":
        return read_event(line, how)
    if not isinstance(kind, str) or kind not in FACTS:
        raise Refused("kind", "is unknown: write case, tick or one of the facts")
    return read_fact(kind, line, how)


def read_event(line: Mapping[str, Any], how: Reading) -> Event:
    """One decoded line as a case event. Raises `Refused`."""
    values: dict[str, Any] = {name: _code(line, name, required=True) for name in CODES}
    values["action"] = _code(line, "action", required=True)
    if values["action"] not in ACTION:
        raise Refused("action", f"is unknown: write one of {', '.join(ACTIONS)}")
    for name in OPTIONAL_CODES:
        values[name] = _code(line, name)
    for name in TEXTS:
        values[name] = _text(line, name)
    for name in LISTS:
        values[name] = _list(line, name)
    for name in MONEYS:
        values[name] = _money(line, name)
    for name in DAYS:
        values[name] = _days(line, name)
    values["procedure"] = _code(line, "procedure")
    if values["procedure"] is not None and values["procedure"] not in PROCEDURES:
        raise Refused("procedure", "is unknown: write one of the special procedures")
    values["imported"] = _flag(line, "imported")
    for name in ("occurred_at", "recorded_at"):
        values[name] = _time(line, name, how, required=True)
    received = _received(line, how)
    values["received_at"] = values["recorded_at"] if received == ABSENT else received
    for name in ("occurred_at", "recorded_at"):
        if values[name] > values["received_at"] + how.ahead_us_max:
            raise Refused(name, how.too_far)
    values["due_at"] = _time(line, "due_at", how)
    values["offence_at"] = _time(line, "offence_at", how)
    return Event(**values)


_VOICE = {
    "fact_id": "code!", "department": "code!", "received_on": "time!", "answered_on": "time",
}  # fmt: skip
FACTS: dict[str, dict[str, str]] = {
    "treasury": {
        "fact_id": "code!", "department": "code!", "item": "code", "case_id": "code",
        "amount": "money!", "paid_on": "time!",
    },
    "login": {"fact_id": "code!", "person": "code!", "role": "role!", "at": "time!"},
    "volume": {
        "fact_id": "code!", "department": "code!", "item": "code!", "period": "code!",
        "cases": "count!", "amount": "money",
    },
    "officer": {
        "fact_id": "code!", "person": "code!", "department": "code!", "certificate": "code!",
        "valid_from": "time!", "valid_to": "time!",
    },
    "verdict": {
        "fact_id": "code!", "finding_id": "code!", "verdict": "verdict!", "by": "code!",
        "at": "time!", "reason": "text",
    },
    "complaint": _VOICE, "consultation": _VOICE,
    "act": {
        "act_id": "code!", "notice_id": "code!", "act": "act!", "actor": "code!", "at": "time!",
        "text": "text", "reason": "text", "until": "time", "person": "code",
        "decision": "decision", "confirmed": "flag", "external_cause": "flag",
        "attachments": "files", "subject_kind": "kind", "subject": "code", "department": "code",
        "item": "code", "tier": "tier",
    },
    "learning": {
        "fact_id": "code!", "learner": "code!", "act": "learner_act!", "actor": "code!",
        "at": "time!", "key": "text", "to": "time", "reason": "text",
    },
    "receipt": {"message_id": "code!", "status": "receipt!", "at": "time!"},
    "tick": {"at": "time!"},
}  # fmt: skip
LEARNER_ACTS = ("approve", "reject", "rollback", "freeze", "thaw")
_WORDS = {
    "role": ("operator", "supervisor"),
    "verdict": ("confirmed", "false_alarm", "justified"),
    "act": (*ACTS, ORDER),
    "decision": tuple(DECISIONS),
    "learner_act": LEARNER_ACTS,
    "kind": SUBJECT_KINDS,
    "receipt": ("sent", "delivered", "read", "failed", "dead"),
}
_NAMED_DAY = ("paid_on", "received_on")  # facts without an instant stand at the end of this day


def read_fact(kind: str, line: Mapping[str, Any], how: Reading) -> Fact:
    """One decoded line as a fact; its place in order is `received_at`, else `at`, else the end of
    the named day. Raises `Refused`."""
    values: dict[str, Any] = {}
    for name, form in FACTS[kind].items():
        required, form = form.endswith("!"), form.rstrip("!")
        if form == "money":
            value: Any = _money(line, name, required)
        elif form == "time":
            value = _time(line, name, how, required)
        elif form == "count":
            value = _days(line, name, required, at_most=10**12)
        elif form == "tier":
            value = _days(line, name, required, at_most=TIER_MAX)
        elif form == "text":
            value = _text(line, name)
        elif form == "flag":
            value = _flag(line, name)
        elif form == "files":  # objects; only their names, as texts, where that is all there is
            value = enclosed(line.get(name)) or _list(line, name)
        else:
            value = _code(line, name, required)
            if form in _WORDS and value is not None and value not in _WORDS[form]:
                raise Refused(name, f"is unknown: write {' or '.join(_WORDS[form])}")
        values[name] = value
    if kind == "act":
        _needs(values)
    received = _received(line, how)
    if received == ABSENT:
        received = _place(values, how)
    return Fact(kind=kind, received_at=received, fields=values)


def _needs(values: dict[str, Any]) -> None:
    """What an act cannot do without; what it does not say is left out. Raises `Refused`."""
    for name in FACTS["act"]:
        if values[name] is None or values[name] is False or values[name] in (ABSENT, ()):
            del values[name]
    act = values["act"]
    for name in ORDER_NEEDS if act == ORDER else ACTS[act].needs:
        if name not in values:
            raise Refused(name, f"is missing: {act} needs it")


def _received(line: Mapping[str, Any], how: Reading) -> int:
    return _time(line, "received_at", how) if how.stamp is None else how.stamp


def _place(values: Mapping[str, Any], how: Reading) -> int:
    if values.get("at", ABSENT) != ABSENT:
        return int(values["at"])
    for name in _NAMED_DAY:
        if name in values:
            local = int(how.zone.local(values[name]))
            return int(how.zone.utc((local // DAY_US + 1) * DAY_US)) - 1
    raise Refused("received_at", "is missing, and this kind of fact names no day of its own")


def _code(line: Mapping[str, Any], name: str, required: bool = False) -> str | None:
    value = line.get(name)
    if value is None or value == "":
        if required:
            raise Refused(name, "is missing")
        return None
    if not isinstance(value, str):
        raise Refused(name, "must be text")
    if not sound_code(value):
        raise Refused(name, f"is blank, longer than {CODE_BYTES_MAX} bytes or holds odd characters")
    return value


def sound_code(word: str) -> bool:
    """May this text be an id or a code: not blank, no control characters, at most 128 bytes."""
    if word.isascii() and word.isprintable():  # nearly every one
        return len(word) <= CODE_BYTES_MAX and not word.isspace() and word != ""
    if _CONTROL.search(word) or not word.strip():
        return False
    try:
        return len(word.encode()) <= CODE_BYTES_MAX
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _text(line: Mapping[str, Any], name: str) -> str | None:
    value = line.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Refused(name, "must be text")
    if len(value) > TEXT_CHARS_MAX or not _encodable(value):
        raise Refused(name, f"is longer than {TEXT_CHARS_MAX} characters or no valid text")
    return value


def _encodable(value: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in value)


def _list(line: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = line.get(name)
    if value is None or value == "":
        return ()
    if isinstance(value, str):  # a flat file has no lists: `a;b;c`
        value = [part.strip() for part in value.split(";") if part.strip()]
    if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
        raise Refused(name, "must be a list of texts")
    if len(value) > LIST_ITEMS_MAX or any(
        len(v) > TEXT_CHARS_MAX or not _encodable(v) for v in value
    ):
        raise Refused(name, f"has more than {LIST_ITEMS_MAX} entries or a very long one")
    return tuple(value)


def _money(line: Mapping[str, Any], name: str, required: bool = False) -> int:
    value = line.get(name)
    if value is None or value == "":
        if required:
            raise Refused(name, "is missing")
        return ABSENT
    if not isinstance(value, str | int | float):
        raise Refused(name, "is not an amount")
    try:
        return read_money(value)
    except ValueError as fault:
        raise Refused(name, str(fault)) from None


def _days(
    line: Mapping[str, Any], name: str, required: bool = False, at_most: int = DAYS_MAX
) -> int:
    value = line.get(name)
    if value is None or value == "":
        if required:
            raise Refused(name, "is missing")
        return ABSENT
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= at_most:
        raise Refused(name, f"must be a whole number from 0 to {at_most}")
    return value


def _flag(line: Mapping[str, Any], name: str) -> bool:
    value = line.get(name)
    if value is None or value == "" or value is False:
        return False
    if value is True:
        return True
    if isinstance(value, str) and value.lower() in ("true", "false", "1", "0"):
        return value.lower() in ("true", "1")
    raise Refused(name, "must be true or false")


def _time(line: Mapping[str, Any], name: str, how: Reading, required: bool = False) -> int:
    value = line.get(name)
    if value is None or value == "":
        if required:
            raise Refused(name, "is missing")
        return ABSENT
    if not isinstance(value, str):
        raise Refused(name, "must be a text with a time")
    try:
        return read_time(value, how.zone)
    except ValueError as fault:
        raise Refused(name, str(fault)) from None
