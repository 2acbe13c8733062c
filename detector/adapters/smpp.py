"""Text messages over SMPP 3.4 (smpp34): Chinese in UCS-2, long ones in parts, receipts asked for.

A wrong password makes a connection hang, so binding is bounded in time. A receipt is acknowledged
before it is read: whoever waits for one must not wait for ever.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Mapping
from typing import Any, Literal

import smpp34

from detector.adapters.sms_http import number_of
from detector.delivery import Outcome, Outgoing, Receipt
from detector.sms import split

BIND_S = 5
ANSWER_S = 10
UCS2, ASKED, PARTS = 8, 1, 0x40
_RECEIPT = re.compile(r"id:(\S+).*?stat:(\w+)", re.ASCII | re.DOTALL)
_STATES: dict[str, Literal["delivered", "failed"]] = {
    "DELIVRD": "delivered", "UNDELIV": "failed", "EXPIRED": "failed", "REJECTD": "failed",
}  # fmt: skip


class SmppOut:
    """One gateway, bound as a transceiver while it is used."""

    def __init__(self, name: str, settings: Mapping[str, Any], password: str) -> None:
        self.name, self._how, self._password = name, settings, password
        self._client: Any = None
        self._smsc: Any = None
        self.bound = asyncio.Event()
        self._parts = itertools.count(1)
        self._one = asyncio.Lock()

    async def send(self, message: Outgoing) -> Outcome:
        """Try once; see `Channel.send`. The first part's id names the message."""
        number = number_of(message.to)
        if number is None:
            return Outcome("refused", "no_number", "the telephone number is none")
        parts = split(message.text, self._how.get("signature", ""))
        reference = next(self._parts) % 256
        first = ""
        for place, part in enumerate(parts, 1):
            header = bytes([5, 0, 3, reference, len(parts), place]) if len(parts) > 1 else b""
            told = await self._submit(number, header + part.encode("utf-16-be"), bool(header))
            if isinstance(told, Outcome):  # a part that may have gone makes the whole unknown
                return Outcome("unknown", told.code, told.detail) if first else told
            first = first or told
        return Outcome("sent", "0", gateway_id=first)

    async def _submit(self, number: str, data: bytes, parted: bool) -> str | Outcome:
        async with self._one:
            smsc = await self._bound()
        if isinstance(smsc, Outcome):
            return smsc
        try:
            answer = await asyncio.wait_for(
                smsc.submit_sm(
                    destination_addr=number, source_addr=self._how.get("from", ""),
                    short_message=data, data_coding=UCS2, registered_delivery=ASKED,
                    esm_class=PARTS if parted else 0,
                ),
                ANSWER_S,
            )  # fmt: skip
        except TimeoutError:
            return Outcome("unknown", "no_answer", "no submit_sm_resp in time")
        except smpp34.SmppError:
            self._lost()
            return Outcome("unknown", "disconnected", "the connection broke before an answer")
        status = int(getattr(answer, "command_status", 0))
        if status in (smpp34.ESME_RTHROTTLED, smpp34.ESME_RMSGQFUL):
            return Outcome("retry", hex(status), retry_after_s=10)
        if status != smpp34.ESME_ROK:
            return Outcome("refused", hex(status))
        return str(answer.message_id)

    async def _bound(self) -> Any:
        """The gateway's side of the connection, or why there is none."""
        if self._smsc is not None:
            return self._smsc
        how = self._how
        client = smpp34.Client(
            host=how["host"], port=how["port"], system_id=how["system_id"],
            password=self._password, bind_type="TRX", tls=how.get("tls", False),
        )  # fmt: skip
        try:
            self._smsc = await asyncio.wait_for(client.connect(), BIND_S)
        except (TimeoutError, OSError, smpp34.SmppError):
            return Outcome("retry", "no_bind", "the gateway did not let us bind")
        self._client = client
        self.bound.set()
        return self._smsc

    async def heard(self) -> Receipt:
        """The next receipt; waits, also until there is a connection."""
        while True:
            await self.bound.wait()
            try:
                event = await self._smsc.next()
            except smpp34.SmppError:
                self._lost()
                continue
            if not isinstance(event, smpp34.DeliverSmEvent):
                self._lost()
                continue
            told = receipt_of(event)
            if told is not None:
                return told

    def _lost(self) -> None:
        self._smsc = self._client = None
        self.bound.clear()

    def receipts(self, body: bytes, headers: dict[str, str]) -> list[Receipt]:
        """Receipts come over the connection."""
        raise ValueError("SMPP has no callback")

    async def close(self) -> None:
        """Unbind."""
        client = self._client
        self._lost()
        if client is not None:
            await client.stop()


def receipt_of(event: Any) -> Receipt | None:
    """A deliver_sm as a receipt (`id:… stat:DELIVRD …`, SMPP 3.4 appendix B); None for others."""
    text = bytes(event.short_message or b"").decode(errors="replace")
    found = _RECEIPT.search(text)
    if found is None or found[2] not in _STATES:
        return None
    return Receipt(_STATES[found[2]], gateway_id=found[1], code=found[2])
