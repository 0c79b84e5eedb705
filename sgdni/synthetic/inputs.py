"""What a synthetic-input model is: I_i(x, c), a guess at what module i would send up for it.

A synthetic gradient takes away the wait for what is above. What is left is the forward lock: a
module can't run before the modules below it have. A model beside it guesses its input from the
network's own, and learns from the real messages when they come (Jaderberg et al. 2016, the
"complete unlock").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from sgdni._util.checks import check_range, check_same_shape


class SyntheticInput:
    """h^_i = I_i(z, c): z (B, n_view) is what it is told of the network's input, c the context.

    That is None where the interface has none.
    """

    def predict(self, z: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        """Return h^ (B, n), fresh each time. Nothing is learned by it."""
        raise NotImplementedError

    def fit(self, z: np.ndarray, c: np.ndarray | None, h: np.ndarray) -> None:
        """Move I towards h, a constant: what module i really sent for this z and c."""
        raise NotImplementedError

    def state(self) -> dict[str, np.ndarray]:
        """Every array that learning changes, live."""
        return {}


class ReluInput(SyntheticInput):
    """h^ = max(0, max(0, [z, e c, 1] W) + r): a mean for z and c, and residuals of real messages.

    A module that is trained on means alone meets inputs of another kind when it is used. So the
    residuals of the latest real message are added, each example's to another example: inputs are
    as varied as real ones. A model that is told labels writes them into its guesses, and modules
    above learn to read them there: a linear one more plainly than this one. So judge what was
    learned by real inputs. The rule diverges where rate * e^2 times a label's share is above 2.

    Parameters
    ----------
    n_view, n_context, n : int
        Widths of z, c and h.
    rng : numpy.random.Generator
        Deals out the residuals.
    rate : float
        W moves by ``rate / B [z, e c, 1]' (h - mean)``; z is best whitened.
    emphasis : float
        e.
    dtype : that of z, c and h.

    Attributes
    ----------
    W : ndarray (n_view + n_context + 1, n), zero at the start
    """

    def __init__(self, n_view: int, n_context: int, n: int, rng: np.random.Generator, *,
                 rate: float = 0.4, emphasis: float = 3.0, dtype: DTypeLike = np.float32) -> None:
        check_range("ReluInput rate", rate, 0, 1, open_low=True)
        self.n_view, self.n_context, self.n, self.rng = n_view, n_context, n, rng
        self.rate, self.emphasis = rate, emphasis
        self.W = np.zeros((n_view + n_context + 1, n), dtype)
        self._residuals: np.ndarray | None = None

    def mean(self, z: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        """Return max(0, [z, e c, 1] W): what is to be expected for z and c."""
        return np.maximum(self._features(z, c) @ self.W, 0)

    def predict(self, z: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        h = self.mean(z, c)
        if self._residuals is not None:
            h += self._residuals[self.rng.integers(0, len(self._residuals), len(h))]
            np.maximum(h, 0, out=h)
        return h

    def fit(self, z: np.ndarray, c: np.ndarray | None, h: np.ndarray) -> None:
        check_same_shape("synthetic input's target", h, (len(z), self.n))
        self._residuals = h - self.mean(z, c)
        self.W += self.rate / len(z) * (self._features(z, c).T @ self._residuals)

    def _features(self, z: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        check_same_shape("synthetic input's view", z, (len(z), self.n_view))
        c = np.zeros((len(z), 0), self.W.dtype) if c is None else c
        check_same_shape("synthetic input's context", c, (len(z), self.n_context))
        ones = np.ones((len(z), 1), self.W.dtype)
        return np.concatenate([z, self.emphasis * c, ones], axis=1, dtype=self.W.dtype)

    def state(self) -> dict[str, np.ndarray]:
        return {"W": self.W}
