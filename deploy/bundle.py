"""The offline bundle (离线安装包): all that a server without the Internet installs Oriole from.

`python deploy/bundle.py [OUT]`, run with the environment of `make setup`, writes
OUT/oriole-VERSION-PLATFORM-PYTHON.tar.gz: wheels of the project and of what it runs on – the very
versions and hashes of requirements.lock, no tool of developers –, the example district, the units
of systemd, `install.sh`, and SHA256SUMS over all of it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from importlib.metadata import requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("pdf", "apprise", "postgres", "cluster")
BESIDE = ("deploy/install.sh", "deploy/systemd", "LICENSE", "NOTICE", "README.md", "README.zh.md")


def needed(name: str = "oriole", extras: tuple[str, ...] = EXTRAS) -> set[str]:
    """What is installed here that a project needs to run, by canonical name, itself left out."""
    seen: set[tuple[str, str]] = set()
    waiting = [(name, extra) for extra in ("", *extras)]
    while waiting:
        one, extra = waiting.pop()
        if (one, extra) in seen:
            continue
        seen.add((one, extra))
        for line in requires(one) or ():
            told = Requirement(line)
            if told.marker is None or told.marker.evaluate({"extra": extra}):
                other = canonicalize_name(told.name)
                waiting += [(other, more) for more in ("", *told.extras)]
    return {one for one, _ in seen} - {canonicalize_name(name)}


def locked(lock: str, names: set[str]) -> str:
    """The entries of a lock, hashes included, that bear these names.

    Raises `ValueError` where one is missing: the bundle would fetch what nobody has checked.
    """
    told = [(canonicalize_name(one.split("==")[0]), one) for one in _entries(lock)]
    if missing := sorted(names - {name for name, _ in told}):
        raise ValueError(f"requirements.lock has no {', '.join(missing)}; run `make lock`")
    return "".join(one for name, one in told if name in names)  # of numpy one for each Python


def _entries(lock: str) -> Iterator[str]:
    entry = ""
    for line in lock.splitlines(keepends=True):
        if entry and not line.startswith(" "):
            yield entry
            entry = ""
        entry += line
    if entry:
        yield entry


def build(out: Path) -> Path:
    """Write the bundle; its path."""
    place = f"{sysconfig.get_platform()}-cp{sys.version_info[0]}{sys.version_info[1]}"
    name = f"oriole-{version('oriole')}-{place}"
    folder, wheels = out / name, out / name / "wheels"
    shutil.rmtree(folder, ignore_errors=True)
    wheels.mkdir(parents=True)
    wanted = folder / "requirements.txt"
    wanted.write_text(locked((ROOT / "requirements.lock").read_text("utf-8"), needed()), "utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    fetch = ["download", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*pip, *fetch, "-r", str(wanted), "-d", str(wheels)], check=True)
    own = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(ROOT)]
    subprocess.run([*pip, *own], check=True)
    (mine,) = wheels.glob("oriole-*.whl")
    with wanted.open("a", encoding="utf-8") as more:
        more.write(f"oriole=={version('oriole')} \\\n    --hash=sha256:{_sum(mine)}\n")
    for one in BESIDE:
        source, target = ROOT / one, folder / Path(one).name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    shutil.copytree(ROOT / "examples" / "county", folder / "district")
    sums = [f"{_sum(p)}  {p.relative_to(folder)}\n" for p in sorted(folder.rglob("*"))
            if p.is_file()]  # fmt: skip
    (folder / "SHA256SUMS").write_text("".join(sums), "utf-8")
    packed = out / f"{name}.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(folder, name)
    shutil.rmtree(folder)
    return packed


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    print(build(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist")))
