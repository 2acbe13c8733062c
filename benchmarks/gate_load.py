"""Who asks beforehand: `python -m benchmarks.gate_load PORT SECONDS RATE`, a process of its own.

Open loop: requests are due at even instants whatever the answers do, and each is timed from the
instant at which it was due. Prints one JSON object; times in ms, `server` by what the answer's
`Server-Timing` says.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from time import perf_counter
from typing import Any

import numpy as np
import uvloop

CASES = 1_000_000
CONNECTIONS = 32
MORNING, AFTERNOON, EVENING = 9 * 3600, 16 * 3600, 17 * 3600  # of 2026-03-02
LINE = (
    '{"event_id":"%s%d","case_id":"32041126%09d","item":"eia_permit","department":"D03",'
    '"district":"320411","operator":"P03%05d","occurred_at":"%s","recorded_at":"%s",%s}'
)
ACCEPT = (
    '"action":"accept","documents":["application_form","eia_report"],'
    '"fields":["applicant","credit_code","project_name"]'
)
SURVEY = '"action":"step","step":"survey","documents":["survey_opinion"]'
UNPROVEN = '"action":"step","step":"survey"'
REVIEW = '"action":"step","step":"review"'
UNPROVEN_EACH = 50  # one survey of so many is filed without its opinion: 2 % raise a finding


def _line(name: str, case: int, second: int, told: str, person: int | None = None) -> bytes:
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    at = f"2026-03-02T{clock}+08:00"
    person = case * 7 % 20_000 if person is None else person
    return (LINE % (name, case, case, person, at, at, told)).encode() + b"\n"


def accepted(case: int) -> bytes:
    """A case is accepted between nine and four, in the order of the cases."""
    return _line("a", case, MORNING + case * 25_000 // CASES, ACCEPT)


def surveyed(case: int) -> bytes:
    """It is surveyed within half an hour after four; of the last cases that is too soon. So much
    in so short a time is the work of many: nobody enters a batch."""
    told = SURVEY if case % UNPROVEN_EACH else UNPROVEN
    return _line("s", case, AFTERNOON + case * 1_500 // CASES, told, 100_000 + case % 400_000)


def asked(number: int, case: int) -> bytes:
    """May it be surveyed, or reviewed without an opinion, after five?"""
    return _line(f"g{number}-", case, EVENING, REVIEW if number % 2 else SURVEY)


class Asking:
    """What was asked, and what came back."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.Queue()
        )
        self.client: list[float] = []
        self.server: list[float] = []
        self.told: Counter[str] = Counter()

    async def run(self, seconds: float, rate: float) -> dict[str, Any]:
        """Ask at a rate for some seconds."""
        for _ in range(CONNECTIONS):
            self.free.put_nowait(await asyncio.open_connection("127.0.0.1", self.port))
        cases = np.random.default_rng(7).integers(0, CASES, int(seconds * rate)).tolist()
        begun, tasks = perf_counter(), []
        for number, case in enumerate(cases):
            due = begun + number / rate
            wait = due - perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            tasks.append(asyncio.create_task(self.ask(asked(number, case), due)))
        await asyncio.gather(*tasks)
        taken = perf_counter() - begun
        return {
            "asked": len(self.client), "rate": len(self.client) / taken, "told": dict(self.told),
            "client": spread(self.client), "server": spread(self.server),
        }  # fmt: skip

    async def ask(self, line: bytes, due: float) -> None:
        """One request over a connection that is free."""
        reader, writer = await self.free.get()
        head = b"POST /api/v1/gate HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(line) + line)
        told = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        headers = dict(one.split(": ", 1) for one in told.split("\r\n")[1:] if one)
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        self.client.append((perf_counter() - due) * 1e3)
        self.free.put_nowait((reader, writer))
        self.server.append(float(headers["server-timing"].partition("dur=")[2]))
        self.told["allowed" if body["allow"] else "denied"] += 1
        self.told["failures"] += body["decided_by"] != "rules"


def spread(times: list[float]) -> dict[str, float]:
    """Percentiles."""
    return {f"p{q}": round(float(np.percentile(times, q)), 2) for q in (50, 99, 99.9)}


if __name__ == "__main__":
    port, seconds, rate = sys.argv[1:]
    told = uvloop.run(Asking(int(port)).run(float(seconds), float(rate)))
    sys.stdout.write(json.dumps(told) + "\n")
