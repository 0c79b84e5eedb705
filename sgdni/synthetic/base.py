"""What a synthetic-gradient model is: M_i(h_i, c), a guess at the true gradient delta_i.

A schedule asks a model for a prediction and, when the module above has run, hands it a target.
Nothing else is known of it above, so a model of your own needs these two methods and `state`.
"""

from __future__ import annotations

import numpy as np


class SyntheticGradient:
    """delta^_i = M_i(h_i, c): shapes h (B, n), c (B, classes) or None, delta^ (B, n)."""

    def predict(self, h: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        """Return delta^ (B, n), per example; valid until the next call."""
        raise NotImplementedError

    def fit(self, h: np.ndarray, c: np.ndarray | None, target: np.ndarray) -> None:
        """Move M towards `target` (B, n), a constant: no gradient flows through it."""
        raise NotImplementedError

    def state(self) -> dict[str, np.ndarray]:
        """Every array that fitting changes, live, for checkpoints."""
        return {}
