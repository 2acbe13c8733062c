"""`oriole run` in a process of its own, for benches: started, waited for, stopped by its pid."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.county_files import DISTRICT, ROOT


@contextmanager
def serving(data: Path, *more: str) -> Iterator[dict[str, Any]]:
    """A server on a free port; gives {"port", "recovered": {…}, "pid"}."""
    command = [sys.executable, "-m", "detector", "run", "--district", str(DISTRICT)]
    command += ["--data", str(data), "--port", "0", "--clock", "events", *more]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    told: dict[str, Any] = {"pid": process.pid}
    try:
        assert process.stderr is not None
        for line in process.stderr:
            event = json.loads(line)
            told[event["event"]] = event
            if event["event"] == "listening":
                told["port"] = int(event["url"].rpartition(":")[2])
                break
        else:
            raise RuntimeError(f"the server ended with {process.wait()}")
        yield told
    finally:
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read() if process.stderr else ""
        process.wait(60)
        told["rest"] = [json.loads(line) for line in rest.splitlines()]
