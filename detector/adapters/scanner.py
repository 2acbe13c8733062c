"""Looking for viruses: a program of the house, run once a file with the file's path behind it."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable
from pathlib import Path

_log = logging.getLogger("oriole.scan")
TIMEOUT_S = 60.0


def scanner(command: str, timeout_s: float = TIMEOUT_S) -> Callable[[Path], bool] | None:
    """What says whether a file is clean: the program ends with 0. One that cannot be run, or takes
    too long, has found nothing out, and the file is not clean. None where there is no program."""
    if not command:
        return None

    def clean(path: Path) -> bool:
        try:
            done = subprocess.run(
                [command, str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, timeout=timeout_s, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as fault:
            _log.error("the scanner did not answer: %s", type(fault).__name__)
            return False
        return done.returncode == 0

    return clean
