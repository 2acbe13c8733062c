"""The machine itself: its clocks and the room on its disk."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path


def wall_us() -> int:
    """The wall clock, µs UTC; it may jump."""
    return time.time_ns() // 1_000


def seconds() -> float:
    """A clock that only goes forward, for measuring."""
    return time.perf_counter()


def room(folder: Path, bytes_min: int) -> bool:
    """Is at least so much room left on the folder's disk."""
    told = os.statvfs(folder)
    return told.f_bavail * told.f_frsize >= bytes_min


def calm_collector() -> None:
    """Let the collector of cycles rest: columns hold none, and it looks at every object again."""
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)
