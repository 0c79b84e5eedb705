"""No synthetic gradient at all: the control that every claim about learning below needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from sgdni.synthetic.base import SyntheticGradient


class ZeroSG(SyntheticGradient):
    """delta^ = 0: what is below keeps its random weights, and only the top module learns.

    How well a network does so says what its task asks of the layers below: on MNIST, little.
    """

    wants_targets = False

    @classmethod
    def at_interface(cls, n: int, n_classes: int, rng: np.random.Generator,
                     dtype: DTypeLike = np.float32) -> ZeroSG:
        return cls()

    def predict(self, h: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        return np.zeros_like(h)

    def fit(self, h: np.ndarray, c: np.ndarray | None, target: np.ndarray) -> None:
        """Learn nothing."""
