"""The teller: what became of messages is told to the engine, again and again until it has it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from detector.delivery import record
from detector.delivery.desk import Given
from detector.delivery.outbox import Outbox
from detector.ledger import LedgerError

TOLD_A_TIME = 1_000
TELL_S, TELL_S_MAX = 1.0, 30.0  # between two tries while the engine cannot be had
Tell = Callable[[list[bytes]], bool | None]
Aside = Callable[[Callable[[], Any]], Awaitable[Any]]


async def in_a_thread(call: Callable[[], Any]) -> Any:
    """Run what may block beside the loop."""
    return await asyncio.to_thread(call)


async def tell_on(
    outbox: Outbox, tell: Tell, aside: Aside, given: Given, news: asyncio.Event
) -> None:
    """Tell, for ever, whenever there is news. How far the engine has heard is written down after it
    has: what it hears a second time it knows."""
    wait = TELL_S
    while True:
        news.clear()
        try:
            some = outbox.untold(TOLD_A_TIME)
            lines = record.lines(outbox, [one for _, one in some])
            taken = not lines or await aside(partial(tell, lines)) is not False
            if taken and some:
                outbox.tell_upto(some[-1][0], given.now())
                wait = TELL_S
                continue
        except LedgerError as fault:
            given.log("outbox_waits", reason=str(fault))
            taken = False
        if taken:
            wait = TELL_S
            await news.wait()
        else:
            await asyncio.sleep(wait)
            wait = min(2 * wait, TELL_S_MAX)
