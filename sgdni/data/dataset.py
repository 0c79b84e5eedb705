"""A data set in memory: training and test examples, checked once, when it is made.

Images stay as they are stored, usually one byte a pixel. They become floats a minibatch at a time,
by `scale_pixels`: 60,000 images take 47 MB as bytes and 376 MB as float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from sgdni._util.checks import check_finite, check_labels, check_matrix, check_range
from sgdni.data.examples import Examples
from sgdni.data.pixels import check_pixels


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled examples, split into a training and a test part.

    The arrays are kept as read-only views, so that nobody who trains on them can change what the
    next one sees. They are not copied: whoever made them should not write to them either.

    Parameters
    ----------
    name : str
        What to call it in tables and plots.
    x_train, x_test : arrays (N, n_0) and (N', n_0), both uint8 or both of one floating type
        Examples, one a row.
    y_train, y_test : integer arrays (N,) and (N',)
        Class of each example, 0 .. n_classes - 1; kept as int64.
    n_classes : int
        Number of classes, at least 2.
    target_accuracy : float or None
        Share of test examples classified correctly, in (0, 1], that time-to-accuracy is reported
        for; None if there is no such goal.
    image_shape : (height, width, channels) or None
        What an example is, row by row, if it is an image: for networks that make use of it.

    Raises
    ------
    ValueError
        If anything above does not hold or a float is not finite; the message says what was
        expected and what was found.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    n_classes: int
    target_accuracy: float | None = None
    image_shape: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        check_range("n_classes", self.n_classes, 2, np.inf)
        if self.target_accuracy is not None:
            check_range("target_accuracy", self.target_accuracy, 0, 1, open_low=True)
        for part in ("train", "test"):
            x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            check_matrix(f"x_{part}", x)
            check_pixels(f"x_{part}", x)
            if x.dtype.kind == "f":
                check_finite(f"x_{part}", x)
            check_labels(f"y_{part}", y, (len(x),), self.n_classes)
            object.__setattr__(self, f"x_{part}", _read_only(x))
            object.__setattr__(self, f"y_{part}", _read_only(y.astype(np.int64, copy=False)))
        if self.x_test.shape[1:] != self.x_train.shape[1:]:
            raise ValueError(f"x_test: expected examples of shape {self.x_train.shape[1:]} as in "
                             f"x_train, got {self.x_test.shape[1:]}")
        # Bytes are divided by 255 and floats are not, so the two parts must be of one type.
        if self.x_test.dtype != self.x_train.dtype:
            raise ValueError(f"x_test: expected type {self.x_train.dtype} as in x_train, "
                             f"got {self.x_test.dtype}")
        if self.image_shape is not None and math.prod(self.image_shape) != self.n_features:
            raise ValueError(f"image_shape: expected {self.n_features} numbers as in x_train, got "
                             f"{self.image_shape}")

    @property
    def n_features(self) -> int:
        """Number of values in one example, n_0."""
        return math.prod(self.x_train.shape[1:])

    def examples(self) -> Examples:
        """Return what training minibatches are made of."""
        return Examples(self.x_train, self.y_train)

    def validation_split(self, n: int, rng: np.random.Generator) -> Dataset:
        """Set training examples aside, to choose hyperparameters without touching the test set.

        Parameters
        ----------
        n : int
            How many examples to set aside, 1 .. N - 1. Raises ValueError if out of range.
        rng : numpy.random.Generator
            Shuffles the rows first: stored sorted by class, the last n would all be of one class.

        Returns
        -------
        Dataset
            Its training part has N - n of this one's training rows, and its *test part is the
            other n training rows*. The test rows of this data set are in neither.
        """
        size = len(self.x_train)
        if not 1 <= n < size:
            raise ValueError(f"n: expected 1 to {size - 1} of {size} training rows, got {n}")
        order = rng.permutation(size)
        kept, held_out = order[:-n], order[-n:]
        return replace(self, name=f"{self.name}-validation",
                       x_train=self.x_train[kept], y_train=self.y_train[kept],
                       x_test=self.x_train[held_out], y_test=self.y_train[held_out])


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view
