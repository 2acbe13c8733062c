"""The service's figures in the text form that Prometheus reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from detector.live import Service

KIND = "text/plain; version=0.0.4; charset=utf-8"


class _Figures(Collector):
    def __init__(self, service: Service, viewers: Callable[[], int]) -> None:
        self.service, self.viewers = service, viewers

    def collect(self) -> Iterator[Metric]:
        f = self.service.figures
        for name, text, value in (
            ("oriole_inputs", "Inputs accepted.", f.accepted),
            ("oriole_duplicates", "Inputs that were known.", f.duplicates),
            ("oriole_refusals", "Lines refused.", f.refused),
            ("oriole_fields_dropped", "Fields removed for privacy.", f.dropped),
            ("oriole_batches", "Batches judged.", f.batches),
            ("oriole_frames", "Journal frames written.", f.frames),
            ("oriole_judge_seconds", "Spent reading and judging.", f.judge_s),
            ("oriole_commit_seconds", "Spent in commits.", f.commit_s),
        ):
            yield CounterMetricFamily(name, text, value)
        for name, text, label, told in (
            ("oriole_findings", "Findings raised.", "rule", f.findings),
            ("oriole_findings_muted", "Findings that may not speak.", "rule", f.muted),
            ("oriole_changes", "Changes of standing.", "reason", f.changes),
            ("oriole_undetermined", "Judgements that could not be made.", "rule", f.undetermined),
        ):
            family = CounterMetricFamily(name, text, labels=[label])
            for key, value in sorted(told.items()):
                family.add_metric([key], value)
            yield family
        bodies, size = self.service.waiting()
        for name, text, value in (
            ("oriole_queue_bodies", "Bodies that wait.", bodies),
            ("oriole_queue_bytes", "Bytes that wait.", size),
            ("oriole_stream_viewers", "Open streams.", self.viewers()),
            ("oriole_cases", "Cases known.", self.service.cases()),
            ("oriole_clock_seconds", "The engine's clock, seconds since 1970.", f.clock_us / 1e6),
            ("oriole_clock_back_seconds", "The machine's clock is behind.", f.clock_back_us / 1e6),
        ):
            yield GaugeMetricFamily(name, text, value)


def metrics(service: Service, viewers: Callable[[], int]) -> Callable[[], bytes]:
    """A function that gives the text of now."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(service, viewers))
    return lambda: generate_latest(registry)
