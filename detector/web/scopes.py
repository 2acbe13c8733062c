"""What of a department's is shown to whom, who acts, and what a sender may tell."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from detector.ledger import Held
from detector.web.problems import Problem
from detector.web.who import ANSWER, DECIDE, LEAD, LOCAL, PERSONS, Who

_POWER_OF = {
    "acknowledge": ANSWER, "answer": ANSWER, "appeal": ANSWER,
    "exempt": DECIDE, "decide_appeal": DECIDE, "withdraw": DECIDE,
}  # fmt: skip
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)  # as JSON
TOLD_BY_HAND = ("act", "verdict", "learning")  # kinds of facts that say what a person has decided
# An identity number (its birthday must be one), or a mobile phone.
_PRIVATE = re.compile(
    r"(?<![0-9A-Za-z])(?:[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]"
    r"|1[3-9]\d{9})(?![0-9A-Za-z])"
)


class _Department(msgspec.Struct):
    department: str | None = None


class _Line(msgspec.Struct):
    kind: str | None = None
    department: str | None = None


# --- what is seen ---------------------------------------------------------------------------------


def department_of(doc: bytes) -> str | None:
    """Whose a document is: a finding's, or a line's."""
    try:
        return msgspec.json.decode(doc, type=_Department).department
    except UNREADABLE:
        return None


def sees(who: Who, doc: bytes) -> bool:
    """Whether a document is theirs to see."""
    return who.departments is None or who.sees(department_of(doc))


def need_seen(who: Who, held: Held | None) -> None:
    """Raises `Problem` 404 of a finding that is not theirs: that it exists is not told either."""
    if held is not None and not sees(who, held.doc):
        raise Problem(404, "no_finding")


def masked(who: Who, body: bytes) -> bytes:
    """JSON with identity numbers and phones hidden from those without power `persons`."""
    return body if who.may(PERSONS) else hidden(body)


def hidden(body: bytes) -> bytes:
    """JSON in whose texts all but the first three and last two signs of such numbers are hidden;
    ids stay what they are."""
    if not _PRIVATE.search(body.decode("utf-8", "replace")):
        return body
    return msgspec.json.encode(_hidden(msgspec.json.decode(body)))


def _hidden(told: Any) -> Any:
    if isinstance(told, str):
        return _PRIVATE.sub(lambda m: m[0][:3] + "*" * (len(m[0]) - 5) + m[0][-2:], told)
    if isinstance(told, list):
        return [_hidden(one) for one in told]
    if isinstance(told, dict):
        return {key: one if key.endswith("_id") else _hidden(one) for key, one in told.items()}
    return told


# --- who acts -------------------------------------------------------------------------------------


def may_act(who: Who, act: str) -> bool:
    """Whether an act is theirs to do at all."""
    return who.may(_POWER_OF.get(act, LEAD))


def need_act(who: Who, act: str) -> None:
    """Raises `Problem` 403 where an act is another's to do."""
    if not may_act(who, act):
        raise Problem(403, "act_not_yours", act=act)


def acting(who: Who, told: dict[str, Any]) -> dict[str, Any]:
    """An act with its actor: whoever asks. Only the local administrator, and the key of a system
    that leads, speak for others."""
    trusted = who.role == LOCAL or (who.powers is not None and who.may(LEAD))
    if trusted and isinstance(told.get("actor"), str):
        return told
    return told | {"actor": who.actor}


# --- what is sent ---------------------------------------------------------------------------------


def need_sendable(who: Who, body: bytes) -> None:
    """Raises `Problem` 403 where a sender tells of a department that is not theirs, or what a
    person has decided. Lines that cannot be read are the engine's to refuse."""
    by_hand = not (who.may(LEAD) or who.may(DECIDE))
    scoped = who.departments is not None
    if not scoped and not (by_hand and _may_hold(body)):
        return
    for number, told in enumerate(_lines(body), 1):
        try:
            line = msgspec.json.decode(told, type=_Line)
        except UNREADABLE:
            if scoped:
                raise Problem(403, "line_department", n=number) from None
            continue
        if told.count(b'"kind"') > 1 or (scoped and told.count(b'"department"') > 1):
            raise Problem(403, "line_twice", n=number)
        if by_hand and line.kind in TOLD_BY_HAND:
            raise Problem(403, "line_kind", n=number, kind=line.kind)
        if scoped and not who.sees(line.department):
            raise Problem(403, "line_department", n=number)


def _may_hold(body: bytes) -> bool:
    """May it hold such a fact: its name is there, or is spelled with an escape."""
    return b"\\u" in body or any(b'"%b"' % kind.encode() in body for kind in TOLD_BY_HAND)


def _lines(body: bytes) -> list[bytes]:
    if body.lstrip()[:1] == b"[":
        try:
            return [bytes(one) for one in msgspec.json.decode(body, type=list[msgspec.Raw])]
        except UNREADABLE:
            return [body]
    return [line for line in body.split(b"\n") if line.strip()]
