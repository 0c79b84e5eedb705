"""Episodes of digits, one a tick, and two counts to be told at their end.

How many of them are odd, and how many are 3s. Threes are made more frequent than a tenth, since
otherwise most episodes have none and a guess is right most of the time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sgdni.data.pixels import scale_pixels


class Tally(NamedTuple):
    """What there is to know of B episodes of T ticks.

    labels : (T, B), the digits
    odd : (B,), how many of an episode's digits are odd
    threes : (B,), how many are 3s
    """

    labels: np.ndarray
    odd: np.ndarray
    threes: np.ndarray


class Tallies:
    """Draws episodes of T digits, each of which is a 3 with a given probability.

    Parameters
    ----------
    x, y : what is read of N digits (N, n), such as their pixels, and their labels (N,)
    ticks : int
        T.
    p_three : float
        Any tick's probability of a 3, independent of the others; else it is any other digit.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, ticks: int = 5, p_three: float = 0.2) -> None:
        self.x, self.y, self.ticks, self.p_three = x, y, ticks, p_three
        self._threes, self._others = np.flatnonzero(y == 3), np.flatnonzero(y != 3)

    def draw(self, streams: int, rng: np.random.Generator) -> tuple[np.ndarray, Tally]:
        """Return digits (T, B, n), as float32, and what there is to know of them."""
        shape = self.ticks, streams
        rows = np.where(rng.random(shape) < self.p_three, rng.choice(self._threes, shape),
                        rng.choice(self._others, shape))
        labels = self.y[rows]
        return (scale_pixels(self.x[rows], np.float32),
                Tally(labels, (labels % 2).sum(axis=0), (labels == 3).sum(axis=0)))
