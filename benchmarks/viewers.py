"""Viewers of a live stream in a process of their own: `python -m benchmarks.viewers COUNT PATH`.

Told what to do by lines of JSON: `open` all streams (each from its last id), `close` them, `post`
so many findings at a pace, `check` until every viewer has every finding. Each answer is a line. A
finding is one case with a step recorded 58 seconds after the one before: it always raises. Its time
runs from the instant at which its events were due to be sent, so it holds their judging and their
commit, too.
"""

from __future__ import annotations

import http.client
import json
import re
import resource
import selectors
import socket
import sys
import threading
from collections.abc import Iterator
from time import perf_counter, process_time
from typing import Any

import numpy as np

WAIT_S = 30
CONNECTING_MAX, SENDERS = 200, 8
RECEIVE_BYTES = 1 << 18
CASE = re.compile(rb'"case_id":"w(\d+)"')
ID = re.compile(rb"^id: (\S+)$", re.MULTILINE)
FINDING, RULE = b"event: finding\n", b'"rule":"too_fast_step"'


def body(number: int) -> bytes:
    """The events of one case; they raise one finding."""
    usual = {
        "case_id": f"w{number}", "item": "permit", "department": "D01",
        "documents": ["application_form", "business_licence", "safety_plan", "survey_opinion"],
        "fields": ["applicant", "credit_code", "premises", "surveyed_on"],
    }  # fmt: skip
    accepted, surveyed = {"operator": "P0101"}, {"operator": "P0102", "step": "survey"}
    told = (("accept", "09:00:00", accepted), ("step", "09:00:58", surveyed))
    lines = []
    for action, time, more in told:
        at = f"2026-03-02T{time}+08:00"
        one = {"event_id": f"w{number}-{action}", "action": action}
        lines.append(json.dumps(usual | one | more | {"occurred_at": at, "recorded_at": at}))
    return "\n".join(lines).encode()


class Viewer:
    """One stream: its last id, and how often it was sent each finding."""

    def __init__(self) -> None:
        self.sock: socket.socket | None = None
        self.rest, self.last = b"", ""
        self.seen: dict[int, int] = {}
        self.answered = False


class Viewers:
    """All streams, and who posts."""

    def __init__(self, count: int, path: str) -> None:
        self.path, self.port, self.posted = path, 0, 0
        self.all = [Viewer() for _ in range(count)]
        self.selector = selectors.DefaultSelector()
        self.due: dict[int, float] = {}
        self.late: list[float] = []
        self._parsed: tuple[bytes, list[int], str] = (b"", [], "")

    def open(self, port: int) -> dict[str, Any]:
        """Open all streams; how long it took until each was answered."""
        while self.selector.get_map() and self.selector.select(0):
            self._read(0)  # those whose server has ended learn of it
        self.port, begun = port, perf_counter()
        waiting = [viewer for viewer in self.all if viewer.sock is None]
        while waiting or any(not viewer.answered for viewer in self.all):
            busy = sum(v.sock is not None and not v.answered for v in self.all)
            for viewer in waiting[: CONNECTING_MAX - busy]:
                self._connect(viewer)
            waiting = [viewer for viewer in self.all if viewer.sock is None]
            self._read(0.05)
            if perf_counter() - begun > WAIT_S:
                raise TimeoutError(f"{len(waiting)} streams do not open")
        return {"seconds": perf_counter() - begun}

    def _connect(self, viewer: Viewer) -> None:
        viewer.sock = sock = socket.create_connection(("127.0.0.1", self.port), WAIT_S)
        sock.setblocking(False)
        last = f"Last-Event-ID: {viewer.last}\r\n" if viewer.last else ""
        sock.send(f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n{last}\r\n".encode())
        viewer.rest, viewer.answered = b"", False
        self.selector.register(sock, selectors.EVENT_READ, viewer)

    def close(self) -> dict[str, Any]:
        """Cut all streams."""
        for viewer in self.all:
            self._drop(viewer)
        return {}

    def _drop(self, viewer: Viewer) -> None:
        if viewer.sock is not None:
            self.selector.unregister(viewer.sock)
            viewer.sock.close()
            viewer.sock = None

    def post(self, count: int, per_s: float) -> dict[str, Any]:
        """Post findings at a pace and listen meanwhile; how late they came to whom listened."""
        self.late, first, own = [], self.posted, process_time()
        faults: list[BaseException] = []
        begun, each = perf_counter(), range(min(SENDERS, count))
        senders = [
            threading.Thread(
                target=self._send,
                args=([(first + n, begun + n / per_s) for n in range(k, count, SENDERS)], faults),
            )
            for k in each
        ]
        for sender in senders:
            sender.start()
        while any(sender.is_alive() for sender in senders):
            self._read(0.05)
        self.posted += count
        if faults:
            raise faults[0]
        listening = any(viewer.sock is not None for viewer in self.all)
        told = self.check() if listening else {"missed": 0, "double": 0, "dropped": 0}
        late = np.array(self.late or [0.0]) * 1e3
        spread = {f"p{q}": round(float(np.percentile(late, q)), 1) for q in (50, 99, 100)}
        own = process_time() - own
        return told | spread | {"posted": count, "heard": len(self.late), "own": own}

    def _send(self, cases: list[tuple[int, float]], faults: list[BaseException]) -> None:
        """One connection: each case when it is due, or as soon as the one before was answered."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port)
            for case, due in cases:
                threading.Event().wait(max(due - perf_counter(), 0))
                self.due[case] = due
                connection.request("POST", "/api/v1/events", body(case))
                answer = json.loads(connection.getresponse().read())
                if answer["accepted"] != 2:
                    raise RuntimeError(f"not taken: {answer}")
            connection.close()
        except (OSError, http.client.HTTPException, RuntimeError) as fault:
            faults.append(fault)

    def check(self) -> dict[str, Any]:
        """Wait until every viewer has every finding; what is missed, or came twice."""
        begun = perf_counter()
        while perf_counter() - begun < WAIT_S:
            if all(len(viewer.seen) >= self.posted for viewer in self.all):
                break
            self._read(0.05)
        missed = sum(self.posted - len(viewer.seen) for viewer in self.all)
        double = sum(sum(viewer.seen.values()) - len(viewer.seen) for viewer in self.all)
        dropped = sum(viewer.sock is None for viewer in self.all)
        return {"missed": missed, "double": double, "dropped": dropped}

    def _read(self, wait_s: float) -> None:
        """Take what has come."""
        for key, _ in self.selector.select(wait_s):
            viewer: Viewer = key.data
            try:
                part = key.fileobj.recv(RECEIVE_BYTES)  # type: ignore[union-attr]
            except OSError:
                part = b""
            now = perf_counter()
            if not part:
                self._drop(viewer)
                continue
            if not viewer.answered:
                if not part.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(f"a stream is refused: {part[:100]!r}")
                viewer.answered = True
            whole, mark, viewer.rest = (viewer.rest + part).rpartition(b"\n\n")
            if mark:
                self._take(viewer, whole, now)

    def _take(self, viewer: Viewer, whole: bytes, now: float) -> None:
        if whole != self._parsed[0]:  # all are sent the same bytes
            self._parsed = (whole, *parsed(whole))
        _, cases, last = self._parsed
        viewer.last = last or viewer.last
        for case in cases:
            viewer.seen[case] = viewer.seen.get(case, 0) + 1
            self.late.append(now - self.due[case])


def parsed(whole: bytes) -> tuple[list[int], str]:
    """Cases of the findings in whole events, and the last id."""
    cases = [
        int(found[1])
        for event in whole.split(b"\n\n")
        if FINDING in event and RULE in event and (found := CASE.search(event))
    ]
    ids = ID.findall(whole)
    return cases, ids[-1].decode() if ids else ""


def told() -> Iterator[dict[str, Any]]:
    """What to do."""
    for line in sys.stdin:
        yield json.loads(line)


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    viewers = Viewers(int(sys.argv[1]), sys.argv[2])
    for words in told():
        answer = getattr(viewers, words.pop("do"))(**words)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
