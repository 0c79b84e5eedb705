"""Small networks and data for tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sgdni.data import Dataset
from sgdni.networks import Network
from sgdni.runs.methods import build_network
from sgdni.runs.settings import Settings
from sgdni.schedules import Schedule

TINY = Settings(hidden=(8, 7, 6), batch_size=16, lr=0.05, solve_every=2, seed=3)


def tiny_network(method: str = "cdni-ls", **changes: object) -> Network:
    """Return the network of TINY, with some settings changed: the same weights every time."""
    return build_network(method, replace(TINY, **changes), 5, 3, np.random.default_rng(1))


def minibatches(count: int, size: int = 8) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return minibatches for it: the same ones every time."""
    rng = np.random.default_rng(0)
    return [
        (rng.standard_normal((size, 5)).astype(np.float32), rng.integers(0, 3, size))
        for _ in range(count)
    ]


def assert_same_state(a: Schedule, b: Schedule) -> None:
    """Bit for bit."""
    ours, theirs = a.state(), b.state()
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def blobs(rng: np.random.Generator, n_train: int = 96, n_test: int = 40, n_features: int = 5,
          n_classes: int = 3) -> Dataset:
    """Return well-separated Gaussian clouds, one a class."""
    centres = 3 * rng.standard_normal((n_classes, n_features))
    y = rng.integers(0, n_classes, n_train + n_test)
    x = centres[y] + rng.standard_normal((len(y), n_features))
    return Dataset("blobs", x[:n_train], y[:n_train], x[n_train:], y[n_train:], n_classes, 0.9)
