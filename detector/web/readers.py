"""Questions to the ledger, in threads that each have a reader of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from detector.ledger import Reading
from detector.web.problems import Problem

T = TypeVar("T")
THREADS = 4


class Readers:
    """A bounded number of threads, and of questions that wait for one."""

    def __init__(self, open_reader: Callable[[], Reading], questions_max: int = 256) -> None:
        self._open, self._questions_max = open_reader, questions_max
        self._questions = 0
        self._local = threading.local()
        self._made: list[Reading] = []
        self._threads = ThreadPoolExecutor(THREADS, "reader")

    async def ask(self, question: Callable[[Reading], T]) -> T:
        """The answer to a question that takes a reader. Raises `Problem` when too many wait."""
        if self._questions >= self._questions_max:
            raise Problem(503, "questions_too_many", retry_after_s=1)
        self._questions += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._answer, question)
        finally:
            self._questions -= 1

    def _answer(self, question: Callable[[Reading], T]) -> T:
        reader = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = self._open()
            self._made.append(reader)
        return question(reader)

    def close(self) -> None:
        """Let the questions end, and close the readers."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for reader in self._made:
            reader.close()
