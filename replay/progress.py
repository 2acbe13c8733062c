"""Progress of long work: a bar on a terminal, one line every ten seconds elsewhere."""

from __future__ import annotations

import sys
from time import perf_counter
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_EVERY_S = 10.0


class Watch:
    """Shows how far a run is. Everything goes to stderr."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr)
        self._bar: Progress | None = None
        self._said = perf_counter()
        if self._console.is_terminal:
            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
            self._bar = Progress(
                *columns, TimeElapsedColumn(), console=self._console, transient=True
            )
            self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Watch:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._bar:
            self._bar.stop()

    def say(self, what: str, done: int, of: int | None = None) -> None:
        """So many rows of `what` are done."""
        if self._bar:
            self._bar.update(self._task, description=what, completed=done, total=of)
        elif perf_counter() - self._said >= LINE_EVERY_S:
            self._said = perf_counter()
            whole = f" of {of:,}" if of else ""
            self._console.print(f"{what}: {done:,}{whole} rows", highlight=False)
