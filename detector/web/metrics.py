"""The service's figures in the text form that Prometheus reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from detector.delivery.watchdog import TROUBLES, Trouble
from detector.live import Reloading, Service
from detector.web.beforehand import SECONDS, GateFigures
from detector.web.bodies import Bodies
from detector.web.hub import Hub

KIND = "text/plain; version=0.0.4; charset=utf-8"
Counted = tuple[str, str, int]  # name, text, value
STATES = ("starting", "ready", "stopping", "stopped", "failed")


class _Figures(Collector):
    def __init__(
        self, service: Service, hub: Hub, bodies: Bodies, district: Reloading | None,
        more: Callable[[], Iterable[Counted]],
    ) -> None:  # fmt: skip
        self.service, self.hub, self.bodies, self.district = service, hub, bodies, district
        self._more = more

    def collect(self) -> Iterator[Metric]:
        yield from self._counters()
        yield from self._by_name()
        yield from self._gauges()
        state = GaugeMetricFamily("oriole_state", "1 for the state it is in.", labels=["state"])
        for one in STATES:
            state.add_metric([one], float(self.service.state == one))
        yield state

    def _counters(self) -> Iterator[Metric]:
        f, hub = self.service.figures, self.hub
        for name, text, value in (
            ("oriole_inputs", "Inputs accepted.", f.accepted),
            ("oriole_duplicates", "Inputs that were known.", f.duplicates),
            ("oriole_refusals", "Lines refused.", f.refused),
            ("oriole_fields_dropped", "Fields removed for privacy.", f.dropped),
            ("oriole_batches", "Batches judged.", f.batches),
            ("oriole_frames", "Journal frames written.", f.frames),
            ("oriole_snapshots", "Snapshots taken.", f.snapshots),
            ("oriole_district_changes", "Districts or rulebooks taken.", f.districts),
            ("oriole_district_refusals", "Folders refused for mistakes.", f.districts_refused),
            ("oriole_judge_seconds", "Spent reading and judging.", f.judge_s),
            ("oriole_commit_seconds", "Spent in commits.", f.commit_s),
            ("oriole_stream_events", "Events put on the stream.", hub.events),
            ("oriole_stream_cuts", "Viewers cut because they fell behind.", hub.cuts),
            ("oriole_stream_resyncs", "Windows with more events than could be sent.", hub.resyncs),
            *self._more(),
        ):
            yield CounterMetricFamily(name, text, value)

    def _by_name(self) -> Iterator[Metric]:
        f = self.service.figures
        for name, text, label, told in (
            ("oriole_findings", "Findings raised.", "rule", f.findings),
            ("oriole_findings_muted", "Findings that may not speak.", "rule", f.muted),
            ("oriole_changes", "Changes of standing.", "reason", f.changes),
            ("oriole_undetermined", "Judgements that could not be made.", "rule", f.undetermined),
        ):
            family = CounterMetricFamily(name, text, labels=[label])
            for key, value in sorted(dict(told).items()):  # a copy: the engine goes on counting
                family.add_metric([key], value)
            yield family

    def _problems(self) -> Sequence[object]:
        return () if self.district is None else self.district.problems

    def _guarded(self) -> Sequence[object]:
        return self.service.about().get("guarded", ())

    def _gauges(self) -> Iterator[Metric]:
        f = self.service.figures
        bodies, size = self.service.waiting()
        for name, text, value in (
            ("oriole_queue_bodies", "Bodies that wait.", bodies),
            ("oriole_queue_bytes", "Bytes that wait.", size),
            ("oriole_uploads", "Bodies being read.", self.bodies.reading),
            ("oriole_stream_viewers", "Open streams.", self.hub.viewers),
            ("oriole_cases", "Cases known.", self.service.cases()),
            ("oriole_district_problems", "Mistakes in the folder.", len(self._problems())),
            ("oriole_guarded_rules", "Put in shadow by the guard.", len(self._guarded())),
            ("oriole_snapshot_frame", "Frame of the latest snapshot.", f.snapshot_seq),
            ("oriole_clock_seconds", "The engine's clock, seconds since 1970.", f.clock_us / 1e6),
            ("oriole_clock_back_seconds", "The machine's clock is behind.", f.clock_back_us / 1e6),
        ):
            yield GaugeMetricFamily(name, text, value)


class Troubles:
    """What the watchdog has found, by kind; a kind of which there is none is told too."""

    def __init__(self, look: Callable[[], Sequence[Trouble]]) -> None:
        self._look = look

    def collect(self) -> Iterator[Metric]:
        """One gauge."""
        found = Counter(one.kind for one in self._look())
        family = GaugeMetricFamily("oriole_troubles", "What stands still.", labels=["kind"])
        for kind in TROUBLES:
            family.add_metric([kind], found[kind])
        yield family


class _Answers(Collector):
    def __init__(self, by_status: Mapping[int, int]) -> None:
        self._by_status = by_status

    def collect(self) -> Iterator[Metric]:
        """How requests were answered."""
        family = CounterMetricFamily("oriole_http_answers", "Answers.", labels=["status"])
        for status, n in sorted(dict(self._by_status).items()):
            family.add_metric([str(status)], n)
        yield family


class _Gate(Collector):
    def __init__(self, figures: GateFigures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """What was answered beforehand, and how quickly."""
        f = self._figures
        text = "Answers to events that were asked about beforehand."
        answers = CounterMetricFamily("oriole_gate", text, labels=["allow"])
        answers.add_metric(["true"], f.allowed)
        answers.add_metric(["false"], f.denied)
        yield answers
        text = "Answers that gate_on_failure gave, because nobody could judge in time."
        yield CounterMetricFamily("oriole_gate_failures", text, f.failures)
        sums = list(accumulate(f.within))
        buckets = [*zip(map(str, SECONDS), sums, strict=False), ("+Inf", sums[-1])]
        text = "From the whole head of such a request to its answer."
        yield HistogramMetricFamily("oriole_gate_seconds", text, buckets, f.seconds)


class _Learned(Collector):
    def __init__(self, figures: Callable[[], Mapping[str, tuple[int, int, int]]]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """What learners have put into force, by learner."""
        told = sorted(self._figures().items())
        for n, (name, text) in enumerate((
            ("oriole_learned_limits", "Learned limits in force."),
            ("oriole_learned_waiting", "Learned limits that wait for a person."),
            ("oriole_learned_frozen", "Names whose learned limits stand still."),
        )):  # fmt: skip
            family = GaugeMetricFamily(name, text, labels=["learner"])
            for learner, figures in told:
                family.add_metric([learner], figures[n])
            yield family


def metrics(
    service: Service, hub: Hub, bodies: Bodies, district: Reloading | None = None,
    troubles: Callable[[], Sequence[Trouble]] | None = None, gate: GateFigures | None = None,
    more: Callable[[], Iterable[Counted]] = tuple, answers: Mapping[int, int] | None = None,
    learned: Callable[[], Mapping[str, tuple[int, int, int]]] = dict,
) -> Callable[[], bytes]:  # fmt: skip
    """A function that gives the text of now. The registry is its own: services do not mix."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(service, hub, bodies, district, more))
    if troubles is not None:
        registry.register(Troubles(troubles))
    if answers is not None:
        registry.register(_Answers(answers))
    if gate is not None:
        registry.register(_Gate(gate))
    registry.register(_Learned(learned))
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry)
