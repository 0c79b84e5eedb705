"""Linear probes: what a linear read-out of a representation could tell.

By least squares with a ridge, in closed form, so that nothing depends on how well a probe was
trained. Probes of hidden layers: Alain and Bengio 2016.
"""

from __future__ import annotations

import numpy as np

from sgdni._util.checks import check_labels, check_matrix, check_range


class Probe:
    """The affine map from h to one-hot labels that is best for the squared error, and shrunk.

    Parameters
    ----------
    h : (N, n), what the probe reads
    y : (N,) labels in 0 .. n_classes - 1
    n_classes : int
    ridge : float >= 0
        Relative to the mean variance of the units of h, for each example.

    Raises
    ------
    ValueError
        For labels out of range and options out of range.
    """

    def __init__(self, h: np.ndarray, y: np.ndarray, n_classes: int, ridge: float = 1e-3) -> None:
        check_matrix("probe's h", h)
        check_labels("probe's labels", y, (len(h),), n_classes)
        check_range("ridge", ridge, 0, np.inf, open_high=True)
        h, c = h.astype(float), np.eye(n_classes)[y]
        self._mean, self._share = h.mean(axis=0), c.mean(axis=0)
        z = h - self._mean
        S = z.T @ z
        S[np.diag_indices(len(S))] += ridge * np.trace(S) / len(S)
        # Units that never vary leave S singular where there is no ridge: lstsq does not mind.
        self.W = np.linalg.lstsq(S, z.T @ (c - self._share), rcond=None)[0]

    def predict(self, h: np.ndarray) -> np.ndarray:
        """Return the class (N,) that the probe reads from each row of h."""
        return ((h - self._mean) @ self.W + self._share).argmax(axis=1)

    def accuracy(self, h: np.ndarray, y: np.ndarray) -> float:
        """Return the share of examples that the probe reads right."""
        return float(np.mean(self.predict(h) == y))
