"""Lines of each source within a minute: one that sends too many does not starve the others.

A source is what a line says it is, else its department. Seconds are those of a clock that only goes
forward; several servers count each for themselves. Nothing is looked at where no bound is set.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from detector.web.problems import Problem
from detector.web.scopes import UNREADABLE

MINUTE_S = 60
SOURCES_MAX = 10_000  # counted apart; the others share one count
NAMED_MAX, NAME_CHARS_MAX = 20, 64  # in an answer
OTHERS = ""


class _Line(msgspec.Struct):
    source: str | None = None
    department: str | None = None


_lines = msgspec.json.Decoder(_Line)
_array = msgspec.json.Decoder(list[_Line])


@dataclass(frozen=True)
class Charge:
    """What a body was counted as."""

    second: int
    lines: Mapping[str, int]


FREE = Charge(0, {})


class Quotas:
    """Counts of the last minute. `bound`: lines of one source within it, 0 for any number."""

    def __init__(self, bound: Callable[[], int]) -> None:
        self._bound = bound
        self._held: dict[str, deque[tuple[int, int]]] = {}  # (second, lines), the oldest first
        self._swept = 0
        self.refused = 0  # bodies

    def take(self, body: bytes, now_s: float) -> Charge:
        """Count a body's lines. Raises `Problem` where a source sends too many: nothing of the
        body is counted then."""
        bound = self._bound()
        if not bound:
            return FREE
        second, many = int(now_s), sources_of(body)
        self._sweep(second)
        told = Counter[str]()
        for source, n in many.items():
            told[self._name(source)] += n
        over = {name: n for name, n in told.items() if self._sum(name, second) + n > bound}
        if over:
            self.refused += 1
            raise self._problem(over, bound, second)
        for name, n in told.items():
            self._add(name, second, n)
        return Charge(second, told)

    def give_back(self, charge: Charge) -> None:
        """The body was not judged after all."""
        for name, n in charge.lines.items():
            self._held[name] = deque(
                (at, some - n if at == charge.second else some)
                for at, some in self._held.get(name, ())
            )

    def _name(self, source: str) -> str:
        full = len(self._held) >= SOURCES_MAX and source not in self._held
        return OTHERS if full else source

    def _add(self, name: str, second: int, n: int) -> None:
        held = self._held.setdefault(name, deque())
        if held and held[-1][0] == second:
            held[-1] = (second, held[-1][1] + n)
        else:
            held.append((second, n))

    def _sum(self, name: str, second: int) -> int:
        held = self._held.get(name)
        if not held:
            return 0
        while held and held[0][0] <= second - MINUTE_S:
            held.popleft()
        return sum(n for _, n in held)

    def _sweep(self, second: int) -> None:
        if second - self._swept >= MINUTE_S:
            self._held = {name: held for name, held in self._held.items()
                          if held and held[-1][0] > second - MINUTE_S}  # fmt: skip
            self._swept = second

    def _problem(self, over: Mapping[str, int], bound: int, second: int) -> Problem:
        named = {
            name[:NAME_CHARS_MAX] or "others": n
            for name, n in sorted(over.items(), key=lambda one: (-one[1], one[0]))[:NAMED_MAX]
        }
        if max(over.values()) > bound:
            fault = Problem(413, "source_too_large", n=bound)
        else:
            wait = max(self._wait(name, n, bound, second) for name, n in over.items())
            fault = Problem(429, "source_too_fast", retry_after_s=wait, n=bound)
        fault.more = {"sources": named}
        return fault

    def _wait(self, name: str, n: int, bound: int, second: int) -> int:
        """Seconds until so many lines of a source may come."""
        left = self._sum(name, second) + n - bound
        for at, some in self._held[name]:
            left -= some
            if left <= 0:
                return at + MINUTE_S - second
        return MINUTE_S


def sources_of(body: bytes) -> Mapping[str, int]:
    """How many lines each source has in a body; what cannot be read is the engine's to refuse."""
    try:
        if body[:64].lstrip()[:1] == b"[":
            return _counted(_array.decode(body))
        return _counted(_lines.decode_lines(body))
    except UNREADABLE:
        return _counted(_readable(body))


def _readable(body: bytes) -> list[_Line]:
    told = []
    for line in body.split(b"\n"):
        try:
            told.append(_lines.decode(line))
        except UNREADABLE:
            continue
    return told


def _counted(lines: list[_Line]) -> Mapping[str, int]:
    told = Counter(one.source or one.department for one in lines)
    return {name: n for name, n in told.items() if name}
