"""Half-space trees (半空间树): boxes that are halved again and again, at cuts from a fixed hash.

Tan, Ting and Liu, "Fast anomaly detection for streaming data", IJCAI 2011.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.learnkit import text_hash
from detector.quick import loaded, of_learning

TREES, DEPTH = 25, 8
LEAVES = 1 << DEPTH  # of a tree


class HalfSpaces:
    """Trees over whole numbers from 0 up to `most`, one a dimension: the same on every machine."""

    def __init__(self, most: Sequence[int]) -> None:
        self.most = most
        self.dimension, self.cut = _grown(most)
        self._begins = np.arange(TREES) << DEPTH  # of each tree in the flat columns

    def leaves(self, points: np.ndarray) -> np.ndarray:
        """Where each point falls to: places in a flat column of all trees' leaves (points, trees).
        Leaf n of a tree lies below node (n + LEAVES) >> k, at depth DEPTH - k."""
        if loaded():
            told = np.empty((len(points), TREES), np.int64)
            whole = np.ascontiguousarray(points, np.int64)
            of_learning().leaves(told, whole, (self.dimension, self.cut))
            return told
        node = np.ones((len(points), TREES), np.int64)
        values = points.astype(np.int64).ravel()
        rows = len(self.most) * np.arange(len(points))[:, None]
        for _ in range(DEPTH):
            at = node + self._begins
            right = values.take(self.dimension.take(at) + rows) >= self.cut.take(at)
            node += node
            node += right
        return node + (self._begins - LEAVES)

    def around(self, leaves: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Of each leaf how crowded it is there when points fall to `leaves`, so many `times` each:
        as the first node on the way to it that holds no more than a tenth of all cases, or as
        itself, by the cases there, scaled by the depth."""
        cases = int(times.sum())
        if loaded():
            told = np.empty(TREES * LEAVES, np.int64)
            of_learning().crowd(told, leaves, times, np.empty(2 * LEAVES, np.int64), cases)
            return told
        weights = np.repeat(times, TREES)  # sums below 2**53 are exact
        mass = np.bincount(leaves.ravel(), weights, TREES * LEAVES).astype(np.int64)
        around = mass << DEPTH
        for depth in reversed(range(DEPTH)):
            mass = mass.reshape(-1, 2).sum(axis=1)
            scaled = np.where(mass * 10 <= cases, mass << depth, -1).repeat(LEAVES >> depth)
            around = np.where(scaled < 0, around, scaled)
        return around


def _grown(most: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Dimension and cut of every inner node: a tree a row, node 1 the root, of n 2n and 2n + 1."""
    dimension, cut = (np.zeros((TREES, 1 << DEPTH), np.int64) for _ in range(2))
    for tree in range(TREES):
        ranges = {1: [(0, top + 1) for top in most]}
        for node in range(1, 1 << DEPTH):
            chance, box = text_hash(f"half-space {tree} {node}"), ranges.pop(node)
            wide = [d for d, (low, high) in enumerate(box) if high - low > 1]
            d = wide[chance % len(wide)]
            low, high = box[d]
            at = low + 1 + (chance >> 16) % (high - low - 1)
            dimension[tree, node], cut[tree, node] = d, at
            for child, part in ((2 * node, (low, at)), (2 * node + 1, (at, high))):
                ranges[child] = [*box[:d], part, *box[d + 1 :]]
    return dimension, cut
