"""Delivery as a process, for tests that kill it: over a real file, against a real gateway.

`delivery_process.py DATA SERVER`: what `oriole deliver` runs. Its readiness is a line on stderr.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from service import ended

ROOT = Path(__file__).resolve().parents[1]
WAIT_S = 30


class Delivery:
    """`oriole deliver`, running."""

    def __init__(self, data: Path, server: str, **environment: str) -> None:
        command = [sys.executable, "-m", "detector", "deliver", "--data", str(data)]
        self.process = subprocess.Popen(
            [*command, "--server", server], cwd=ROOT, env=os.environ | environment,
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        atexit.register(ended, self.process)
        assert self.process.stderr is not None
        self.log: list[dict[str, object]] = []
        for line in self.process.stderr:
            if line.startswith(b"{"):
                self.log.append(json.loads(line))
                if self.log[-1]["event"] == "delivering":
                    return
        self.process.stderr.close()
        raise RuntimeError(f"it ended with {self.process.wait(WAIT_S)}: {self.log}")

    def kill(self) -> None:
        """As the end of the power would."""
        self.process.kill()
        self._gone()

    def stop(self) -> int:
        """As an administrator does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._gone()

    def _gone(self) -> int:
        code = self.process.wait(WAIT_S)
        assert self.process.stderr is not None
        self.log += [json.loads(x) for x in self.process.stderr if x.startswith(b"{")]
        self.process.stderr.close()
        return code
