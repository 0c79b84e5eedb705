"""Minibatches: shuffled rows of the training set, scaled to floats a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sgdni._util.checks import check_count
from sgdni.data import Dataset, Examples

Batch = tuple[np.ndarray, np.ndarray]


class Minibatches:
    """(x (B, ...) of `dtype`, y (B,)) of all examples; each pass in a new random order.

    Those left over when B does not divide their number sit out a pass; the next shuffle takes
    others. So every step has the same B. The yielded x is one buffer, overwritten by the next:
    whoever keeps it copies it.

    Parameters
    ----------
    examples : Examples
    batch_size : B
    rng : numpy.random.Generator
        Drawn from when a pass begins.
    steps : int, optional
        Minibatches in a pass, over as many shuffles as that takes; by default one shuffle's.

    Raises
    ------
    ValueError
        For a batch size that no shuffle could fill, and for steps below 1.
    """

    def __init__(self, examples: Examples, batch_size: int, rng: np.random.Generator,
                 dtype: np.dtype = np.float32, steps: int | None = None) -> None:
        check_count("batch_size", batch_size, 1, examples.shape[0])
        if steps is not None:
            check_count("steps", steps)
        self.examples, self.batch_size, self.rng, self.dtype = examples, batch_size, rng, dtype
        self.each = examples.shape[0] // batch_size  # minibatches in one shuffle
        self.steps = self.each if steps is None else steps

    def __iter__(self) -> Iterator[Batch]:
        return self.share(0, 1)

    def skip(self) -> None:
        """Draw what a pass draws: for a copy of this in another process that has made one."""
        self._draw()

    def example(self) -> Batch:
        """Return a minibatch without drawing from `rng`: one is like another in shape."""
        rows = self.examples.order(np.random.default_rng(0))[: self.batch_size]
        return self.examples.take(rows, self._buffer(self.batch_size))

    def share(self, k: int, of: int) -> Iterator[Batch]:
        """Begin a pass in which every minibatch holds only the k-th of so many shares of its rows.

        It draws the same order as a whole pass.
        """
        return self._pass(self._draw(), k * self.batch_size // of, (k + 1) * self.batch_size // of)

    def _draw(self) -> np.ndarray:
        """Return the examples of each minibatch of a pass, (steps, B, ...)."""
        used = self.each * self.batch_size
        shuffles = [self.examples.order(self.rng)[:used]
                    for _ in range(-(-self.steps // self.each))]
        order = np.concatenate(shuffles)
        return order.reshape(-1, self.batch_size, *order.shape[1:])[: self.steps]

    def _pass(self, order: np.ndarray, low: int, high: int) -> Iterator[Batch]:
        out = self._buffer(high - low)
        for rows in order[:, low:high]:
            yield self.examples.take(rows, out)

    def _buffer(self, rows: int) -> np.ndarray:
        return np.empty((rows, *self.examples.shape[1:]), self.dtype)


def minibatches(x: np.ndarray, y: np.ndarray, batch_size: int, rng: np.random.Generator,
                dtype: np.dtype = np.float32) -> Iterator[Batch]:
    """Return an iterator over one pass of `Minibatches`; `rng` is drawn from at once."""
    return iter(Minibatches(Examples(x, y), batch_size, rng, dtype))


def endless(data: Dataset, batch_size: int, rng: np.random.Generator,
            dtype: np.dtype = np.float32) -> Iterator[Batch]:
    """Yield minibatches of the training set, one epoch after another."""
    batches = Minibatches(data.examples(), batch_size, rng, dtype)
    while True:
        yield from batches
