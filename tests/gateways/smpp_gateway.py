"""An SMPP 3.4 gateway as a process: tells what it is sent, and gives a receipt for each message.

A number says what becomes of it: …1001 is throttled once, …1002 refused, of …1003 the second part
is throttled once, …1004 does not arrive, at …1005 it hangs up, …1006 has the receipt in parameters
and a person's answer that looks like one besides.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from typing import Any

import smpp34

PERSON = b"id:1 sub:001 dlvrd:001 stat:DELIVRD err:000 text:"
seen: set[str] = set()
under_way: set[asyncio.Task[None]] = set()


def tell(told: dict[str, Any]) -> None:
    """One line to whoever started it."""
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def once(what: str) -> bool:
    """Whether this is the first time."""
    new = what not in seen
    seen.add(what)
    return new


async def receipt(client: Any, event: Any, known: str) -> None:
    """Say what became of a message, to whoever is still there."""
    with contextlib.suppress(smpp34.SmppError):
        await say(client, event, known)


async def say(client: Any, event: Any, known: str) -> None:
    """One receipt."""
    how: dict[str, Any] = {
        "source_addr": event.destination_addr, "destination_addr": event.source_addr,
    }  # fmt: skip
    end = event.destination_addr[-4:]
    if end == "1006":
        await client.deliver_sm(**how, short_message=PERSON, esm_class=0)
        tlvs = [
            smpp34.Tlv(smpp34.TLV_RECEIPTED_MESSAGE_ID, known.encode() + b"\0"),
            smpp34.Tlv(smpp34.TLV_MESSAGE_STATE, b"\x02"),
        ]
        await client.deliver_sm(**how, short_message=b"", esm_class=4, tlvs=tlvs)
        return
    state = "UNDELIV" if end == "1004" else "DELIVRD"
    text = f"id:{known} sub:001 dlvrd:001 stat:{state} err:000 text:"
    await client.deliver_sm(**how, short_message=text.encode(), esm_class=4)


async def take(server: Any, client: Any, event: Any, known: str) -> None:
    """Answer one message, and tell what became of it."""
    end, data = event.destination_addr[-4:], bytes(event.short_message)
    second = event.esm_class & 0x40 and data[5] == 2
    if (end == "1001" or (end == "1003" and second)) and once(end):
        event.reject(smpp34.ESME_RTHROTTLED)
        return
    if end == "1002":
        event.reject(smpp34.ESME_RINVDSTADR)
        return
    tell(
        {
            "to": event.destination_addr, "coding": event.data_coding, "key": known,
            "parts": event.esm_class & 0x40, "data": data.hex(), "ton": event.dest_addr_ton,
            "asked": event.registered_delivery,
        }
    )  # fmt: skip
    if end == "1005" and once(end):
        await client.unbind()
        return
    event.accept(known)
    task = asyncio.create_task(receipt(client, event, known))
    under_way.add(task)
    task.add_done_callback(under_way.discard)


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
        elif event.session_id in clients:
            count += 1
            await take(server, clients[event.session_id], event, str(count))


async def deaf() -> None:
    """Take connections and say nothing."""
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    tell({"port": server.sockets[0].getsockname()[1]})
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(deaf() if "deaf" in sys.argv else serve())
