"""What a worker answers inside the cluster: its health, its figures, the timeline of a case, what
would come of an event, and what was counted of a rule.

Figures name no person. The others do, so they are told only to whoever knows the cluster's secret.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from detector.counted import Counted, encode
from detector.delivery.watchdog import Trouble
from detector.event import Refused
from detector.live import Entry, Figures, Unjudged
from detector.web.metrics import KIND, Troubles

SECRET = "x-oriole-inside"


class Shown(Protocol):
    """One shard, as far as it is shown."""

    @property
    def figures(self) -> Figures:
        """What it has done."""

    @property
    def gauges(self) -> Mapping[str, float]:
        """How it stands, by the names of `GAUGES`."""


Shards = Callable[[], Mapping[str, Shown]]
Timeline = Callable[[str, str], list[Entry] | None]  # of a shard, and a case
Tallied = Callable[[str, str], Counted | None]  # of a shard, and a rule


class Gate(Protocol):
    """What would come of an event of a shard's case."""

    async def __call__(self, shard: str, line: bytes, at: int | None) -> bytes | None:
        """The verdict; None where the shard is another's. `at`: when it came to the door, µs UTC.
        Raises `Refused` and `Unjudged`."""


class _Shards(Collector):
    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def collect(self) -> Iterator[Metric]:
        """Figures of the embedded service, and gauges of a worker, by shard."""
        told = dict(self._shards())
        for name, text, of in _COUNTERS:
            family = CounterMetricFamily(f"oriole_{name}", text, labels=["shard"])
            for shard, one in told.items():
                family.add_metric([shard], float(of(one.figures)))
            yield family
        for name, text, label, of_many in _BY_NAME:
            family = CounterMetricFamily(f"oriole_{name}", text, labels=["shard", label])
            for shard, one in told.items():
                for key, value in sorted(dict(of_many(one.figures)).items()):
                    family.add_metric([shard, key], value)
            yield family
        for name, text in GAUGES.items():
            gauge = GaugeMetricFamily(f"oriole_{name}", text, labels=["shard"])
            for shard, one in told.items():
                if name in one.gauges:
                    gauge.add_metric([shard], one.gauges[name])
            yield gauge


_COUNTERS: tuple[tuple[str, str, Callable[[Figures], float]], ...] = (
    ("inputs", "Inputs accepted.", lambda f: f.accepted),
    ("duplicates", "Inputs that were known.", lambda f: f.duplicates),
    ("refusals", "Lines refused.", lambda f: f.refused),
    ("batches", "Batches judged.", lambda f: f.batches),
    ("frames", "Journal frames written.", lambda f: f.frames),
    ("judge_seconds", "Spent reading and judging.", lambda f: f.judge_s),
    ("commit_seconds", "Spent in commits.", lambda f: f.commit_s),
)
_BY_NAME: tuple[tuple[str, str, str, Callable[[Figures], Mapping[str, int]]], ...] = (
    ("findings", "Findings raised.", "rule", lambda f: f.findings),
    ("findings_muted", "Findings that may not speak.", "rule", lambda f: f.muted),
    ("changes", "Changes of standing.", "reason", lambda f: f.changes),
    ("undetermined", "Judgements that could not be made.", "rule", lambda f: f.undetermined),
)
GAUGES = {
    "lag_records": "Records of its partition that are not durable yet.",
    "watermark_seconds": "Up to when it has heard all, seconds since 1970.",
    "relays_waiting": "Batches told to other shards that have not arrived yet.",
    "offset": "Where its partition goes on.",
    "recovered_seconds": "How long its last recovery took.",
    "queue_bytes": "Bytes that were taken and are not judged yet.",
}


def inside_app(
    shards: Shards, timeline: Timeline, gate: Gate, tally: Tallied, healthy: Callable[[], bool],
    secret: bytes,
) -> Starlette:  # fmt: skip
    """The application that answers."""
    wanted = token(secret)

    def known(request: Request) -> bool:
        return hmac.compare_digest(request.headers.get(SECRET, ""), wanted)

    async def beforehand(request: Request) -> Response:
        if not known(request):
            return Response(status_code=403)
        asked = request.query_params
        at = int(asked["at"]) if asked.get("at", "").isdigit() else None
        try:
            told = await gate(asked.get("shard", ""), await request.body(), at)
        except Refused as fault:
            return Response(msgspec.json.encode((fault.field, fault.error)), 400)
        except Unjudged as fault:
            return Response(str(fault), 503)
        return Response(status_code=404) if told is None else Response(told)

    async def told(request: Request) -> Response:
        if not known(request):
            return Response(status_code=403)
        asked = request.query_params
        shard, case = asked.get("shard", ""), asked.get("case", "")
        entries = await run_in_threadpool(timeline, shard, case)
        if entries is None:
            return Response(status_code=404)
        return Response(msgspec.msgpack.encode(entries), media_type="application/octet-stream")

    def counted(shard: str, rule: str) -> bytes | None:
        one = tally(shard, rule)
        return None if one is None else encode(one)

    async def tallied(request: Request) -> Response:
        if not known(request):
            return Response(status_code=403)
        asked = request.query_params
        told = await run_in_threadpool(counted, asked.get("shard", ""), asked.get("rule", ""))
        if told is None:
            return Response(status_code=404)
        return Response(told, media_type="application/octet-stream")

    asks = Route("/gate", beforehand, methods=["POST"])
    return _app(_Shards(shards), healthy, Route("/timeline", told), Route("/tally", tallied), asks)


def delivery_app(look: Callable[[], Sequence[Trouble]], healthy: Callable[[], bool]) -> Starlette:
    """What delivery answers: whether it goes on, and what its watchdog has found."""
    return _app(Troubles(look), healthy)


def _app(figures: Collector | Troubles, healthy: Callable[[], bool], *more: Route) -> Starlette:
    """Health, figures, and whatever else is answered."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(figures)
    ProcessCollector(registry=registry)

    async def health(request: Request) -> Response:
        return Response(status_code=200 if healthy() else 503)

    async def metrics(request: Request) -> Response:
        told = await run_in_threadpool(generate_latest, registry)  # it may ask the outbox
        return Response(told, media_type=KIND)

    return Starlette(routes=[Route("/healthz", health), Route("/metrics", metrics), *more])


def token(secret: bytes) -> str:
    """What whoever asks inside must show."""
    return base64.urlsafe_b64encode(hmac.digest(secret, b"inside", "sha256")).decode()


def told_entries(data: bytes) -> list[Entry]:
    """The timeline that a worker told. Raises `ValueError`."""
    some: Any = msgspec.msgpack.decode(data, type=list[Entry])
    return some
