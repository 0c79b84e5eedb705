"""Principal components: a short view of an image, of numbers that vary alike and independently."""

from __future__ import annotations

import numpy as np

from sgdni._util.checks import check_count


class Components:
    """z = (x - mean) V: the n largest principal components of examples, each of variance 1.

    Parameters
    ----------
    x : array (N, n_0) of floats
        Examples to find them from.
    n : int
        How many; at most n_0, and as many of them as vary at all.

    Raises
    ------
    ValueError
        For more components than there are.
    """

    def __init__(self, x: np.ndarray, n: int) -> None:
        check_count("components", n, 1, x.shape[1])
        self.mean = x.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(x, rowvar=False).astype(np.float64))
        values, vectors = values[::-1][:n], vectors[:, ::-1][:, :n]
        if values[-1] <= 1e-9 * values[0]:
            raise ValueError(f"components: expected at most as many as vary, got {n}")
        self.V = (vectors / np.sqrt(values)).astype(x.dtype)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return z (B, n) for x (B, n_0)."""
        return (x - self.mean) @ self.V
