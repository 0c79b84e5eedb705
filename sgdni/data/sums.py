"""A harder task made of digits: two of them side by side, to be told their sum modulo 10.

Neither digit alone says anything of the answer, and no linear map of the pixels does, so a network
has to find the digits in its first layers and to combine them further up. The pairs that it trains
on are made on the fly, others in every pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sgdni.data.dataset import Dataset
from sgdni.data.entries import Entry
from sgdni.data.examples import Examples
from sgdni.data.pixels import scale_pixels


class Pairs(Examples):
    """Two of N images (side, side) beside each other, and the sum of their labels modulo classes.

    A pass has n pairs, drawn with replacement: an image is in several of them, or in none.
    """

    def __init__(self, digits: Dataset, n: int, side: int) -> None:
        super().__init__(digits.x_train, digits.y_train)
        self.side, self.n_classes, self.shape = side, digits.n_classes, (n, 2 * side**2)

    def order(self, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(0, len(self.x), (2, self.shape[0])).T

    def take(self, order: np.ndarray, out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        halves = out.reshape(len(order), self.side, 2, self.side)
        for half, rows in enumerate(order.T):
            images = self.x[rows].reshape(-1, self.side, self.side)
            scale_pixels(images, out.dtype, out=halves[:, :, half])
        return out, self.y[order].sum(axis=1) % self.n_classes


@dataclass(frozen=True, eq=False)
class SumsDataset(Dataset):
    """Pairs of a data set of digits. Those in `x_train` are a sample, for whoever only looks.

    Parameters
    ----------
    digits : Dataset
    side : int
        Its images are (side, side).
    """

    digits: Dataset | None = None
    side: int = 28

    @classmethod
    def draw(cls, name: str, digits: Dataset, n_train: int, n_test: int, side: int,
             target_accuracy: float | None, rng: np.random.Generator) -> SumsDataset:
        """Return a data set of so many pairs of training and of test images, drawn anew."""
        train = _stored_pairs(digits.x_train, digits.y_train, n_train, side, digits.n_classes, rng)
        test = _stored_pairs(digits.x_test, digits.y_test, n_test, side, digits.n_classes, rng)
        return cls(name, *train, *test, digits.n_classes, target_accuracy, (side, 2 * side, 1),
                   digits, side)

    def examples(self) -> Examples:
        return Pairs(self.digits, len(self.x_train), self.side)

    def validation_split(self, n: int, rng: np.random.Generator) -> Dataset:
        """Set n training digits aside, and return pairs of the others, and n pairs of these."""
        digits = self.digits.validation_split(n, rng)
        return self.draw(f"{self.name}-validation", digits, len(self.x_train), n, self.side,
                         self.target_accuracy, rng)


def _stored_pairs(x: np.ndarray, y: np.ndarray, n: int, side: int, n_classes: int,
                  rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, side * 2 side), row by row of the pair, and labels (n,)."""
    rows = rng.integers(0, len(x), (2, n))
    pairs = np.empty((n, side, 2, side), x.dtype)
    for half, chosen in enumerate(rows):  # one half at a time, so that no third copy is made
        pairs[:, :, half] = x[chosen].reshape(n, side, side)
    return pairs.reshape(n, -1), y[rows].sum(axis=0) % n_classes


@dataclass(frozen=True)
class SumsEntry(Entry):
    """Pairs of images of a known data set.

    Training pairs are made of training images and test pairs of test images, so that no image is
    in both. The test pairs are always the same ones.

    Attributes
    ----------
    name, target_accuracy
        As in `Dataset`.
    source : entry
        Where the digits come from.
    side : int
        Its images are (side, side).
    n_train, n_test : int
        Numbers of pairs, in an epoch and for the test.
    seed : int
        Of the generator that draws the test pairs.
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

    def paths(self) -> list[Path]:
        return self.source.paths()

    def load(self) -> Dataset:
        """Load the digits and pair them; DataError if they are missing or damaged."""
        return SumsDataset.draw(self.name, self.source.load(), self.n_train, self.n_test, self.side,
                                self.target_accuracy, np.random.default_rng(self.seed))
