"""Batch normalisation: what keeps the scale of h steady, and with it the job of an SG model."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from sgdni._util.arrays import column_sums, flat_rows
from sgdni._util.checks import check_batch, check_range, check_same_shape
from sgdni.layers.base import Layer


class BatchNorm(Layer):
    """y = gamma x_hat + beta with x_hat = (x - mean) / sqrt(variance + eps) (Ioffe, Szegedy 2015).

    In training, mean and (biased) variance are those of the batch, feature by feature, and the
    gradient flows through them. Of images (B, H, W, n) the features are the channels, and every
    pixel is one more example. In evaluation they are running averages kept in `buffers`; there
    the layer is a fixed affine map and has no backward.

    Parameters
    ----------
    n : int
        Number of features; gamma starts at 1 and beta at 0, both (n,).
    momentum : float in (0, 1]
        Weight of the newest batch in the running averages. The running variance averages the
        unbiased estimate, N / (N - 1) times the biased one for N examples.
    eps : float
        Added to the variance.

    Raises
    ------
    ValueError
        For inputs of the wrong width or dtype, for a training batch of one example (its variance
        is zero, so nothing could be learnt), and for `backward` after an evaluation pass.
    """

    def __init__(self, n: int, *, momentum: float = 0.1, eps: float = 1e-5,
                 dtype: DTypeLike = np.float32) -> None:
        super().__init__()
        check_range("BatchNorm momentum", momentum, 0, 1, open_low=True)
        check_range("BatchNorm eps", eps, 0, 1, open_low=True)
        self.n, self.momentum, self.eps = n, momentum, eps
        self.dtype: np.dtype = np.dtype(dtype)
        self.params = {"gamma": np.ones(n, dtype), "beta": np.zeros(n, dtype)}
        self.grads = {name: np.zeros_like(p) for name, p in self.params.items()}
        self.buffers = {"mean": np.zeros(n, dtype), "variance": np.ones(n, dtype)}

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        check_batch("BatchNorm input", x, self.n, self.dtype, more_axes=True)
        self._shape, x = x.shape, flat_rows(x)
        self._centred = centred = self.scratch("centred", x.shape, self.dtype)
        if training:
            if len(x) < 2:
                raise ValueError("BatchNorm: expected a training batch of at least 2, got 1")
            mean = column_sums(x) / len(x)
            np.subtract(x, mean, out=centred)
            variance = _column_dots(centred, centred) / len(x)
            self._track("mean", mean)
            self._track("variance", variance * (len(x) / (len(x) - 1)))
        else:
            np.subtract(x, self.buffers["mean"], out=centred)
            variance = self.buffers["variance"]
        self._inverse_std = 1 / np.sqrt(variance + self.dtype.type(self.eps))
        self._trained_on = training
        # x_hat = centred / std is never formed: its factor goes with gamma, one pass less.
        y = self.scratch("y", self._shape, self.dtype)
        np.multiply(centred, self.params["gamma"] * self._inverse_std, out=flat_rows(y))
        y += self.params["beta"]
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        check_same_shape("BatchNorm cotangent", dy, self._shape)
        if not self._trained_on:
            raise ValueError("BatchNorm: backward needs a forward pass with training=True")
        dy, d_gamma, d_beta = flat_rows(dy), self.grads["gamma"], self.grads["beta"]
        d_beta[...] = column_sums(dy)
        np.multiply(_column_dots(dy, self._centred), self._inverse_std, out=d_gamma)
        # dx = gamma / std * (dy - mean(dy) - x_hat mean(dy x_hat)), means over the batch
        dx = self.scratch("dx", self._shape, self.dtype)
        rows = np.multiply(self._centred, self._inverse_std * d_gamma / len(dy),
                           out=flat_rows(dx))
        rows += d_beta / len(dy)
        np.subtract(dy, rows, out=rows)
        rows *= self.params["gamma"] * self._inverse_std
        return dx

    @property
    def x_hat(self) -> np.ndarray:
        """The latest input, normalised: of its shape."""
        return (self._centred * self._inverse_std).reshape(self._shape)

    def _track(self, name: str, value: np.ndarray) -> None:
        running = self.buffers[name]
        running += self.momentum * (value - running)


def _column_dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return (a * b).sum(axis=0) without an array for the products."""
    return np.einsum("ij,ij->j", a, b)
