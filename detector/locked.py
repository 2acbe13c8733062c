"""Files of content (rules, learners): loaded by path, locked by edition and SHA-256."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

_HERE = Path(__file__).resolve().parent
Editions = Mapping[str, tuple[int, str]]  # id → edition, SHA-256 of its text


@dataclass(frozen=True)
class Loaded:
    """One file of content."""

    module: ModuleType
    sha256: str
    prose: str  # what the file says of itself


def content_folder(name: str) -> Path:
    """Where content lies: in the installed package, else beside it in a checkout."""
    packed = _HERE / "_content" / name
    return packed if packed.is_dir() else _HERE.parent / name


def load_file(path: Path) -> Loaded:
    """Load one file by its path. Raises `ImportError` that names it."""
    text = path.read_bytes()
    name = f"oriole_{path.parent.name}_{path.stem}_{hashlib.sha256(text).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name}: cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    except Exception as fault:
        raise ImportError(f"{path.name}: {type(fault).__name__}: {fault}") from fault
    finally:
        sys.dont_write_bytecode = kept
    prose = inspect.cleandoc(module.__doc__ or "")
    return Loaded(module, hashlib.sha256(text).hexdigest(), prose)


def lock_of(editions: Editions) -> str:
    """The content of a lock: edition and hash of every file."""
    return "".join(f"{i} {edition} {sha}\n" for i, (edition, sha) in sorted(editions.items()))


def faults_of(editions: Editions, text: str) -> list[str]:
    """What differs between a shelf and its lock, a sentence each."""
    locked = dict(_line(line) for line in text.splitlines() if line.strip())
    here = dict(_line(line) for line in lock_of(editions).splitlines())
    faults = [f"{i}: on the shelf and not in the lock" for i in here if i not in locked]
    faults += [f"{i}: in the lock and not on the shelf" for i in locked if i not in here]
    for i in sorted(set(here) & set(locked)):
        if here[i] != locked[i]:
            same = here[i].split(" ")[0] == locked[i].split(" ")[0]
            remedy = "its text changed: raise its edition" if same else "lock it anew"
            faults.append(f"{i}: differs from the lock; {remedy}")
    return faults


def _line(line: str) -> tuple[str, str]:
    name, _, told = line.partition(" ")
    return name, told
