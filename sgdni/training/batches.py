"""Minibatches: shuffled rows of the training set, scaled to floats a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sgdni.data import Dataset, scale_pixels


def minibatches(x: np.ndarray, y: np.ndarray, batch_size: int, rng: np.random.Generator,
                dtype: np.dtype = np.float32) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Return an iterator over (x (B, n_0) of `dtype`, y (B,)), once in random order.

    `rng` is drawn from at once, not when the iterator is first used, which may be in another
    process.

    The rows left over when B does not divide their number sit out this time; the next shuffle
    takes others. So every step has the same B. The yielded x is one buffer, overwritten by the
    next: whoever keeps it copies it.
    """
    order = rng.permutation(len(x))
    out = np.empty((batch_size, *x.shape[1:]), dtype)

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(x) - batch_size + 1, batch_size):
            rows = order[start : start + batch_size]
            yield scale_pixels(x[rows], dtype, out=out), y[rows]
    return batches()


def endless(data: Dataset, batch_size: int, rng: np.random.Generator,
            dtype: np.dtype = np.float32) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield minibatches of the training set, one epoch after another."""
    while True:
        yield from minibatches(data.x_train, data.y_train, batch_size, rng, dtype)
