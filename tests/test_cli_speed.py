"""`oriole --help` stays quick because heavy packages load inside the command that needs them.

Names and not seconds are checked: a loaded machine must not fail a test.
"""

import subprocess
import sys

from conftest import ROOT

HEAVY = ("numpy", "polars", "holidays", "msgspec")


def heavy_imports(*command: str) -> set[str]:
    """Which of the heavy packages a Python command line loads."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, "\n".join(run.stderr.splitlines()[-5:])
    rows = (
        line.rsplit("|", 1) for line in run.stderr.splitlines() if line.startswith("import time")
    )
    return {row[-1].strip().split(".")[0] for row in rows} & set(HEAVY)


def test_help_loads_nothing_heavy():
    assert heavy_imports("-m", "detector", "--help") == set()


def test_a_heavy_import_is_seen():
    assert heavy_imports("-c", "import msgspec") == {"msgspec"}
