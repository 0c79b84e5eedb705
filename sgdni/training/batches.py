"""Minibatches: shuffled rows of the training set, scaled to floats a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sgdni.data import Dataset, scale_pixels

Batch = tuple[np.ndarray, np.ndarray]


class Minibatches:
    """(x (B, ...) of `dtype`, y (B,)) of a whole set; each pass over it in a new random order.

    The rows left over when B does not divide their number sit out a pass; the next shuffle takes
    others. So every step has the same B. The yielded x is one buffer, overwritten by the next:
    whoever keeps it copies it.

    Parameters
    ----------
    x, y : the set, x as bytes or floats
    batch_size : B
    rng : numpy.random.Generator
        Drawn from when a pass begins.
    steps : int, optional
        Minibatches in a pass, over as many shuffles as that takes; by default one shuffle's.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, batch_size: int, rng: np.random.Generator,
                 dtype: np.dtype = np.float32, steps: int | None = None) -> None:
        self.x, self.y, self.batch_size, self.rng, self.dtype = x, y, batch_size, rng, dtype
        self.steps = len(x) // batch_size if steps is None else steps

    def __iter__(self) -> Iterator[Batch]:
        return self.share(0, 1)

    def skip(self) -> None:
        """Draw what a pass draws: for a copy of this in another process that has made one."""
        self._draw()

    def example(self) -> Batch:
        """Return a minibatch without drawing."""
        rows = slice(self.batch_size)
        return scale_pixels(self.x[rows], self.dtype), self.y[rows]

    def share(self, k: int, of: int) -> Iterator[Batch]:
        """Begin a pass in which every minibatch holds only the k-th of so many shares of its rows.

        It draws the same order as a whole pass.
        """
        return self._pass(self._draw(), k * self.batch_size // of, (k + 1) * self.batch_size // of)

    def _draw(self) -> np.ndarray:
        """Return the rows of each minibatch of a pass, (steps, B)."""
        each = len(self.x) // self.batch_size
        shuffles = [self.rng.permutation(len(self.x))[: each * self.batch_size]
                    for _ in range(-(-self.steps // each))]
        return np.concatenate(shuffles).reshape(-1, self.batch_size)[: self.steps]

    def _pass(self, order: np.ndarray, low: int, high: int) -> Iterator[Batch]:
        out = np.empty((high - low, *self.x.shape[1:]), self.dtype)
        for rows in order[:, low:high]:
            yield scale_pixels(self.x[rows], self.dtype, out=out), self.y[rows]


def minibatches(x: np.ndarray, y: np.ndarray, batch_size: int, rng: np.random.Generator,
                dtype: np.dtype = np.float32) -> Iterator[Batch]:
    """Return an iterator over one pass of `Minibatches`; `rng` is drawn from at once."""
    return iter(Minibatches(x, y, batch_size, rng, dtype))


def endless(data: Dataset, batch_size: int, rng: np.random.Generator,
            dtype: np.dtype = np.float32) -> Iterator[Batch]:
    """Yield minibatches of the training set, one epoch after another."""
    batches = Minibatches(data.x_train, data.y_train, batch_size, rng, dtype)
    while True:
        yield from batches
