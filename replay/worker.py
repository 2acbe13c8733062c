"""One worker of a replay: decode its share, judge its cases, then its operators.

The phases are the same for one worker and for many; between them rows go to the worker whose cases
(or operators) they concern. A shard is decided by text: no verdict depends on how many there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from detector.columns import Inputs, Words, from_events, join
from detector.decode import Decoder
from detector.district import District, load_district
from detector.effects import Effects
from detector.engine import Engine
from detector.event import Fact, Reading, Refused
from detector.facts_desk import FactState
from detector.handed import Handed
from detector.learning.observed import Observed, joined
from detector.learning.shelf import learners_of
from detector.operators import OperatorState
from detector.records import Records, join_records
from detector.shelf import configure, load_shelf
from detector.values import DAY_US
from replay import spool
from replay.events import write_events
from replay.learning import learn
from replay.mapping import Mapping, load_mapping
from replay.notices import Matters, lead
from replay.outputs import Collected
from replay.readers import read
from replay.readers.lines import texts
from replay.readers.rows import EVENTS_OF_A_ROW
from replay.stream import Timelines, batches, even_cuts, name_events, sort_inputs, tick

FILE_PLACES = 1 << 44  # positions of one file; more files stand behind each other
Say = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Job:
    """What is to be replayed. Paths are texts, so that a job can be sent to another process."""

    logs: tuple[str, ...]
    district: str
    mapping: str | None = None
    out: str | None = None
    until: str | None = None
    workers: int = 1
    batch_rows: int = 131_072
    events: bool = False  # write the judged events too
    guard: bool = False  # say what the blast-radius guard would have stopped
    hindsight: bool = False  # judge paths by the whole record


@dataclass
class Bounds:
    """What a worker tells of its share before anyone judges."""

    last: int | None = None  # greatest received_at
    days: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # day → first, last, rows


class Worker:
    """Worker number `number` of `job.workers`."""

    def __init__(self, job: Job, number: int, folder: Path, say: Say) -> None:
        self.job, self.number, self.folder, self.say = job, number, folder, say
        self.district: District = load_district(job.district)
        rulebook = configure(load_shelf(), self.district)
        self.engine = Engine(self.district, rulebook, learners_of(self.district))
        self.mapping: Mapping | None = load_mapping(Path(job.mapping)) if job.mapping else None
        self.words = Words()
        self.cases = self.engine.new_cases(self.words)
        self.operators = OperatorState(self.words, self.engine.lateness_us)
        self.told = FactState()  # of the first worker alone
        self.collected = Collected(folder, str(number))
        self._matters = Matters()
        self._closed: list[tuple[np.ndarray, np.ndarray]] = []
        self.unknown = self.mapping.unknown if self.mapping else frozenset[str]()
        self._facts: list[Fact] = []
        self._acts: list[Fact] = []  # all facts up to the end, of the first worker alone
        self._mine: list[Inputs] = []
        self._records: list[Records] = []
        self._observed: list[Observed] = []
        self._handed = Handed()
        self._refused: dict[int, dict[int, list[Refused]]] = {}  # file → line → faults

    # -- phase 1: decode my share of the files, hand each row to the worker of its case ---------

    def decode(self) -> Bounds:
        """Read this worker's chunks of every file."""
        parts, counts, done = [], self.collected.counts, 0
        for number, log in enumerate(self.job.logs):
            decoder = self._decoder(log)
            for decoded in read(Path(log), decoder, self.mapping, (self.number, self.job.workers)):
                inputs = decoded.inputs
                inputs.position = inputs.position + number * FILE_PLACES
                for fact in inputs.facts:
                    fact.position += number * FILE_PLACES
                self._facts += inputs.facts
                inputs.facts = []
                parts.append(inputs)
                self.collected.refusals += decoded.refusals
                counts["dropped"] += decoded.dropped
                done += len(inputs)
                self.say("decoded", done, None)
        counts["facts"] += len(self._facts)
        empty = from_events([], self.words, unknown=self.unknown)
        whole = join([p for p in parts if len(p)] or [empty])
        self._share_out(whole)
        return _bounds(whole, self._facts)

    def _share_out(self, whole: Inputs) -> None:
        if self.job.workers == 1:
            self._mine.append(whole)
            return
        shard = spool.shard_of(self.words.case, whole.case, self.job.workers)
        for other in range(self.job.workers):
            rows = np.flatnonzero(shard == other)
            if other == self.number:
                self._mine.append(whole.take(rows))
            else:
                spool.write_inputs(self._path("cases", self.number, other), whole.take(rows))

    def _path(self, kind: str, sender: int, receiver: int) -> Path:
        return self.folder / f"{kind}-{sender}-{receiver}"

    # -- phase 2: judge my cases ----------------------------------------------------------------

    def judge_cases(self, until: int, jump: int | None, facts: list[Fact]) -> None:
        """Judge every case of this shard up to `until`; what lies beyond `jump` is refused.

        Inputs received after `until` have not happened yet: they are left out, and counted.
        """
        for other in range(self.job.workers):
            if other != self.number:
                folder = self._path("cases", other, self.number)
                self._mine.append(spool.read_inputs(folder, self.words, self.unknown))
        inputs = join([p for p in self._mine if len(p)] or self._mine[:1])
        self._mine = []
        if (inputs.position[1:] < inputs.position[:-1]).any():
            inputs = inputs.take(np.argsort(inputs.position, kind="stable"))
        name_events(inputs)
        inputs = self._within_clock(inputs, jump)
        later = inputs.received_at > until
        self.collected.counts["after_until"] += int(later.sum())
        inputs = sort_inputs(inputs.take(~later) if later.any() else inputs)
        facts = [fact for fact in facts if fact.received_at <= until]
        inputs.facts = [*facts, tick(until)]
        if self.number == 0:
            self.engine.facts_desk.hold(self.told, facts)
            self._acts = facts
        timelines = Timelines(inputs)
        rows, cuts = len(inputs), even_cuts(len(inputs), self.job.batch_rows)
        for begin, batch in batches(inputs, cuts):
            told = timelines.before(begin, batch) if timelines else {}
            self._settle(self.engine.step_cases(self.cases, batch, told), batch)
            timelines.kept[begin : begin + len(batch)] = self._kept
            self.say("judged", begin + len(batch), rows)
        if self.job.out and self.job.events:
            write_events(self.folder, self.number, inputs, timelines.kept)
        table = self.cases.table[: len(self.words.case)]
        self.collected.counts["cases"] += int((table["events"] > 0).sum())
        self._hand_records()
        if self.number and self._observed:
            observed, self._observed = joined(self._observed), []
            spool.write_observed(self._path("observed", self.number, 0), observed)
        if self.number and self._handed:
            spool.write_handed(self._path("handed", self.number, 0), self._handed)

    def _within_clock(self, inputs: Inputs, jump: int | None) -> Inputs:
        """Rows beyond a leap of the clock of more than a year are refused."""
        if jump is None or not len(inputs):
            return inputs
        beyond = inputs.received_at > jump
        for row in np.flatnonzero(beyond).tolist():
            self._refuse(
                int(inputs.position[row]),
                "received_at",
                "clock_jump: more than a year after the clock",
            )
        return inputs.take(~beyond)

    def _settle(self, effects: Effects, batch: Inputs) -> None:
        counts = self.collected.counts
        self._kept = effects.kept
        self._collect(effects)
        counts["events"] += effects.accepted
        counts["duplicates"] += effects.duplicates
        for row, name, error in effects.refused:
            self._refuse(int(batch.position[row]), name, error)
        self._records += effects.records
        self._handed.add(effects.handed)
        self._closed += effects.closed
        self._observed += effects.observed

    def _collect(self, effects: Effects) -> None:
        """What was found, and what of it goes to whoever leads notices."""
        self._matters.hold(self.engine.notice_desk, effects.moves, effects.known)
        self._tell(effects)

    def _tell(self, effects: Effects) -> None:
        self.collected.settle(effects.moves)
        for unknown in effects.undetermined:
            self.collected.say_unknown(unknown, self.engine.teller)

    def _refuse(self, position: int, field_name: str, error: str) -> None:
        number, place = divmod(position, FILE_PLACES)
        line = place // EVENTS_OF_A_ROW
        self._refused.setdefault(number, {}).setdefault(line, []).append(Refused(field_name, error))

    def _read_refused(self) -> None:
        """What was refused while judging is kept with its text, as what was refused before is."""
        for number, by_line in self._refused.items():
            log, decoder = self.job.logs[number], self._decoder(self.job.logs[number])
            told = dict(texts(Path(log), by_line))
            for line, faults in by_line.items():
                text = told.get(line, b"")
                self.collected.refusals += [decoder.refusal(line, f, text) for f in faults]

    def _decoder(self, log: str) -> Decoder:
        how = Reading(self.district.calendar.zone, self.district.limits.clock_jump_days_max)
        return Decoder(self.words, how, log, self.district.privacy_drop, self.unknown)

    def _hand_records(self) -> None:
        if self.job.workers == 1 or not self._records:
            for records in self._records:
                self.operators.hold(records)
            self._records = []
            return
        whole = join_records(self._records)
        self._records = []
        shard = spool.shard_of(self.words.operator, whole.operator, self.job.workers)
        for other in range(self.job.workers):
            some = whole.take(np.flatnonzero(shard == other))
            if other == self.number:
                self.operators.hold(some)
            else:
                spool.write_records(self._path("operators", self.number, other), some)

    # -- phase 3: judge my operators ------------------------------------------------------------

    def judge_operators(self, until: int) -> None:
        """Judge every operator of this shard; what it found goes to whoever leads notices."""
        for other in range(self.job.workers):
            folder = self._path("operators", other, self.number)
            if other != self.number and folder.exists():
                self.operators.hold(spool.read_records(folder, self.words))
        effects = Effects()
        self.engine.step_operators(self.operators, until, effects)
        self._collect(effects)
        cases = {f.subject for f in self.collected.findings.values() if f.subject_kind == "case"}
        words = self.words.case
        for codes, received in self._closed:
            names = zip(received.tolist(), words.texts(codes), strict=True)
            self._matters.closed += [(at, str(name)) for at, name in names if name in cases]
        if self.number:
            spool.write_matters(self._path("matters", self.number, 0), self._matters)

    # -- phase 4: the first worker judges what facts tell, learns, and leads notices; each tells
    # what its share came to ---------------------------------------------------------------------

    def judge_notices(self, until: int) -> None:
        """Lead the notices of all shards to the end of the history."""
        for other in range(1, self.job.workers):
            self._matters.add(spool.read_matters(self._path("matters", other, 0)))
        self._judge_facts(until)
        led = lead(self.engine, self._matters, self._acts, until)
        self._tell(led.effects)
        self.collected.notices = led.lines

    def _judge_facts(self, until: int) -> None:
        """What facts tell, once what everybody handed on is here; and learn of all that the shards
        observed, and judge by it, day by day."""
        self.engine.facts_desk.hold_handed(self.told, self._handed)
        for other in range(1, self.job.workers):
            folder = self._path("observed", other, 0)
            if folder.exists():
                self._observed.append(spool.read_observed(folder, self.words))
            path = self._path("handed", other, 0)
            if path.exists():
                self.engine.facts_desk.hold_handed(self.told, spool.read_handed(path))
        effects, closed = learn(
            self.engine, self._observed, self._matters, self._acts, self.told, until,
            self.job.hindsight,
        )  # fmt: skip
        self.engine.conclude(self.told, until, effects)
        self._observed = []
        self._collect(effects)
        self._matters.closed = sorted({*self._matters.closed, *closed})
        self.collected.epochs = effects.epochs

    def finish(self) -> dict[str, Any]:
        """Write this share's files, and tell what it came to."""
        self._read_refused()
        self.collected.counts["refused"] += len(self.collected.refusals)
        self.collected.write_parts()
        return self.collected.tally()

    @property
    def facts(self) -> list[Fact]:
        """The facts and ticks of this worker's share of the files."""
        return self._facts


def _bounds(inputs: Inputs, facts: list[Fact]) -> Bounds:
    received = inputs.received_at
    if facts:
        received = np.concatenate([received, [f.received_at for f in facts]])
    if not len(received):
        return Bounds()
    if (received[1:] < received[:-1]).any():
        received = np.sort(received)
    days = received // DAY_US
    first = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
    rows = np.diff(first, append=len(days))
    days, ends = days[first], received[first + rows - 1]
    told = zip(days.tolist(), received[first].tolist(), ends.tolist(), rows.tolist(), strict=True)
    return Bounds(int(received[-1]), {d: (a, b, n) for d, a, b, n in told})


def clock_jump(bounds: list[Bounds], jump_us: int) -> int | None:
    """The last instant before a leap of the clock beyond which rows are refused, None without one.

    The greater half of the rows is taken to be right: a leap counts only behind it, so that one
    early slip does not cost everything after it.
    """
    days: dict[int, list[int]] = {}
    for one in bounds:
        for day, (first, last, rows) in one.days.items():
            held = days.setdefault(day, [first, last, 0])
            held[0], held[1], held[2] = min(held[0], first), max(held[1], last), held[2] + rows
    total, passed, before = sum(d[2] for d in days.values()), 0, None
    for day in sorted(days):
        first, last, rows = days[day]
        if before is not None and first - before > jump_us and passed * 2 >= total:
            return before
        passed, before = passed + rows, last
    return None
