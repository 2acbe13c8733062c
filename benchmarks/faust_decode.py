"""A bare faust app that decodes a topic's lines and does nothing else, a process of its own:
`python -m benchmarks.faust_decode BROKER TOPIC RECORDS FOLDER GROUP`. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from time import perf_counter, process_time
from typing import Any

import faust
import msgspec

FETCH_BYTES_MAX = 16 << 20
WAIT_S = 600


async def main(broker: str, topic: str, records: int, folder: str, group: str) -> dict[str, Any]:
    """Seconds from the first record to the last, CPU seconds meanwhile, and how many lines."""
    logging.getLogger("faust").setLevel(logging.WARNING)
    app = faust.App(
        group, broker=f"kafka://{broker}", store="memory://", datadir=folder, web_enabled=False,
        autodiscover=False, topic_allow_declare=False, topic_disable_leader=True,
        consumer_auto_offset_reset="earliest", consumer_max_fetch_size=FETCH_BYTES_MAX,
        stream_wait_empty=False, stream_recovery_delay=0.0,
    )  # fmt: skip
    source = app.topic(
        topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )
    over, told = asyncio.Event(), {"lines": 0, "seconds": 0.0, "cpu_s": 0.0}

    async def decode(stream: Any) -> None:
        lines = left = 0
        begun, spent = perf_counter(), process_time()
        left = records
        async for event in stream.noack().events():
            if left == records:
                begun, spent = perf_counter(), process_time()
            lines += len(decoded(event.message.value or b""))
            left -= 1
            if not left:
                told.update(
                    lines=lines, seconds=perf_counter() - begun, cpu_s=process_time() - spent
                )
                over.set()

    app.agent(source, concurrency=1, name="decode")(decode)
    await app.start()
    await asyncio.wait_for(over.wait(), WAIT_S)
    await app.stop()
    return told


_decoder = msgspec.json.Decoder()


def decoded(value: bytes) -> list[Any]:
    """The lines as dictionaries; beside one that is broken, each by itself."""
    try:
        return _decoder.decode_lines(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return [_one(line) for line in value.splitlines()]


def _one(line: bytes) -> Any:
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


if __name__ == "__main__":
    broker, topic, records, folder, group = sys.argv[1:]
    told = asyncio.run(main(broker, topic, int(records), folder, group))
    sys.stdout.write(json.dumps(told) + "\n")
