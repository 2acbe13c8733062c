"""A load generator: `python -m benchmarks.load PORT FILE SKIP SECONDS RATE [ticks]`, a process of
its own.

Sends the lines of a file in order, 500 a body, over some connections that each have one body in
flight: as fast as answers come, or at a given rate. While it does, one stream is open; of each
finding that an event raised by itself, it notes how long after its body was due the finding came.
Prints one JSON object.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np

BODY_LINES = 500
QUIET_S = 1.0
ROW_DIGITS = 9  # an event's id ends with its row
OWN = ("too_fast_step", "too_fast_case", "back_entry", "same_person", "fee_mismatch",
       "unpaid_issue", "impossible_order")  # fmt: skip


def bodies(path: str, skip: int, ticks: bool) -> Iterator[bytes]:
    """The file's lines, so many a body, from line `skip` on; with `ticks` each ends with one."""
    with open(path, "rb") as source:
        for _ in range(skip):
            source.readline()
        while True:
            lines = [source.readline() for _ in range(BODY_LINES)]
            body = b"".join(lines)
            if not body:
                return
            yield body + tick(body) if ticks else body


def tick(body: bytes) -> bytes:
    """The line that says that what arrived with the last line of a body has arrived."""
    at = body.rpartition(b'"received_at":"')[2].partition(b'"')[0]
    return b'{"kind":"tick","at":"%s"}\n' % at


class Load:
    """What is sent, and what came back."""

    def __init__(
        self, port: int, path: str, skip: int, seconds: float, rate: float | None, ticks: bool
    ) -> None:
        self.port, self.seconds, self.rate, self.skip = port, seconds, rate, skip
        self.source = bodies(path, skip, ticks)
        self.lock = threading.Lock()
        self.sent = 0
        self.answered: list[tuple[float, int, int]] = []  # seconds, accepted, duplicates
        self.due: dict[int, float] = {}  # body → when it was due to be sent
        self.latency: list[float] = []
        self.begun = 0.0
        self.last = 0.0
        self.stream = http.client.HTTPConnection("127.0.0.1", port)

    def run(self, connections: int) -> dict[str, Any]:
        """Send, and say how it went."""
        self.stream.request("GET", "/api/v1/stream")
        listening = self.stream.getresponse()
        heard = threading.Thread(target=self.listen, args=(listening,), daemon=True)
        heard.start()
        self.begun = perf_counter()
        threads = [threading.Thread(target=self.send) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken = self.last - self.begun
        self.settle()
        if self.stream.sock is not None:
            self.stream.sock.shutdown(2)
        heard.join(5)
        took = np.array([a[0] for a in self.answered]) * 1e3
        late = np.array(self.latency or [0.0]) * 1e3
        lines = sum(a[1] + a[2] for a in self.answered)
        spread = {f"p{q}": round(float(np.percentile(late, q)), 1) for q in (50, 99, 99.9)}
        answers = {f"p{q}": round(float(np.percentile(took, q)), 1) for q in (50, 99, 99.9)}
        return {
            "lines": lines, "duplicates": sum(a[2] for a in self.answered), "seconds": taken,
            "rate": lines / taken, "answer_ms": answers, "finding_ms": spread,
            "findings": len(self.latency), "bodies": len(self.answered),
        }  # fmt: skip

    def settle(self) -> None:
        """The last findings may still be on their way: wait until no more come."""
        heard = -1
        while len(self.latency) > heard:
            heard = len(self.latency)
            threading.Event().wait(QUIET_S)

    def next(self) -> tuple[int, bytes] | None:
        """The next body and its number, when it is due."""
        with self.lock:
            number = self.sent
            now = perf_counter()
            if now - self.begun >= self.seconds:
                return None
            body = next(self.source, b"")
            if not body:
                return None
            self.sent += 1
            at = now if self.rate is None else self.begun + number * BODY_LINES / self.rate
            self.due[number] = max(at, now) if self.rate is None else at
        wait = at - now
        if wait > 0:
            threading.Event().wait(wait)
        return number, body

    def send(self) -> None:
        """One connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        while (some := self.next()) is not None:
            _, body = some
            begun = perf_counter()
            connection.request("POST", "/api/v1/events", body)
            answer = json.loads(connection.getresponse().read())
            now = perf_counter()
            with self.lock:
                self.answered.append((now - begun, answer["accepted"], answer["duplicates"]))
                self.last = max(self.last, now)
        connection.close()

    def listen(self, response: http.client.HTTPResponse) -> None:
        """Note when findings come."""
        mark = b'"rule":"'
        try:
            while line := response.readline():
                if not line.startswith(b"data: ") or mark not in line:
                    continue
                now = perf_counter()
                finding = json.loads(line[6:])
                if finding["rule"] not in OWN or finding["muted"]:
                    continue
                row = int(finding["events"][-1][-ROW_DIGITS:]) - self.skip
                due = self.due.get(row // BODY_LINES)
                if due is not None:
                    self.latency.append(now - due)
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            return  # the stream was closed


if __name__ == "__main__":
    port, path, skip, seconds, rate, *ticks = sys.argv[1:]
    load = Load(int(port), path, int(skip), float(seconds), float(rate) or None, bool(ticks))
    told = load.run(connections=4)
    sys.stdout.write(json.dumps(told) + "\n")
