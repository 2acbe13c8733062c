"""How long files of answers are kept (附件留存): from the last move of their notice, when it is
closed.

What an open notice encloses is never removed, nor a file that another notice encloses too. What no
act encloses (附件未提交) goes after a day of the wall clock, whatever is kept. Each removal is a
row of the audit before it is done; the journal goes on naming the files by their hash.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

from detector.accounts.audit import Audit, Deed
from detector.adapters import machine
from detector.ledger import LedgerError, Reading
from detector.values import DAY_US
from detector.web.attachments import Attachments

FIRST_S, EVERY_S = 60.0, 3_600.0
LOOSE_DAYS = 1  # what no act encloses
ACTOR, ACT, DROP = "oriole", "attachments.remove", "attachments.drop"


class Retention:
    """Removes, now and then, what was kept long enough. `now`: the service's clock (µs UTC);
    `days`: 0 is for ever; `wall`: the machine's clock, by which files were taken (µs UTC)."""

    def __init__(
        self, attachments: Attachments, reader: Callable[[], Any], audit: Audit,
        now: Callable[[], int], days: int, log: Callable[..., None],
        wall: Callable[[], int] = machine.wall_us,
    ) -> None:  # fmt: skip
        self._attachments, self._reader, self._audit = attachments, reader, audit
        self._now, self._days, self._log, self._wall = now, days, log, wall
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="retention", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Remove nothing more."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> list[str]:
        """Remove what was kept long enough; the hashes of what is gone. Raises `LedgerError` and
        `OSError`."""
        gone = list[str]()
        if self._days:
            with closing(self._reader()) as reader:
                for notice in self._attachments.notices():
                    if self._over(reader, notice):
                        gone += self._remove(notice)
        if gone:
            self._log("attachments_removed", files=len(gone))
        return gone + self._drop()

    def _drop(self) -> list[str]:
        """Remove what no act encloses."""
        before_us = self._wall() - LOOSE_DAYS * DAY_US
        loose = self._attachments.loose(before_us)
        if not loose:
            return []
        detail = {"files": loose, "kept_days": LOOSE_DAYS}
        self._audit.write(Deed(self._now(), ACTOR, "", DROP, "", detail=detail))
        gone = self._attachments.drop(loose, before_us)
        self._log("attachments_dropped", files=len(gone), kept_days=LOOSE_DAYS)
        return gone

    def _over(self, reader: Reading, notice: str) -> bool:
        row = reader.notice(notice)
        if row is None or row.open:  # an act that is not judged yet, or somebody must still act
            return False
        last = max([row.issued_us, *(step.at_us for step in reader.notice_steps(notice))])
        return last + self._days * DAY_US <= self._now()

    def _remove(self, notice: str) -> list[str]:
        files = {f.sha256 for told in self._attachments.of(notice).values() for f in told.files}
        detail = {"files": sorted(files), "kept_days": self._days}
        self._audit.write(Deed(self._now(), ACTOR, "", ACT, notice, detail=detail))
        return self._attachments.remove(notice)

    def _watch(self) -> None:
        wait_s = FIRST_S
        while not self._stop.wait(wait_s):
            wait_s = EVERY_S
            try:
                self.look()
            except (LedgerError, OSError) as fault:  # looked at again in an hour
                self._log("attachments_wait", reason=str(fault))
