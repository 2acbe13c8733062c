"""Webhooks: CloudEvents 1.0 in JSON, signed as Standard Webhooks has it.

Several secrets may be live at once, so that one can be changed without a gap: a signature each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from standardwebhooks import Webhook

from detector.adapters.http_out import HttpOut, outcome_of
from detector.delivery import Outcome, Outgoing, Receipt
from detector.values import iso_time

TYPE = "cn.oriole.notice."


class WebhookOut:
    """One subscriber."""

    def __init__(self, name: str, settings: Mapping[str, Any], keys: Sequence[str]) -> None:
        self.name = name
        self._source = settings.get("source", "/oriole")
        self._signers = [Webhook(one) for one in keys]
        self._http = HttpOut(
            settings["url"],
            settings.get("allow_private", ()),
            settings.get("timeout_s", 10),
            settings.get("ca_file", ""),
        )

    async def send(self, message: Outgoing) -> Outcome:
        """Try once; see `Channel.send`. A repeat bears the same id."""
        event = {
            "specversion": "1.0", "id": message.message_id, "source": self._source,
            "type": TYPE + message.occasion, "time": iso_time(message.at_us),
            "datacontenttype": "application/json",
            "data": message.doc | {"subject_line": message.subject, "text": message.text},
        }  # fmt: skip
        body = msgspec.json.encode(event)
        now = datetime.now(UTC)
        told = [one.sign(message.message_id, now, body.decode()) for one in self._signers]
        headers = {
            "content-type": "application/cloudevents+json", "webhook-id": message.message_id,
            "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": " ".join(told),
        }  # fmt: skip
        answer = await self._http.request("POST", headers=headers, content=body)
        if isinstance(answer, Outcome):
            return answer
        return outcome_of(answer) or Outcome("delivered", str(answer.status))

    def receipts(self, body: bytes, headers: dict[str, str]) -> list[Receipt]:
        """A subscriber has answered already."""
        raise ValueError("webhooks have no callback")

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.close()
