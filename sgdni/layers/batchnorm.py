"""Batch normalisation: what keeps the scale of h steady, and with it the job of an SG model."""

from __future__ import annotations

import numpy as np

from sgdni.checks import check_batch, check_range, check_same_shape
from sgdni.layers.base import Layer


class BatchNorm(Layer):
    """y = gamma x_hat + beta with x_hat = (x - mean) / sqrt(variance + eps) (Ioffe, Szegedy 2015).

    In training, mean and (biased) variance are those of the batch, feature by feature, and the
    gradient flows through them. In evaluation they are running averages kept in `buffers`; there
    the layer is a fixed affine map and has no backward.

    Parameters
    ----------
    n : int
        Number of features; gamma starts at 1 and beta at 0, both (n,).
    momentum : float in (0, 1]
        Weight of the newest batch in the running averages. The running variance averages the
        unbiased estimate, B / (B - 1) times the biased one.
    eps : float
        Added to the variance.

    Raises
    ------
    ValueError
        For inputs of the wrong width or dtype, for a training batch of one example (its variance
        is zero, so nothing could be learnt), and for `backward` after an evaluation pass.
    """

    def __init__(self, n: int, *, momentum: float = 0.1, eps: float = 1e-5,
                 dtype: np.dtype = np.float32) -> None:
        super().__init__()
        check_range("BatchNorm momentum", momentum, 0, 1, open_low=True)
        check_range("BatchNorm eps", eps, 0, 1, open_low=True)
        self.n, self.momentum, self.eps, self.dtype = n, momentum, eps, np.dtype(dtype)
        self.params = {"gamma": np.ones(n, dtype), "beta": np.zeros(n, dtype)}
        self.grads = {name: np.zeros_like(p) for name, p in self.params.items()}
        self.buffers = {"mean": np.zeros(n, dtype), "variance": np.ones(n, dtype)}

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        check_batch("BatchNorm input", x, self.n, self.dtype)
        self._x_hat = x_hat = self.scratch("x_hat", x.shape, self.dtype)
        y = self.scratch("y", x.shape, self.dtype)
        if training:
            if len(x) < 2:
                raise ValueError("BatchNorm: expected a training batch of at least 2, got 1")
            mean = x.mean(axis=0)
            np.subtract(x, mean, out=x_hat)
            np.multiply(x_hat, x_hat, out=y)
            variance = y.mean(axis=0)
            self._track("mean", mean)
            self._track("variance", variance * (len(x) / (len(x) - 1)))
        else:
            np.subtract(x, self.buffers["mean"], out=x_hat)
            variance = self.buffers["variance"]
        self._inverse_std = 1 / np.sqrt(variance + self.dtype.type(self.eps))
        x_hat *= self._inverse_std
        self._trained_on = training
        np.multiply(x_hat, self.params["gamma"], out=y)
        y += self.params["beta"]
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        check_same_shape("BatchNorm cotangent", dy, self._x_hat.shape)
        if not self._trained_on:
            raise ValueError("BatchNorm: backward needs a forward pass with training=True")
        dx = self.scratch("dx", dy.shape, self.dtype)
        d_gamma, d_beta = self.grads["gamma"], self.grads["beta"]
        np.sum(dy, axis=0, out=d_beta)
        np.multiply(dy, self._x_hat, out=dx)
        np.sum(dx, axis=0, out=d_gamma)
        # dx = gamma / std * (dy - mean(dy) - x_hat mean(dy x_hat)), means over the batch
        np.multiply(self._x_hat, d_gamma / len(dy), out=dx)
        dx += d_beta / len(dy)
        np.subtract(dy, dx, out=dx)
        dx *= self.params["gamma"] * self._inverse_std
        return dx

    def _track(self, name: str, value: np.ndarray) -> None:
        running = self.buffers[name]
        running += self.momentum * (value - running)
