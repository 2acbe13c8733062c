"""`POST /api/v1/gate` (事前查询): would this event break a blocking rule? Nothing is recorded.

A plain ASGI function in the event loop: a verdict takes less than to hand it to another thread and
back. Where nobody can judge in time the district's `gate_on_failure` answers, and says so loudly:
`decided_by`, a header, a line of the log and a figure.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from dataclasses import dataclass, field, replace

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from detector.adapters.machine import seconds
from detector.event import LINE_BYTES_MAX, Refused
from detector.live import Service, Unjudged
from detector.web import refused
from detector.web.bodies import Bodies, Gone
from detector.web.problems import Problem, answer, json_response
from detector.web.said import Said
from detector.web.settings import Settings
from detector.web.who import GATE, who_asks
from detector.web.words import language_of

ASKING_MAX = 512  # at once; more are answered as failures
HEADER = "Oriole-Gate"  # `rules` or `failure`: who decided
SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of the histogram
LOG_S = 1.0  # failures of such a time are one line of the log
_REFUSED = b'"refused":'  # never within a text, whose quotes are escaped
_log = logging.getLogger("oriole.web")


@dataclass
class GateFigures:
    """What was answered since the start."""

    allowed: int = 0
    denied: int = 0
    failures: int = 0
    seconds: float = 0.0
    within: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))  # each by itself

    def count(self, allow: bool, seconds: float) -> None:
        """One answer more."""
        self.allowed += allow
        self.denied += not allow
        self.seconds += seconds
        self.within[bisect_left(SECONDS, seconds)] += 1


class Beforehand:
    """An ASGI application: takes one event, answers what would come of it."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        bounds = replace(settings, body_bytes_max=LINE_BYTES_MAX, uploads_max=ASKING_MAX + 1)
        self._bodies = Bodies(bounds)
        self.figures = GateFigures()
        self._asking = 0
        self._logged_s, self._unlogged = -LOG_S, 0

    def close(self) -> None:
        """Give up bodies that are not whole."""
        self._bodies.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the event, let it be judged, and answer."""
        begun = seconds()  # finer than the loop's own clock
        try:
            who_asks(Request(scope), GATE)
            line = await self._bodies.read(scope, receive)
        except Gone:
            return
        except Problem as fault:
            await self._bodies.refuse(fault, scope, receive, send)
            return
        await (await self._answer(line, begun, scope))(scope, receive, send)

    async def _answer(self, line: bytes, begun: float, scope: Scope) -> Response:
        self._asking += 1
        try:
            told, by = _worded(await self._judged(line.strip()), scope), "rules"
        except Refused as fault:
            why = Said(fault.error)
            problem = Problem(400, "field", field=fault.field, why=why)
            problem.more = {"field": fault.field, "error_code": why.code, "error": why}
            return answer(problem, scope)
        except Unjudged as fault:
            told, by = self._failed(Said(fault), language_of(scope)), "failure"
        finally:
            self._asking -= 1
        took = seconds() - begun
        self.figures.count(told.startswith(b'{"allow":true'), took)
        return json_response(
            told, headers={HEADER: by, "Server-Timing": f"gate;dur={took * 1e3:.2f}"}
        )

    async def _judged(self, line: bytes) -> bytes:
        """The verdict, within the time that the district gives it. Raises `Refused`, `Unjudged`."""
        if self._asking > ASKING_MAX:
            raise Unjudged("too many ask at once")
        beforehand = self._service.beforehand
        timeout_ms = beforehand.limits.timeout_ms
        try:
            async with asyncio.timeout(timeout_ms / 1_000):
                return await beforehand.ask(line)
        except TimeoutError:
            raise Unjudged(f"nobody could judge it within {timeout_ms} ms") from None

    def _failed(self, reason: Said, lang: str) -> bytes:
        """The district's answer in place of a verdict."""
        limits = self._service.beforehand.limits
        self.figures.failures += 1
        self._unlogged += 1
        now = seconds()
        if now - self._logged_s >= LOG_S:
            told = (self._unlogged, reason, limits.on_failure)
            _log.warning("the gate could not judge %d events: %s; it answers %s", *told)
            self._logged_s, self._unlogged = now, 0
        return msgspec.json.encode(
            {"allow": limits.allows, "decided_by": "failure", "code": reason.code,
             "reason": reason.in_(lang), "clock": None, "findings": [], "undetermined": [],
             "clears": [], "duplicate": False}
        )  # fmt: skip


def _worded(verdict: bytes, scope: Scope) -> bytes:
    """A verdict whose event would not be taken says why in the words of its request."""
    if _REFUSED not in verdict:
        return verdict
    told = msgspec.json.decode(verdict)
    if "refused" in told:
        told["refused"] = refused.fault(**told["refused"], lang=language_of(scope))
    return msgspec.json.encode(told)
