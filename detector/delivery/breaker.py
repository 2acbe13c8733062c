"""A circuit breaker (熔断器) a channel: one that is down is left alone, and tried now and then.

It opens after `FAILURES_MAX` attempts in a row that failed by the gateway's fault; a message that
is refused for its own sake proves that the gateway is up. Seconds are of a clock that never jumps.
"""

from __future__ import annotations

from dataclasses import dataclass

from detector.delivery import Verdict
from detector.delivery.passing import Gate

FAILURES_MAX = 5
PROBE_S_MIN, PROBE_S_MAX = 30.0, 600.0
LOOK_US = 2_000_000  # how soon those that wait for a probe's end are looked at again
FAULTS: tuple[Verdict, ...] = ("retry", "unknown")
CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"


@dataclass
class Breaker:
    """What is known of a channel."""

    failures: int = 0  # in a row
    wait_s: float = 0.0  # between probes; 0 while it is closed
    next_s: float = 0.0  # when it may be tried
    probing: bool = False

    def state(self, seconds: float) -> str:
        """`closed`: all flows. `open`: nothing does. `half_open`: one may try."""
        if not self.wait_s:
            return CLOSED
        return HALF_OPEN if self.probing or seconds >= self.next_s else OPEN

    def gate(self, seconds: float, now_us: int) -> Gate:
        """What it lets through at this moment."""
        state = self.state(seconds)
        if state == CLOSED:
            return Gate()
        if state == OPEN:
            return Gate(0, now_us + max(round((self.next_s - seconds) * 1e6), 1))
        return Gate(0 if self.probing else 1, now_us + LOOK_US)

    def began(self) -> None:
        """An attempt begins; where it is not closed that is the probe."""
        self.probing = bool(self.wait_s)

    def ended(self, verdict: Verdict, seconds: float) -> None:
        """An attempt has ended."""
        if verdict not in FAULTS:
            self.failures, self.wait_s, self.probing = 0, 0.0, False
            return
        self.failures += 1
        if self.failures < FAILURES_MAX and not self.wait_s:
            return
        if self.probing or not self.wait_s:  # stragglers of before do not lengthen it
            self.wait_s = min(max(2 * self.wait_s, PROBE_S_MIN), PROBE_S_MAX)
            self.next_s = seconds + self.wait_s
        self.probing = False
