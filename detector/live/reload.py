"""The district's folder while the service runs: a change is read whole, checked whole, then taken.

A folder that is not sound changes nothing: its mistakes are said, and what was in force stays.
Rule texts are taken when the service starts, not while it runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from detector.district import (
    RULEBOOK,
    DistrictError,
    paths_of,
    read_folder,
    same_district,
)
from detector.engine import Engine
from detector.ledger.content import Content, changed, content_with
from detector.live import Reloaded, Unavailable
from detector.live.contents import Change, InForce, following
from detector.live.runner import Runner
from detector.rulekit import RuleFault
from detector.tomlfile import Problem

POLL_S = 1.0
READS_MAX = 5  # a folder that is being written is read again
Say = Callable[[str, dict[str, object]], None]
Seen = tuple[tuple[str, int, int], ...]


def seen_of(folder: Path) -> Seen:
    """Names, sizes and times of a folder's files, by which a change is noticed."""
    told = []
    for path in paths_of(folder):
        try:
            about = path.stat()
        except OSError:
            continue  # it is not there, or nobody may look at it: reading it says so
        told.append((path.name, about.st_size, about.st_mtime_ns))
    return tuple(told)


def content_after(held: Content, files: Mapping[str, bytes]) -> Content:
    """The content of another folder, by the rules that are held. Raises `DistrictError` with every
    mistake of every file: those of the rulebook too, which needs a sound district to be read."""
    try:
        content = content_with(files, held.rules, held.at)
        return msgspec.structs.replace(content, guarded=held.guarded)
    except DistrictError as fault:
        sound = {name: data for name, data in held.district.items() if name != RULEBOOK}
        rulebook = {name: files[name] for name in files if name == RULEBOOK}
        problems = list(fault.problems)
        try:
            Content(held.at, sound | rulebook, held.rules, held.calendar).engine()
        except DistrictError as more:
            problems += [one for one in more.problems if one not in problems]
        raise DistrictError(problems) from None


def checked_change(content: Content, held: InForce, judging: Engine) -> Change:
    """The content as a change, once it may follow the one that is held, by which `judging` judges.
    Raises `DistrictError`, `RuleFault`."""
    change = following(content, held, judging)
    problems = same_district(judging.district, change.engine.district, content.district)
    if problems:
        raise DistrictError(problems)
    return change


class Reloader:
    """Watches a folder for one runner. Several threads may ask it."""

    def __init__(self, folder: Path, runner: Runner, say: Say, poll_s: float = POLL_S) -> None:
        self.problems: Sequence[Problem] = ()  # of the folder as it was last read
        self._folder, self._runner, self._say, self._poll_s = folder, runner, say, poll_s
        self._one = threading.Lock()
        self._seen = seen_of(folder)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="district", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._poll_s):
            if seen_of(self._folder) != self._seen:
                try:
                    self.reload()
                except (DistrictError, RuleFault, Unavailable):
                    continue  # it was said, and the folder is looked at again

    def reload(self) -> Reloaded:
        """Take the folder as it is now, and wait until it judges.

        Raises `DistrictError` or `RuleFault`, with what was in force still so, and `Unavailable`.
        """
        with self._one:
            try:
                told = self._reload()
            except (DistrictError, RuleFault) as fault:
                self._refused(fault)
                raise
            except Unavailable as fault:
                self._seen = ()  # to be tried again
                self._say("district_waits", {"reason": fault.reason})
                raise
        self.problems = ()
        if told.changed:
            self._say("district_changed", {"changed": told.changed, "digest": told.digest})
        return told

    def rewrite(self, edit: Callable[[bytes], bytes]) -> Reloaded:
        """Edit the text of the folder's rulebook, and take it; where it cannot be taken the folder
        is as it was. Raises as `reload`, what `edit` raises, and `OSError`."""
        file = self._folder / RULEBOOK
        with self._one:
            before = file.read_bytes() if file.exists() else None
            put(file, edit(before or b""))
        try:
            return self.reload()
        except (DistrictError, RuleFault, Unavailable):
            with self._one:
                if before is None:
                    file.unlink()
                else:
                    put(file, before)
            raise

    def _reload(self) -> Reloaded:
        files = self._read()
        shard = self._runner.shard
        held, judging = shard.contents[-1], shard.engine
        content = content_after(held.content, files)
        if changed(held.content, content):
            names = self._taken(checked_change(content, held, judging))
        else:
            names = []
        return Reloaded(names, self._runner.shard.contents[-1].digest)

    def _read(self) -> dict[str, bytes]:
        for _ in range(READS_MAX):
            self._seen = seen_of(self._folder)
            files = read_folder(self._folder)
            if seen_of(self._folder) == self._seen:
                break
        return files

    def _taken(self, change: Change) -> list[str]:
        said: list[list[str] | Unavailable] = []
        done = threading.Event()

        def say(told: list[str] | Unavailable) -> None:
            said.append(told)
            done.set()

        self._runner.change(change, say)
        done.wait()
        if isinstance(said[0], Unavailable):
            raise said[0]
        return said[0]

    def _refused(self, fault: DistrictError | RuleFault) -> None:
        self.problems = problems_of(fault)
        self._runner.figures.districts_refused += 1
        self._say("district_refused", {"problems": [str(one) for one in self.problems]})


def put(file: Path, data: bytes) -> None:
    """Write a file as a whole or not at all. Raises `OSError`."""
    part = file.with_name(f".{file.name}.part")
    part.write_bytes(data)
    part.replace(file)


def problems_of(fault: DistrictError | RuleFault) -> tuple[Problem, ...]:
    """Every mistake that a fault names."""
    if isinstance(fault, DistrictError):
        return fault.problems
    return (Problem("rules", "", str(fault), remedy="mend the rule"),)
