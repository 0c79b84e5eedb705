"""Small networks and data for tests."""

from __future__ import annotations

import numpy as np

from sgdni.data import Dataset
from sgdni.settings import Settings

TINY = Settings(hidden=(8, 7, 6), batch_size=16, lr=0.05, solve_every=2, seed=3)


def blobs(rng: np.random.Generator, n_train: int = 96, n_test: int = 40, n_features: int = 5,
          n_classes: int = 3) -> Dataset:
    """Return well-separated Gaussian clouds, one a class."""
    centres = 3 * rng.standard_normal((n_classes, n_features))
    y = rng.integers(0, n_classes, n_train + n_test)
    x = centres[y] + rng.standard_normal((len(y), n_features))
    return Dataset("blobs", x[:n_train], y[:n_train], x[n_train:], y[n_train:], n_classes, 0.9)
