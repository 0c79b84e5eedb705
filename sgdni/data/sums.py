"""A harder task made of digits: two of them side by side, to be told their sum modulo 10.

Neither digit alone says anything of the answer, and no linear map of the pixels does, so a network
has to find the digits in its first layers and to combine them further up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sgdni.data.dataset import Dataset
from sgdni.data.entries import Entry


@dataclass(frozen=True)
class SumsEntry(Entry):
    """Pairs of images of a known data set, drawn when it is loaded, always the same ones.

    Training pairs are made of training images and test pairs of test images, so that no image is
    in both. Drawn with replacement: an image is in several pairs.

    Attributes
    ----------
    name, target_accuracy
        As in `Dataset`.
    source : entry
        Where the digits come from.
    side : int
        Its images are (side, side).
    n_train, n_test : int
        Numbers of pairs.
    seed : int
        Of the generator that draws them.
    """

    name: str
    source: Entry
    n_train: int
    n_test: int
    target_accuracy: float | None
    side: int = 28
    seed: int = 0

    @property
    def remedy(self) -> str:
        """What to do when the digits are missing."""
        return self.source.remedy

    @property
    def n_classes(self) -> int:
        """Number of sums modulo that of digits: as many as digits."""
        return self.source.n_classes

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of the arrays, by name."""
        pixels = 2 * self.side**2
        return {"x_train": (self.n_train, pixels), "y_train": (self.n_train,),
                "x_test": (self.n_test, pixels), "y_test": (self.n_test,)}

    def find(self) -> Path | None:
        """Return where the digits lie, or None."""
        return self.source.find()

    def load(self) -> Dataset:
        """Load the digits and pair them; DataError if they are missing or damaged."""
        digits, rng = self.source.load(), np.random.default_rng(self.seed)
        x_train, y_train = self._pairs(digits.x_train, digits.y_train, self.n_train, rng)
        x_test, y_test = self._pairs(digits.x_test, digits.y_test, self.n_test, rng)
        return Dataset(self.name, x_train, y_train, x_test, y_test, self.n_classes,
                       self.target_accuracy)

    def _pairs(self, x: np.ndarray, y: np.ndarray, n: int, rng: np.random.Generator
               ) -> tuple[np.ndarray, np.ndarray]:
        """Return images (n, side * 2 side), row by row of the pair, and labels (n,)."""
        rows = rng.integers(0, len(x), (2, n))
        pairs = np.empty((n, self.side, 2, self.side), x.dtype)
        for half, chosen in enumerate(rows):  # one half at a time, so that no third copy is made
            pairs[:, :, half] = x[chosen].reshape(n, self.side, self.side)
        return pairs.reshape(n, -1), y[rows].sum(axis=0) % self.n_classes
