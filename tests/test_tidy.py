"""The house rules of `tidy` hold here, and each one rejects a sample that breaks it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import tidy
from conftest import ROOT
from tidy import Source

PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
SOURCES = tidy.read_sources(ROOT, "detector", "replay", "rules", "models")
PER_FILE = (
    tidy.banned_names,
    tidy.swallowed_errors,
    tidy.too_long,
    tidy.undocumented,
    tidy.restating,
    tidy.foreign_imports,
)


@pytest.mark.parametrize("check", PER_FILE, ids=lambda check: check.__name__)
def test_every_file_is_tidy(check):
    assert [complaint for source in SOURCES for complaint in check(source)] == []


BAD = [
    (tidy.banned_names, "import time\nx = time.time()", "time.time: take the instant"),
    (tidy.banned_names, "import time as t\nx = t.monotonic()", "nothing here may know a clock"),
    (tidy.banned_names, "from time import time_ns", "time.time_ns"),
    (tidy.banned_names, "from datetime import datetime\nx = datetime.now()", "datetime.now"),
    (tidy.banned_names, "import datetime as d\nx = d.datetime.utcnow()", "utcnow"),
    (tidy.banned_names, "import random", "random: derive it"),
    (tidy.banned_names, "import numpy as np\nx = np.random.rand()", "numpy.random"),
    (tidy.banned_names, "print('x')", "print: return the text"),
    (tidy.banned_names, "from pickle import loads", "pickle: write records"),
    (tidy.banned_names, "import os\nx = os.environ['X']", "os.environ: read it in"),
    (tidy.swallowed_errors, "try:\n    x = 1\nexcept:\n    x = 2", "bare except"),
    (tidy.swallowed_errors, "try:\n    x = 1\nexcept Exception:\n    pass", "swallows every"),
    (tidy.swallowed_errors, "try:\n    x = 1\nexcept (OSError, Exception):\n    ...", "swallows"),
    (tidy.too_long, "x = 1\n" * 401, "401 lines"),
    (tidy.too_long, "def f():\n" + "    x = 1\n" * 60, "f: 61 lines"),
    (tidy.undocumented, "x = 1", "the module says nowhere"),
    (tidy.undocumented, '"""Sample."""\ndef f(): pass', "f has no docstring"),
    (tidy.undocumented, '"""Sample."""\nclass C: pass', "C has no docstring"),
    (tidy.restating, 'def load_rules(path):\n    """Load the rules from a path."""', "load_rules"),
    (tidy.restating, 'class DayCount:\n    """Day counts."""', "DayCount"),
    (tidy.foreign_imports, "def f():\n    import pandas", "pandas"),
    (tidy.foreign_imports, "from polars import col", "polars.col"),
]


@pytest.mark.parametrize(("check", "text", "complaint"), BAD)
def test_a_bad_file_is_rejected(check, text, complaint):
    found = check(Source("detector/sample.py", text))
    assert len(found) >= 1
    assert any(complaint in line for line in found), found


def test_a_rule_imports_numpy_and_the_kit_alone():
    good = "import numpy as np\nfrom detector.rulekit import Band, Rule"
    bad = "import math\nfrom detector.cases import Cases\nfrom detector import rulekit_extra"
    assert tidy.foreign_imports(Source("rules/sample.py", good)) == []
    assert len(tidy.foreign_imports(Source("rules/sample.py", bad))) == 3


def test_a_learner_imports_no_more_than_its_kit_and_what_counts():
    good = "import math\nimport numpy as np\nfrom detector.learnkit import Learner"
    bad = "import os\nfrom detector.rulekit import Rule\nfrom detector.learning import shelf"
    assert tidy.foreign_imports(Source("models/sample.py", good)) == []
    assert len(tidy.foreign_imports(Source("models/sample.py", bad))) == 3


def test_good_code_passes_every_check():
    text = '''"""Sample of what is allowed."""
from datetime import datetime


def elapsed_s(random: float, time: float) -> float:
    """Seconds between two instants of one case, never negative."""
    try:
        return max(time - random, 0.0)
    except ValueError:
        return datetime.fromisoformat("2026-01-05").timestamp()
'''
    for check in PER_FILE:
        assert check(Source("detector/sample.py", text)) == []


# --- imports ------------------------------------------------------------------------------------


def test_every_module_is_reached():
    assert tidy.unreachable(SOURCES) == []


def test_modules_that_only_know_each_other_are_dead():
    files = {
        "detector/__init__.py": "",
        "detector/__main__.py": "def main():\n    from replay import run",
        "detector/rulekit.py": "",
        "detector/a.py": "from . import b",
        "detector/b.py": "from .a import x",
        "replay/__init__.py": "",
        "replay/run.py": "from .readers import csv",
        "replay/readers/__init__.py": "",
        "replay/readers/csv.py": "",
        "rules/sample.py": "from detector.rulekit import Rule",
    }
    found = tidy.unreachable([Source(path, text) for path, text in files.items()])
    assert [line.split(":")[0] for line in found] == ["detector/a.py", "detector/b.py"]


def test_every_module_has_a_floor():
    modules = [s for s in SOURCES if not s.path.startswith(("rules/", "models/"))]
    assert tidy.floorless(modules, PYPROJECT) == []


def test_a_module_without_a_floor_is_found():
    found = tidy.floorless(
        [Source("detector/attic.py", ""), Source("replay/run.py", "")], PYPROJECT
    )
    assert found == ["detector/attic.py: give it a floor in pyproject.toml"]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """The contracts of the folder's pyproject.toml, checked in a process of their own."""
    code = "from importlinter.cli import lint_imports_command as run; run()"
    command = [sys.executable, "-c", code, "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_floors_hold():
    run = lint_imports(ROOT)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.fixture
def stub(tmp_path):
    """A project with an empty module for each name in the contracts, which it keeps."""
    contracts = tomllib.loads(PYPROJECT)["tool"]["importlinter"]["contracts"]
    names = set().union(*tidy.contract_floors(PYPROJECT))
    protected = [c for c in contracts if c["type"] == "protected"]
    importers = {name for c in protected for name in c["allowed_importers"]}
    texts = dict.fromkeys(sorted(names | importers | {"detector", "replay", "replay.run"}), "")
    for contract in protected:
        imports = f"import {','.join(contract['protected_modules'])}\n"
        texts[contract["allowed_importers"][0]] += imports
    for name, text in texts.items():
        folder = any(other.startswith(f"{name}.") for other in texts)
        stem = name.replace(".", "/") + ("/__init__" if folder else "")
        write(tmp_path / f"{stem}.py", text)
    write(tmp_path / "pyproject.toml", PYPROJECT)
    return tmp_path


def write(path: Path, text: str) -> None:
    """Append, so that a stub keeps what it had; the folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as out:
        out.write(text)


def test_the_contracts_are_kept_by_a_stub(stub):
    run = lint_imports(stub)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("path", "text", "contract"),
    [
        ("detector/event.py", "import detector.rulekit", "Floors"),
        ("detector/rulekit.py", "def f():\n    from detector import engine", "Floors"),
        ("detector/engine.py", "import replay.run", "Floors"),
        ("replay/run.py", "import detector.__main__", "Floors"),
        ("detector/district.py", "import polars", "polars"),
        ("replay/run.py", "import holidays", "holidays"),
        ("replay/run.py", "from rich import table", "terminal"),
        ("detector/shelf.py", "import zstandard", "zstandard"),
    ],
)
def test_a_contract_rejects_its_breach(stub, path, text, contract):
    write(stub / path, text)
    run = lint_imports(stub)
    assert run.returncode == 1
    assert re.search(rf"{contract}.* BROKEN", run.stdout), run.stdout


# --- text files ---------------------------------------------------------------------------------


def text_files() -> dict[str, str]:
    """Files of the project, committed or about to be, that are text."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    texts = {}
    for name in filter(None, listing.split("\0")):
        data = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b"\0"
        if b"\0" not in data[:8192]:
            texts[name] = data.decode("utf-8", "replace")
    return texts


def test_no_text_knows_this_machine():
    texts = text_files()
    assert "pyproject.toml" in texts
    assert [complaint for path, text in texts.items() for complaint in tidy.leaks(path, text)] == []


# Put together here, so that this file does not hold what it forbids.
@pytest.mark.parametrize(
    "line",
    [
        "open('/" + "work/main/x.py')",
        "see file:///" + "home/someone/notes",
        "https://files." + "pythonhosted.org/packages/x.whl",
        "--extra-index" + "-url https://mirror.example/simple",
    ],
)
def test_a_leak_is_found(line):
    assert len(tidy.leaks("notes.md", f"first line\n{line}\n")) >= 1


def test_ordinary_paths_are_no_leak():
    text = (
        "../shared/data/x.gz examples/work/x --no-emit-index-url requirements.in http://localhost/"
    )
    assert tidy.leaks("notes.md", text) == []


def test_both_readmes_have_the_same_headings():
    levels = [
        tidy.headings((ROOT / name).read_text("utf-8")) for name in ("README.md", "README.zh.md")
    ]
    assert levels[0] == levels[1]
    assert levels[0]


def test_a_missing_heading_is_found():
    one = "# Oriole\n```\n# a comment in a code block\n```\n## Use\n"
    assert tidy.headings(one) == [1, 2]
    assert tidy.headings(one) != tidy.headings("# 黄雀\n")


def test_the_lock_holds_what_is_asked_for():
    wanted, lock = ((ROOT / f"requirements.{end}").read_text("utf-8") for end in ("in", "lock"))
    assert tidy.lock_gaps(PYPROJECT, wanted, lock) == []


def test_a_gap_in_the_lock_is_found():
    pyproject = "[project]\ndependencies = ['a>=1', 'b']\n[dependency-groups]\ndev = ['c']"
    lock = "a==1 \\\n    --hash=sha256:00\nb==2\n--index " + "https://mirror.example\n"
    found = "\n".join(tidy.lock_gaps(pyproject, "# why\nd==4\n", lock))
    assert "c is missing" in found
    assert "d is missing" in found
    assert "no hash: b==2" in found
    assert "an address" in found
    assert "a is missing" not in found
