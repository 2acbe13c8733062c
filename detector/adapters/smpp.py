"""Text messages over SMPP 3.4 (smpp34): Chinese in UCS-2, long ones in parts, receipts asked for.

A wrong password makes a connection hang, so binding is bounded in time. A receipt is acknowledged
before it is read: whoever waits for one must not wait for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping
from typing import Any

import smpp34

from detector.adapters.numbers import number_of
from detector.adapters.smpp_parts import Parts, receipt_of
from detector.delivery import Outcome, Outgoing, Receipt
from detector.sms import split

BIND_S, ANSWER_S, STOP_S, REBIND_S = 5.0, 10.0, 2.0, 30.0
FRESH_S = 1.0  # a failed bind is not tried again by those who waited for it
UCS2, ASKED, PARTED = 8, 1, 0x40
LATER = (smpp34.ESME_RTHROTTLED, smpp34.ESME_RMSGQFUL, smpp34.ESME_RSYSERR)
LATER_S = 10
NO_BIND = Outcome("retry", "no_bind", "the gateway did not let us bind")


class SmppOut:
    """One gateway, bound as a transceiver while it is used."""

    def __init__(
        self, name: str, settings: Mapping[str, Any], password: str, bind_s: float = BIND_S
    ) -> None:
        self.name, self._how, self._password, self._bind_s = name, settings, password, bind_s
        self._client: Any = None
        self._smsc: Any = None
        self.bound = asyncio.Event()
        self._one = asyncio.Lock()
        self._failed = float("-inf")  # when binding failed last, by the loop's clock
        self._parts = Parts()

    async def send(self, message: Outgoing) -> Outcome:
        """Try once; see `Channel.send`. The first part's id names the message; a retry goes on with
        the part that the gateway did not take, and telephones see repeated parts as one."""
        number = number_of(message.to)
        if number is None:
            return Outcome("refused", "no_number", "the telephone number is none")
        texts = split(message.text, self._how.get("signature", ""))
        whole = self._parts.of(message.message_id, len(texts))
        reference = hashlib.sha256(message.message_id.encode()).digest()[0]
        for place in range(len(whole.ids) + 1, len(texts) + 1):
            many = len(texts) > 1
            header = bytes([5, 0, 3, reference, len(texts), place]) if many else b""
            told = await self._submit(number, header + texts[place - 1].encode("utf-16-be"), many)
            if isinstance(told, Outcome):  # some of it has gone already: who knows what is seen
                some = whole.ids and told.verdict == "retry"
                return Outcome("unknown", told.code, told.detail) if some else told
            self._parts.took(whole, told)
        return Outcome("delivered" if whole.arrived else "sent", "0", gateway_id=whole.ids[0])

    async def _submit(self, number: str, data: bytes, parted: bool) -> str | Outcome:
        smsc = await self._bound()
        if smsc is None:
            return NO_BIND
        abroad = number.startswith("+")
        try:
            answer = await asyncio.wait_for(
                smsc.submit_sm(
                    destination_addr=number.removeprefix("+"), dest_addr_ton=int(abroad),
                    dest_addr_npi=1, source_addr=self._how.get("from", ""), short_message=data,
                    data_coding=UCS2, registered_delivery=ASKED, esm_class=PARTED * parted,
                ),
                ANSWER_S,
            )  # fmt: skip
        except TimeoutError:
            return Outcome("unknown", "no_answer", "no submit_sm_resp in time")
        except smpp34.SmppError:
            await self._lost(smsc)
            return Outcome("unknown", "disconnected", "the connection broke before an answer")
        status = int(answer.command_status)
        if status in LATER:
            return Outcome("retry", hex(status), retry_after_s=LATER_S)
        if status != smpp34.ESME_ROK or not answer.message_id:
            return Outcome("refused", hex(status))
        return str(answer.message_id)

    async def _bound(self) -> Any:
        """The gateway's side of the connection; None where it does not let us bind."""
        async with self._one:
            if self._smsc is not None:
                return self._smsc
            loop = asyncio.get_running_loop()
            if loop.time() - self._failed < FRESH_S:
                return None
            how = self._how
            client = smpp34.Client(
                host=how["host"], port=how["port"], system_id=how["system_id"],
                password=self._password, bind_type="TRX", tls=how.get("tls", False),
            )  # fmt: skip
            try:
                self._smsc = await asyncio.wait_for(client.connect(), self._bind_s)
            except (TimeoutError, OSError, smpp34.SmppError):
                self._failed = loop.time()
                await _stopped(client)
                return None
            self._client = client
            self.bound.set()
            return self._smsc

    async def heard(self) -> Receipt:
        """The next receipt; waits, and binds anew where the connection was lost."""
        while True:
            smsc = await self._bound()
            if smsc is None:
                with contextlib.suppress(TimeoutError):  # until somebody sends, or it is time
                    await asyncio.wait_for(self.bound.wait(), REBIND_S)
                continue
            try:
                event = await smsc.next()
            except smpp34.SmppError:
                event = None
            if not isinstance(event, smpp34.DeliverSmEvent):
                await self._lost(smsc)
                continue
            told = receipt_of(event)
            whole = self._parts.heard(told) if told is not None else None
            if whole is not None:
                return whole

    async def _lost(self, smsc: Any) -> None:
        """This connection is over; another that was made meanwhile is not."""
        if smsc is not self._smsc:
            return
        client, self._smsc, self._client = self._client, None, None
        self.bound.clear()
        if client is not None:
            await _stopped(client)

    def receipts(self, body: bytes, headers: dict[str, str]) -> list[Receipt]:
        """Receipts come over the connection."""
        raise ValueError("SMPP has no callback")

    async def close(self) -> None:
        """Unbind."""
        await self._lost(self._smsc)


async def _stopped(client: Any) -> None:
    """Let go of a connection, in whatever state it is."""
    with contextlib.suppress(TimeoutError, OSError, smpp34.SmppError):
        await asyncio.wait_for(client.stop(), STOP_S)
