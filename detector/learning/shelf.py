"""The shelf of learners (模型库): load by folder, check, lock by SHA-256."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from detector.district import District
from detector.learnkit import Learner, LearnerFault, check_learner
from detector.locked import content_folder, faults_of, load_file, lock_of

LOCK = "models.lock"
PARTS = ("What", "Basis", "Learns from", "Blind")  # that the text of each file has


@dataclass(frozen=True)
class ShelvedLearner:
    """A learner as it lies on the shelf, with the hash of its text."""

    learner: Learner
    sha256: str
    prose: str = ""  # what the file says of itself


def models_folder() -> Path:
    """Where the learners lie."""
    return content_folder("models")


def load_learners(folder: Path | None = None) -> dict[str, ShelvedLearner]:
    """Every learner file of the folder, by id. Raises `LearnerFault` naming the file."""
    folder = folder or models_folder()
    shelf = {path.stem: _load(path) for path in sorted(folder.glob("*.py"))}
    if not shelf:
        raise LearnerFault(f"{folder}: holds no learner")
    return shelf


def learners_of(district: District) -> dict[str, ShelvedLearner]:
    """The shipped learners where a district learns; nothing is read where it does not."""
    return load_learners() if district.learning.on else {}


def _load(path: Path) -> ShelvedLearner:
    try:
        loaded = load_file(path)
    except ImportError as fault:
        raise LearnerFault(str(fault)) from fault
    learner = getattr(loaded.module, "LEARNER", None)
    if not isinstance(learner, Learner):
        raise LearnerFault(f"{path.name}: defines no LEARNER")
    if learner.id != path.stem:
        raise LearnerFault(f"{path.name}: its id is {learner.id}")
    check_learner(learner)
    lacking = [part for part in PARTS if not re.search(rf"^{part}\s", loaded.prose, re.M)]
    if lacking:
        raise LearnerFault(f"{path.name}: its text does not say {', '.join(lacking)}")
    return ShelvedLearner(learner, loaded.sha256, loaded.prose)


def lock_text(shelf: Mapping[str, ShelvedLearner]) -> str:
    """The content of models.lock."""
    return lock_of({i: (s.learner.edition, s.sha256) for i, s in shelf.items()})


def lock_faults(shelf: Mapping[str, ShelvedLearner], text: str) -> list[str]:
    """What differs between the shelf and its lock, a sentence each."""
    return faults_of({i: (s.learner.edition, s.sha256) for i, s in shelf.items()}, text)
