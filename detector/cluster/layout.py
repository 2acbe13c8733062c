"""Which shards there are, and which of them a subject belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

CASE, OPERATOR, DEPARTMENT = "case", "operator", "department"
KINDS = (CASE, OPERATOR, DEPARTMENT)
DIRECT = "direct"  # what a department shard hears from outside, not from a shard
SHARDS_MAX = 1_024  # of one kind


@dataclass(frozen=True)
class Layout:
    """How many shards of cases and of operators there are; departments are one."""

    cases: int
    operators: int

    def __post_init__(self) -> None:
        if not (0 < self.cases <= SHARDS_MAX and 0 < self.operators <= SHARDS_MAX):
            raise ValueError(f"there are 1 to {SHARDS_MAX} shards of a kind")

    def count(self, kind: str) -> int:
        """How many shards of a kind there are: as many partitions has its topic."""
        return {CASE: self.cases, OPERATOR: self.operators, DEPARTMENT: 1}[kind]

    def shards(self, *kinds: str) -> list[str]:
        """The names of all shards of these kinds; of all, where none is named."""
        return [name_of(k, n) for k in kinds or KINDS for n in range(self.count(k))]

    def topics(self) -> dict[str, int]:
        """The topics that feed the shards, and how many partitions each has."""
        return {topic_of(kind): self.count(kind) for kind in KINDS}

    def sources(self, kind: str) -> Sequence[str]:
        """Who feeds a shard of this kind, so whose clocks it waits for."""
        return _sources(self, kind)


@cache  # asked for every line that a shard is told
def _sources(layout: Layout, kind: str) -> tuple[str, ...]:
    if kind == OPERATOR:
        return tuple(layout.shards(CASE))
    return (*layout.shards(CASE, OPERATOR), DIRECT) if kind == DEPARTMENT else ()


def name_of(kind: str, partition: int) -> str:
    """The name of a shard."""
    return f"{kind}-{partition}"


def parts_of(shard: str) -> tuple[str, int]:
    """Kind and partition of a shard's name. Raises `ValueError`."""
    kind, _, number = shard.partition("-")
    if kind not in KINDS or not number.isdigit():
        raise ValueError(f"{shard}: is no shard's name")
    return kind, int(number)


def topic_of(kind: str) -> str:
    """The topic whose partitions feed the shards of a kind."""
    return f"{kind}-inputs"


REFUSALS = "refusals"  # the topic of what could not be read

_M, _SEED = 0x5BD1E995, 0x9747B28C


def partitions_of(keys: Sequence[bytes], count: int) -> np.ndarray:
    """The partition (int64) of each key, as every Kafka producer's default has it: murmur2."""
    sizes = np.fromiter(map(len, keys), np.int64, len(keys))
    width = -(-int(sizes.max(initial=1)) // 4) * 4 or 4
    # the lengths are kept apart, for a column of bytes does not know trailing zeros
    letters = np.array(keys, dtype=f"S{width}").view(np.uint8).reshape(len(keys), width)
    words = letters.view("<u4")
    h = np.uint32(_SEED) ^ sizes.astype(np.uint32)
    whole = sizes // 4
    with np.errstate(over="ignore"):
        for place in range(int(whole.max(initial=0))):
            k = words[:, place] * np.uint32(_M)
            k ^= k >> np.uint32(24)
            mixed = (h * np.uint32(_M)) ^ (k * np.uint32(_M))
            h = np.where(place < whole, mixed, h)
        rest = sizes % 4
        begin = np.minimum(whole, words.shape[1] - 1)
        tail = words[np.arange(len(keys)), begin] & _MASKS[rest]
        h = np.where(rest > 0, (h ^ tail) * np.uint32(_M), h)
        h ^= h >> np.uint32(13)
        h *= np.uint32(_M)
        h ^= h >> np.uint32(15)
    return (h & np.uint32(0x7FFFFFFF)).astype(np.int64) % count


_MASKS = np.array([0, 0xFF, 0xFFFF, 0xFFFFFF], np.uint32)
