"""How requests were answered: each is counted by its status, and refusals are logged.

Whoever sends nonsense without end fills no disk: one line a status a second, which says how many it
stands for. Of an address no more is told than which part of the site it is.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from starlette.types import Scope

from detector.adapters import machine

LOGGED = frozenset({400, 403, 408, 411, 413, 415, 421, 422, 429})  # and all from 500 on
LOG_S = 1.0
PARTS, PART_CHARS_MAX = 3, 20  # "api", "v1", "events"; what follows may name somebody
_log = logging.getLogger("oriole.web")


class Answered:
    """Counts since the start, by status."""

    def __init__(self, now: Callable[[], float] = machine.seconds) -> None:
        self.by_status = Counter[int]()
        self._now = now
        self._logged: dict[int, tuple[float, int]] = {}  # when, and how many there were then

    def tell(self, scope: Scope, status: int) -> None:
        """One answer."""
        self.by_status[status] += 1
        if status in LOGGED or status >= 500:
            self._log(scope, status)

    def _log(self, scope: Scope, status: int) -> None:
        now, many = self._now(), self.by_status[status]
        at, before = self._logged.get(status, (-LOG_S, 0))
        if now - at >= LOG_S:
            self._logged[status] = (now, many)
            _log.warning(
                "answered %d to %s %s, %d since the last such line",
                status, scope["method"][:PART_CHARS_MAX], part_of(scope["path"]), many - before,
            )  # fmt: skip


def part_of(path: str) -> str:
    """Which part of the site an address is of; a signed link is a secret."""
    api = path.startswith("/api/")
    parts = path.split("/")[1 : 1 + (PARTS if api else 1)]
    shown = "/".join(part[:PART_CHARS_MAX] for part in parts)
    return "/" + shown.encode("ascii", "backslashreplace").decode().translate(_CONTROL)


_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), 127)}
