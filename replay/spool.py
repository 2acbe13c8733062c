"""Columns passed between the processes of one replay, as plain files in a scratch folder.

Codes mean something in one process only, so the words that the rows use travel with them.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from detector.columns import ARRAYS, NO_CODE, VOCABULARY, Inputs, Vocabulary, Words
from detector.handed import Handed
from detector.learning.observed import CODED as OBSERVED_CODED
from detector.learning.observed import COLUMNS as OBSERVED
from detector.learning.observed import Observed
from detector.records import COLUMNS as RECORD_COLUMNS
from detector.records import Records
from replay.notices import Matters


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder for one run: in memory where there is room, else where temporary files go."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 8 << 30
    return tempfile.TemporaryDirectory(prefix="oriole-", dir=memory if roomy else None)


def shard_of(vocabulary: Vocabulary, codes: np.ndarray, shards: int) -> np.ndarray:
    """The shard of each code, by its text: the same in every process."""
    return (vocabulary.hashes(codes) % np.uint64(shards)).astype(np.int64)


def _write(folder: Path, name: str, column: np.ndarray, vocabulary: Vocabulary | None) -> None:
    if vocabulary is not None:
        used = np.zeros(len(vocabulary) + 1, bool)  # the last place is that of "not given"
        used[column] = True
        words = vocabulary.texts(np.flatnonzero(used[:-1]))
        column = np.append(np.cumsum(used[:-1]) - 1, -1)[column]
        (folder / f"{name}.json").write_bytes(msgspec.json.encode(words))
    np.save(folder / f"{name}.npy", column, allow_pickle=False)


def _read(folder: Path, name: str, vocabulary: Vocabulary | None) -> np.ndarray:
    column: np.ndarray = np.load(folder / f"{name}.npy", allow_pickle=False)
    if vocabulary is None:
        return column
    words = msgspec.json.decode((folder / f"{name}.json").read_bytes())
    codes = np.append(vocabulary.encode(words), np.int32(NO_CODE))
    return codes[column]


def write_inputs(folder: Path, inputs: Inputs) -> None:
    """Put rows and their words into a new folder."""
    folder.mkdir()
    for name in ARRAYS:
        vocabulary = getattr(inputs.words, VOCABULARY[name]) if name in VOCABULARY else None
        _write(folder, name, getattr(inputs, name), vocabulary)


def read_inputs(folder: Path, words: Words, unknown: frozenset[str]) -> Inputs:
    """Rows of `write_inputs`, coded by the words of this process."""
    columns: dict[str, Any] = {
        name: _read(folder, name, getattr(words, VOCABULARY[name]) if name in VOCABULARY else None)
        for name in ARRAYS
    }
    return Inputs(words=words, unknown=unknown, **columns)


def write_records(folder: Path, records: Records) -> None:
    """Put operators' records into a new folder."""
    folder.mkdir()
    for name in RECORD_COLUMNS:
        _write(folder, name, getattr(records, name), getattr(records.words, name, None))


def read_records(folder: Path, words: Words) -> Records:
    """Records of `write_records`, coded by the words of this process."""
    return Records(words, *(_read(folder, n, getattr(words, n, None)) for n in RECORD_COLUMNS))


def write_observed(folder: Path, observed: Observed) -> None:
    """Put what learners are shown into a new folder."""
    folder.mkdir()
    for name in OBSERVED:
        coded = OBSERVED_CODED.get(name)
        vocabulary = getattr(observed.words, coded) if coded else None
        _write(folder, name, getattr(observed, name), vocabulary)


def read_observed(folder: Path, words: Words) -> Observed:
    """What `write_observed` put there, coded by the words of this process."""
    coded = [OBSERVED_CODED.get(name) for name in OBSERVED]
    vocabularies = [getattr(words, one) if one else None for one in coded]
    pairs = zip(OBSERVED, vocabularies, strict=True)
    return Observed(words, *(_read(folder, name, some) for name, some in pairs))


def write_matters(path: Path, matters: Matters) -> None:
    """Put what notices are made of into a new file."""
    path.write_bytes(msgspec.msgpack.encode(matters))


def read_matters(path: Path) -> Matters:
    """What `write_matters` wrote, in its order."""
    return msgspec.msgpack.decode(path.read_bytes(), type=Matters)


def write_handed(path: Path, handed: Handed) -> None:
    """Put what was handed on into a new file."""
    path.write_bytes(msgspec.msgpack.encode(handed))


def read_handed(path: Path) -> Handed:
    """What `write_handed` wrote, in its order."""
    return msgspec.msgpack.decode(path.read_bytes(), type=Handed)
