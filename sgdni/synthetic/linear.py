"""The linear synthetic-gradient model of the papers: delta^ = h A + c C + b, zero at the start.

Zero, because the first updates are then harmless: a module without a teacher stands still. How
the weights are fitted to the targets is the business of :mod:`sgdni.synthetic.fitting`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from sgdni._util.arrays import flat_examples
from sgdni._util.checks import check_array, check_batch, check_same_shape
from sgdni._util.products import Product
from sgdni.synthetic.base import SyntheticGradient
from sgdni.synthetic.fitting import Fit


class LinearSG(SyntheticGradient):
    """delta^ = [h, c, 1] W, whose blocks of rows are A (n, n), C (classes, n) and b (n,).

    Conditioning on labels (cDNI) is from Jaderberg et al. 2016; Czarnecki et al. 2017 treat the
    linear case.

    Parameters
    ----------
    n : int
        Width of the interface; for h with more axes than two, their product.
    n_context : int
        Number of classes for label-conditioned DNI; 0 for the unconditioned kind.
    fit : Fit
        How W follows the targets; bound to this model here, not shared with another.
    dtype : that of h.

    Attributes
    ----------
    W : ndarray (n + classes + 1, n)
    fit_method : Fit

    Raises
    ------
    ValueError
        For h, c or target of the wrong shape or dtype, and for a context that is missing or that
        was not asked for: a condition that is passed and ignored is a bug elsewhere.
    """

    def __init__(self, n: int, n_context: int, fit: Fit, dtype: DTypeLike = np.float32) -> None:
        if n < 1 or n_context < 0:
            raise ValueError(f"LinearSG: expected n >= 1 and n_context >= 0, got {n}, {n_context}")
        self.n, self.n_context, self.dtype = n, n_context, np.dtype(dtype)
        self.W = np.zeros((n + n_context + 1, n), dtype)
        self.fit_method = fit
        self._features: np.ndarray | None = None
        self._delta: np.ndarray | None = None
        fit.bind(self.W)

    @property
    def A(self) -> np.ndarray:
        """Weights of the activation, (n, n): a view of W."""
        return self.W[: self.n]

    @property
    def C(self) -> np.ndarray:
        """Weights of the context, (classes, n): a view of W."""
        return self.W[self.n : -1]

    @property
    def b(self) -> np.ndarray:
        """Bias, (n,): a view of W."""
        return self.W[-1]

    def predict(self, h: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        features = self.features(h, c)
        if self._delta is None or len(self._delta) != len(h):
            self._delta = np.empty((len(h), self.n), self.dtype)
        return np.matmul(features, self.W, out=self._delta).reshape(h.shape)

    def fit(self, h: np.ndarray, c: np.ndarray | None, target: np.ndarray) -> None:
        check_same_shape("synthetic gradient's target", target, h.shape)
        self.fit_method.update(self.features(h, c), flat_examples(target))

    def gradients(self, h: np.ndarray, c: np.ndarray | None, target: np.ndarray
                  ) -> dict[str, tuple[np.ndarray, np.ndarray]] | None:
        gradient = self.fit_method.gradient(self.features(h, c), flat_examples(target))
        if gradient is None:
            return None
        rows = {"A": slice(0, self.n), "C": slice(self.n, -1), "b": slice(-1, None)}
        return {k: (self.W[r], gradient[r]) for k, r in rows.items() if self.W[r].size}

    def products(self, batch_size: int) -> dict[str, list[Product]]:
        m, n = self.W.shape
        return {"predict": [Product("predict", batch_size, m, n)],
                "fit": self.fit_method.products(batch_size, m, n)}

    def features(self, h: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        """Return F = [h, c, 1], (B, n + classes + 1); valid until the next call."""
        check_array("synthetic gradient's h", h)
        h = flat_examples(h)
        check_batch("synthetic gradient's h", h, self.n, self.dtype)
        if (c is None) != (self.n_context == 0):
            raise ValueError(
                f"synthetic gradient's context: expected "
                f"{f'(B, {self.n_context})' if self.n_context else 'None'}, "
                f"got {'None' if c is None else c.shape}"
            )
        if self._features is None or len(self._features) != len(h):
            self._features = np.ones((len(h), len(self.W)), self.dtype)
        self._features[:, : self.n] = h
        if c is not None:
            check_same_shape("synthetic gradient's context", c, (len(h), self.n_context))
            self._features[:, self.n : -1] = c
        return self._features

    def state(self) -> dict[str, np.ndarray]:
        return {"W": self.W, **{f"fit.{k}": v for k, v in self.fit_method.state.items()}}
