"""A channel that mutes itself (自静音): it may speak while it is quiet in ordinary cases."""

from __future__ import annotations

import numpy as np


class Gate:
    """How many of the latest cases were loud in each channel, in whole epochs.

    Those latest epochs count that together hold `cases` cases, or all there are. The first channel
    always speaks; the others not before `closed_first` cases were judged, and not while more than
    `permille` of them are loud."""

    def __init__(self, channels: int, permille: int, cases: int, closed_first: int) -> None:
        self.permille, self.cases, self.closed_first = permille, cases, closed_first
        self.epochs = np.zeros((0, channels), np.int64)
        self.open = self.quiet(self.epochs.sum(axis=0))

    def turn(self, told: np.ndarray) -> None:
        """An epoch joins: how many cases were judged, then how many were loud in each channel."""
        self.epochs = np.concatenate([self.epochs, told[None, :]])
        since = np.cumsum(self.epochs[::-1, 0])
        enough = int(np.searchsorted(since, self.cases)) + 1
        self.thaw(self.epochs[-enough:])

    def quiet(self, told: np.ndarray) -> np.ndarray:
        """Which channels may speak after so many cases and so many loud ones in each channel."""
        may = (1000 * told <= self.permille * told[0]) & (told[0] >= self.closed_first)
        may[0] = True
        return np.asarray(may)

    def thaw(self, epochs: np.ndarray) -> None:
        """Hold these epochs and no others."""
        self.epochs = epochs
        self.open = self.quiet(epochs.sum(axis=0))
