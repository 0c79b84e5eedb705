"""Images out of rows of numbers, and rows out of images."""

from __future__ import annotations

import math

import numpy as np

from sgdni._util.arrays import flat_examples
from sgdni._util.checks import check_array, check_batch, check_count, check_same_shape
from sgdni.layers.base import Layer


class _Shape(Layer):
    def _copied(self, name: str, array: np.ndarray) -> np.ndarray:
        """Return a copy that is this layer's: the array is another's, who may overwrite it."""
        copy = self.scratch(name, array.shape, array.dtype)
        copy[...] = array
        return copy


class Flatten(_Shape):
    """From (B, ...) to (B, n): all numbers of an example in a row, as a dense layer takes them."""

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        check_array("Flatten input", x)
        self._shape = x.shape
        return self._copied("y", flat_examples(x))

    def backward(self, dy: np.ndarray) -> np.ndarray:
        check_same_shape("Flatten cotangent", dy, (self._shape[0], math.prod(self._shape[1:])))
        return self._copied("dx", dy.reshape(self._shape))


class Unflatten(_Shape):
    """From (B, H W C) to images (B, height, width, channels), channels last.

    The rows of data sets hold an image row by row; a grey one has one channel.
    """

    def __init__(self, height: int, width: int, channels: int = 1) -> None:
        super().__init__()
        self.shape = height, width, channels
        for name, value in zip(("height", "width", "channels"), self.shape, strict=True):
            check_count(f"Unflatten {name}", value)

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        check_array("Unflatten input", x)
        check_batch("Unflatten input", x, math.prod(self.shape), x.dtype)
        return self._copied("y", x.reshape(-1, *self.shape))

    def backward(self, dy: np.ndarray) -> np.ndarray:
        check_same_shape("Unflatten cotangent", dy, (len(dy), *self.shape))
        return self._copied("dx", flat_examples(dy))
