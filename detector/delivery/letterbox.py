"""The letterbox (收发室): what comes in by hand while delivery is at work, here or elsewhere.

Receipts of gateways are written down before the gateway is answered, so none is lost whoever is
killed, and delivery finds them also where it runs in another process. Any thread may call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock

from detector.delivery import Channel, Receipt
from detector.delivery.outbox import Heard, Outbox, Row


class Letterbox:
    """One outbox, shared by the threads of a server. All raise `LedgerError` where the file cannot
    be used."""

    def __init__(
        self, outbox: Outbox, channels: Mapping[str, Channel], now: Callable[[], int],
        wake: Callable[[], None],
    ) -> None:  # fmt: skip
        self.channels, self._outbox = channels, outbox
        self._now, self._wake = now, wake
        self._one = Lock()  # a connection has one transaction at a time

    def receive(self, channel: str, told: Sequence[Receipt]) -> None:
        """Gateways say what became of messages."""
        heard = [heard_of(channel, one, self._now()) for one in told]
        if heard:
            with self._one:
                self._outbox.hear(heard)
            self._wake()

    def dead(self, after: str, limit: int) -> list[Row]:
        """Dead letters, in the order of their ids, those behind `after`."""
        with self._one:
            return self._outbox.dead(after, limit)

    def resend(self, message_id: str) -> bool:
        """A dead letter waits again, with no attempt counted; False where it is none."""
        with self._one:
            done = self._outbox.resend(message_id, self._now())
        self._wake()
        return done

    def close(self) -> None:
        """Let go of the file."""
        with self._one:
            self._outbox.close()


def heard_of(channel: str, told: Receipt, at_us: int) -> Heard:
    """A receipt as it is written down."""
    return Heard(at_us, channel, told.status, told.message_id, told.gateway_id, told.code)
