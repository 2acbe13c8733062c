"""Replay logs of any size with any number of processes, and always the same verdicts."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from detector.adapters.machine import calm_collector
from detector.event import Fact, Refusal
from detector.values import DAY_US, SECOND_US, read_time
from replay.events import FILE as EVENTS
from replay.events import merge_events
from replay.floods import floods
from replay.outputs import merge, summarise
from replay.readers import ReplayError
from replay.spool import scratch
from replay.stream import in_order
from replay.worker import Bounds, Job, Worker, clock_jump

Say = Callable[[str, int, int | None], None]
__all__ = ["Job", "ReplayError", "Replayed", "replay"]


@dataclass
class Replayed:
    """The outcome: the summary, the findings' lines sorted by id, and what was refused."""

    summary: dict[str, Any]
    findings: list[bytes]
    refusals: list[Refusal]


def replay(job: Job, say: Say = lambda what, done, of: None) -> Replayed:
    """Judge a history. Raises `ReplayError` and `DistrictError` before anything is judged."""
    begun = perf_counter()
    calm_collector()
    with scratch() as folder:
        crew = _Crew(job, Path(folder), say)
        try:
            tallies = crew.run()
        finally:
            crew.dismiss()
        out = Path(job.out) if job.out else None
        digest, findings = merge(out, Path(folder), job.workers)
        if out is not None:
            (out / EVENTS).unlink(missing_ok=True)  # of an earlier replay
            if job.events:
                merge_events(out, Path(folder), job.workers)
    refusals = sorted((r for t in tallies for r in t["refusals"]), key=lambda r: (r.file, r.line))
    summary = summarise(tallies, digest, perf_counter() - begun)
    if job.guard:
        summary["floods"] = floods(findings, crew.first.engine.rulebook)
    if out is not None:
        lines = b"".join(msgspec.json.encode(r) + b"\n" for r in refusals)
        (out / "refusals.ndjson").write_bytes(lines)
        (out / "summary.json").write_bytes(
            msgspec.json.format(msgspec.json.encode(summary), indent=2)
        )
    return Replayed(summary, findings, refusals)


class _Crew:
    """This process as worker 0, and a child process for each other worker."""

    def __init__(self, job: Job, folder: Path, say: Say) -> None:
        self.job, self.children = job, []
        context = multiprocessing.get_context("spawn")
        for number in range(1, job.workers):
            mine, theirs = context.Pipe()
            child = context.Process(
                target=_child, args=(job, number, str(folder), theirs), daemon=True
            )
            child.start()
            theirs.close()
            self.children.append((child, mine))
        try:
            self.first = Worker(job, 0, folder, say)
        except BaseException:
            self.dismiss()
            raise

    def run(self) -> list[dict[str, Any]]:
        """The phases, each finished by all before the next begins."""
        mine: tuple[Bounds, list[Fact]] = (self.first.decode(), self.first.facts)
        told = [mine, *self._hear()]
        facts = in_order(fact for _, some in told for fact in some)
        bounds = [b for b, _ in told]
        limits = self.first.district.limits
        jump = clock_jump(bounds, limits.clock_jump_days_max * DAY_US)
        last = max((b.last for b in bounds if b.last is not None), default=0)
        last = last if jump is None else jump
        until = self._until() or last + limits.lateness_s * SECOND_US
        self._tell((until, jump, facts))
        self.first.judge_cases(until, jump, facts)
        self._hear()
        self._tell(("operators", until))
        self.first.judge_operators(until)
        self._hear()
        self.first.judge_notices(until)
        self._tell("finish")
        return [self.first.finish(), *self._hear()]

    def _until(self) -> int | None:
        if self.job.until is None:
            return None
        try:
            return read_time(self.job.until, self.first.district.calendar.zone)
        except ValueError as fault:
            raise ReplayError(f"--until {fault}") from None

    def _tell(self, message: Any) -> None:
        for _, pipe in self.children:
            pipe.send(message)

    def _hear(self) -> list[Any]:
        heard = []
        for child, pipe in self.children:
            try:
                kind, answer = pipe.recv()
            except EOFError:
                child.join()
                raise ReplayError(f"a worker ended with exit code {child.exitcode}") from None
            if kind == "fault":
                raise ReplayError(answer)
            heard.append(answer)
        return heard

    def dismiss(self) -> None:
        """End what still runs; nothing is left behind."""
        for child, pipe in self.children:
            pipe.close()
            child.join(timeout=10)
            if child.is_alive():
                child.terminate()
                child.join()


def _child(job: Job, number: int, folder: str, pipe: Connection) -> None:
    """A worker in a process of its own; it ends when its parent hangs up."""
    calm_collector()
    try:
        worker = Worker(job, number, Path(folder), lambda what, done, of: None)
        pipe.send(("bounds", (worker.decode(), worker.facts)))
        until, jump, facts = pipe.recv()
        worker.judge_cases(until, jump, facts)
        pipe.send(("cases", None))
        pipe.recv()
        worker.judge_operators(until)
        pipe.send(("operators", None))
        pipe.recv()
        pipe.send(("tally", worker.finish()))
    except (EOFError, BrokenPipeError):
        return  # the parent gave up, and has said why
    except Exception as fault:
        pipe.send(("fault", f"worker {number}: {type(fault).__name__}: {fault}"))
        raise
