"""An event loop whose time is a number: waiting takes none, and a run can be run again."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from contextlib import suppress


class _Selector(selectors.SelectSelector):
    """Nothing ever arrives; what is waited for has come when it is waited for."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        super().__init__()
        self._advance = advance

    def select(self, timeout=None):
        if timeout is None:
            raise RuntimeError("everybody waits for ever")
        if timeout > 0:
            self._advance(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`seconds`: what time it is; `advance`: let some pass."""

    def __init__(self, seconds: Callable[[], float], advance: Callable[[float], None]) -> None:
        self._seconds = seconds
        super().__init__(_Selector(advance))

    def time(self) -> float:
        """The virtual time."""
        return self._seconds()

    def bury(self) -> None:
        """Close it with all its tasks, as the end of a process would."""
        self.set_exception_handler(lambda loop, context: None)  # the dead do not complain
        while tasks := asyncio.all_tasks(self):
            for task in tasks:
                task.cancel()
            with suppress(SystemExit):  # it comes out of each that waited for whoever died of it
                self.run_until_complete(asyncio.wait(tasks))
        self.close()
