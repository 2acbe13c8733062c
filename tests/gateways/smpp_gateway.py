"""An SMPP 3.4 gateway as a process: tells what it is sent, and gives a receipt for each message."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from typing import Any

import smpp34


def tell(told: dict[str, Any]) -> None:
    """One line to whoever started it."""
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


async def serve() -> None:
    """Until it is ended."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = smpp34.Server("127.0.0.1", port)
    await server.start()
    tell({"port": port})
    count, clients = 0, {}
    while True:
        event = await server.next()
        if isinstance(event, smpp34.Esme):
            clients[event.session_id] = event
        elif isinstance(event, smpp34.Unbound):
            clients.pop(event.session_id, None)
        else:
            count += 1
            event.accept(str(count))
            tell(
                {
                    "to": event.destination_addr, "coding": event.data_coding,
                    "parts": event.esm_class & 0x40, "data": bytes(event.short_message).hex(),
                }
            )  # fmt: skip
            text = f"id:{count} sub:001 dlvrd:001 stat:DELIVRD err:000 text:"
            await clients[event.session_id].deliver_sm(
                source_addr=event.destination_addr, destination_addr=event.source_addr,
                short_message=text.encode(), esm_class=4,
            )  # fmt: skip


if __name__ == "__main__":
    asyncio.run(serve())
