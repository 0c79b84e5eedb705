"""The fully connected layer: y = x W + b."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from sgdni._util.arrays import flat_rows
from sgdni._util.checks import check_batch, check_same_shape
from sgdni._util.products import Product
from sgdni.layers.base import Layer


class Dense(Layer):
    """y = x W + b, with W (n_in, n_out) and b (n_out,), for every row of x (B, n_in).

    Or of x with more axes in front, such as the outputs (T, B, n_in) of a recurrent layer.

    Parameters
    ----------
    n_in, n_out : int
        Widths, both at least 1.
    rng : numpy.random.Generator
        Draws W from a normal distribution with variance ``gain / n_in``; b starts at zero.
    gain : float
        2 keeps the scale of activations through ReLU layers (He et al. 2015), 1 through tanh.
    bias : bool
        False leaves b out: batch normalisation right after the layer would cancel it.
    dtype : float32 to train, float64 to check gradients.

    Raises
    ------
    ValueError
        For a width below 1, and for inputs of the wrong width or dtype.
    """

    def __init__(self, n_in: int, n_out: int, rng: np.random.Generator, *, gain: float = 2.0,
                 bias: bool = True, dtype: DTypeLike = np.float32) -> None:
        super().__init__()
        if n_in < 1 or n_out < 1:
            raise ValueError(f"Dense: expected widths of at least 1, got {n_in} and {n_out}")
        self.n_in, self.n_out, self.dtype = n_in, n_out, np.dtype(dtype)
        weights = rng.standard_normal((n_in, n_out)) * np.sqrt(gain / n_in)
        self.params["W"] = weights.astype(dtype)
        if bias:
            self.params["b"] = np.zeros(n_out, dtype)
        self.grads = {name: np.zeros_like(p) for name, p in self.params.items()}

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        check_batch("Dense input", x, self.n_in, self.dtype, more_axes=True)
        self._x = x
        y = self.scratch("y", (*x.shape[:-1], self.n_out), self.dtype)
        np.matmul(flat_rows(x), self.params["W"], out=flat_rows(y))
        if "b" in self.params:
            y += self.params["b"]
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        self.backward_params(dy)
        dx = self.scratch("dx", self._x.shape, self.dtype)
        np.matmul(flat_rows(dy), self.params["W"].T, out=flat_rows(dx))
        return dx

    def backward_params(self, dy: np.ndarray) -> None:
        check_same_shape("Dense cotangent", dy, (*self._x.shape[:-1], self.n_out))
        dy = flat_rows(dy)
        np.matmul(flat_rows(self._x).T, dy, out=self.grads["W"])
        if "b" in self.params:
            np.sum(dy, axis=0, out=self.grads["b"])

    def products(self, batch_size: int) -> dict[str, list[Product]]:
        b, n_in, n_out = batch_size, self.n_in, self.n_out
        return {"forward": [Product("forward", b, n_in, n_out)],
                "params": [Product("dW", n_in, b, n_out, transposed="left")],
                "input": [Product("dx", b, n_out, n_in, transposed="right")]}
