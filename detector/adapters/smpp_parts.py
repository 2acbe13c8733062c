"""Messages in parts, and the receipts of their parts: a message has arrived when all of it has."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Literal

from detector.delivery import Receipt

KEPT_MAX = 50_000  # messages, and receipts that came before their answer
KIND, IS_RECEIPT = 0x3C, 0x04  # of esm_class
TLV_ID, TLV_STATE = 0x001E, 0x0427  # receipted_message_id, message_state
_TEXT = re.compile(r"id:(\S+).*?stat:(\w+)", re.ASCII | re.DOTALL)
_STATES: dict[str, Literal["delivered", "failed"]] = {
    "DELIVRD": "delivered", "UNDELIV": "failed", "EXPIRED": "failed", "REJECTD": "failed",
    "DELETED": "failed",
}  # fmt: skip
_NUMBERS = {2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 8: "REJECTD"}


def receipt_of(event: Any) -> Receipt | None:
    """A deliver_sm as a receipt (SMPP 3.4, appendix B, or its parameters); None for others, such as
    what a person wrote, whatever it says."""
    if event.esm_class & KIND != IS_RECEIPT:
        return None
    text = bytes(event.short_message or b"").decode(errors="replace")
    found = _TEXT.search(text)
    known, code = (found[1], found[2]) if found else ("", "")
    for one in event.tlvs:
        if one.tag == TLV_ID:
            known = one.as_string() or known
        elif one.tag == TLV_STATE:
            code = _NUMBERS.get(one.as_int() or 0, code)
    status = _STATES.get(code)
    return Receipt(status, gateway_id=known, code=code) if status and known else None


@dataclass(slots=True)
class Whole:
    """One message: what its parts are called, and which of them have arrived."""

    message_id: str
    count: int
    ids: list[str] = field(default_factory=list)
    there: set[str] = field(default_factory=set)

    @property
    def arrived(self) -> bool:
        """All of it has been handed over and has arrived."""
        return len(self.there) == self.count == len(self.ids)


class Parts:
    """What was sent lately, by message and by part. It may be forgotten: then a receipt is told by
    the gateway's name for it alone."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._max = kept_max
        self._messages: OrderedDict[str, Whole] = OrderedDict()
        self._ids: dict[str, Whole] = {}
        self._early: OrderedDict[str, None] = OrderedDict()

    def of(self, message_id: str, count: int) -> Whole:
        """What is known of a message that is sent now; nothing where all of it had gone."""
        held = self._messages.get(message_id)
        if held is None or held.count != count or len(held.ids) == count:
            self._forget(message_id)
            held = self._messages[message_id] = Whole(message_id, count)
            if len(self._messages) > self._max:
                self._forget(next(iter(self._messages)))
        return held

    def _forget(self, message_id: str) -> None:
        held = self._messages.pop(message_id, None)
        for one in held.ids if held else ():
            self._ids.pop(one, None)

    def took(self, whole: Whole, gateway_id: str) -> None:
        """The gateway has another part."""
        whole.ids.append(gateway_id)
        self._ids[gateway_id] = whole
        if gateway_id in self._early:  # its receipt was faster than its answer
            del self._early[gateway_id]
            whole.there.add(gateway_id)

    def heard(self, told: Receipt) -> Receipt | None:
        """The message's receipt, once a part's says enough; None where others are to come."""
        whole = self._ids.get(told.gateway_id)
        if whole is None:
            if told.status == "delivered":
                self._early[told.gateway_id] = None
                if len(self._early) > self._max:
                    self._early.popitem(last=False)
            return told
        if told.status == "delivered":
            whole.there.add(told.gateway_id)
            if not whole.arrived:
                return None
        return Receipt(told.status, whole.message_id, whole.ids[0], told.code)
