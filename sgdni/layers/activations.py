"""Elementwise nonlinearities. Each backward multiplies dy by the derivative at the latest input."""

from __future__ import annotations

import numpy as np

from sgdni._util.checks import check_array, check_same_shape
from sgdni.layers.base import Layer


class ReLU(Layer):
    """y = max(x, 0). The derivative is taken as 0 at x = 0 exactly."""

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        check_array("ReLU input", x)
        # Kept here because x belongs to the layer below, which may overwrite it.
        self._positive = np.greater(x, 0, out=self.scratch("positive", x.shape, np.dtype(bool)))
        return np.maximum(x, 0, out=self.scratch("y", x.shape, x.dtype))

    def backward(self, dy: np.ndarray) -> np.ndarray:
        check_same_shape("ReLU cotangent", dy, self._positive.shape)
        return np.multiply(dy, self._positive, out=self.scratch("dx", dy.shape, dy.dtype))


class Tanh(Layer):
    """y = tanh(x), whose derivative is 1 - y^2."""

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        check_array("Tanh input", x)
        self._y = np.tanh(x, out=self.scratch("y", x.shape, x.dtype))
        return self._y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        check_same_shape("Tanh cotangent", dy, self._y.shape)
        dx = self.scratch("dx", dy.shape, dy.dtype)
        np.multiply(self._y, self._y, out=dx)
        np.subtract(1, dx, out=dx)
        return np.multiply(dy, dx, out=dx)


class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)), whose derivative is y (1 - y).

    Computed as (1 + tanh(x / 2)) / 2, the same function, which overflows for no x.
    """

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        check_array("Sigmoid input", x)
        self._y = y = self.scratch("y", x.shape, x.dtype)
        np.multiply(x, 0.5, out=y)
        np.tanh(y, out=y)
        y += 1
        y *= 0.5
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        check_same_shape("Sigmoid cotangent", dy, self._y.shape)
        dx = self.scratch("dx", dy.shape, dy.dtype)
        np.subtract(1, self._y, out=dx)
        dx *= self._y
        return np.multiply(dy, dx, out=dx)
