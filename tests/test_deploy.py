"""What a server without the Internet is given: complete, checked, and no more than it needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
EXPOSURE_MAX = 25  # of 100, as systemd counts what a unit might do


def bundle() -> Any:
    """deploy/bundle.py."""
    spec = spec_from_file_location("bundle", DEPLOY / "bundle.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_bundle_holds_what_runs_and_no_tool():
    names = bundle().needed()
    assert {"numpy", "polars", "uvicorn", "uvloop", "weasyprint", "psycopg-binary"} <= names
    assert {"faust-streaming", "aiokafka", "redis"} <= names  # what units of a scale-out import
    assert not names & {"pytest", "ruff", "mypy", "hypothesis", "hatchling", "apsw", "oriole"}


def test_each_is_locked_with_its_hashes():
    module = bundle()
    told = module.locked((ROOT / "requirements.lock").read_text("utf-8"), module.needed())
    entries = list(module._entries(told))
    assert len(entries) >= len(module.needed()) > 60
    assert all("--hash=sha256:" in one and "==" in one for one in entries)
    with pytest.raises(ValueError, match="has no nonesuch"):
        module.locked("numpy==1 \\\n    --hash=sha256:0\n", {"numpy", "nonesuch"})


def systemd(*words: str) -> subprocess.CompletedProcess[str]:
    """What systemd says of units, without a running one."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_sound(unit, tmp_path):
    text = unit.read_text("utf-8").replace("/opt/oriole/bin/oriole", sys.executable)
    (tmp_path / unit.name).write_text(text)
    done = systemd("verify", "--recursive-errors=no", "--man=no", str(tmp_path / unit.name))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_may_do_little(unit):
    done = systemd("security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", str(unit))
    assert done.returncode == 0, done.stdout[-400:]


def test_units_run_commands_that_there_are():
    for unit in UNITS:
        lines = unit.read_text("utf-8").splitlines()
        (start,) = [line for line in lines if line.startswith("ExecStart=")]
        words = start.removeprefix("ExecStart=/opt/oriole/bin/oriole ").split()
        told = subprocess.run(
            [sys.executable, "-m", "detector", words[0], "--help"],
            capture_output=True, text=True, check=True, cwd=ROOT, env={"COLUMNS": "200"},
        ).stdout  # fmt: skip
        assert all(word in told for word in words if word.startswith("--")), unit.name


@pytest.mark.slow
def test_the_bundle_installs_without_an_index_and_runs(tmp_path):
    """Built, unpacked, installed with every index refused; a damaged file is named."""
    command = [sys.executable, str(DEPLOY / "bundle.py"), str(tmp_path)]
    packed = Path(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    )
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = packed.with_name(packed.name.removesuffix(".tar.gz"))
    offline = {"PATH": "/usr/bin:/bin", "PYTHON": sys.executable, "HOME": str(tmp_path),
               "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null"}  # fmt: skip
    target = tmp_path / "opt"
    done = subprocess.run(
        [str(folder / "install.sh"), str(target)], env=offline, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = subprocess.run(
        [str(target / "bin" / "oriole"), "rules", "test"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "0 failed" in told
    victim = next((folder / "wheels").glob("oriole-*.whl"))
    victim.write_bytes(victim.read_bytes()[:-1])
    again = subprocess.run(
        [str(folder / "install.sh"), str(tmp_path / "other")], env=offline, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 1 and "damaged" in again.stderr
