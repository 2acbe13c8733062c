"""How many messages a person and a gateway were given lately, and when the next may go.

Every attempt counts, from the moment at which it is handed over, within a window that rolls.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping

from detector.delivery.outbox import Submit

MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
PERSON, CHANNEL = "p:", "c:"
Bound = tuple[str, int, int, str]  # key, how many, within how long (µs), what it is called


class Caps:
    """Instants of what was handed over, by person and by channel."""

    def __init__(self, below: Mapping[str, list[int]] | None = None) -> None:
        self._at: dict[str, list[int]] = {}
        self._below = below or {}

    def _times(self, key: str) -> list[int]:
        if key not in self._at:
            self._at[key] = list(self._below.get(key, ()))
        return self._at[key]

    def add(self, submits: Iterable[Submit]) -> None:
        """They were handed over."""
        for one in submits:
            for key in (person_key(one.person), channel_key(one.channel)):
                insort(self._times(key), one.at_us)

    def planned(self) -> Caps:
        """One to plan with, that leaves this as it is."""
        return Caps(self._at)

    def forget(self, now_us: int) -> None:
        """Let go of what no window sees; also of what a clock that jumped back put into the future,
        which would hold everything up till then."""
        for key, times in list(self._at.items()):
            since = now_us - (MINUTE_US if key.startswith(CHANNEL) else DAY_US)
            kept = [at for at in times if since < at <= now_us + MINUTE_US]
            if kept:
                self._at[key] = kept
            else:
                del self._at[key]

    def since(self, key: str, at_us: int) -> int:
        """How many were handed over after an instant."""
        times = self._times(key)
        return len(times) - bisect_right(times, at_us)

    def slot(self, now_us: int, bounds: Iterable[Bound]) -> tuple[int, str]:
        """(the first instant that keeps all bounds, the name of the last that moved it).

        The slot is taken: whoever asks next comes after."""
        some, at, name = list(bounds), now_us, ""
        moved = True
        while moved:
            moved = False
            for key, most, window, called in some:
                times = self._times(key)
                if len(times) >= most and times[-most] > at - window:
                    at, name, moved = times[-most] + window, called, True
        for key in {key for key, _, _, _ in some}:
            insort(self._times(key), at)
        return at, name


def person_key(person: str) -> str:
    """What a person's messages are counted under."""
    return PERSON + person


def channel_key(channel: str) -> str:
    """What a gateway's messages are counted under."""
    return CHANNEL + channel
