"""Checks of the exercises to lesson 1, backprop by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sgdni.gradcheck import check_layer
from sgdni.layers import BatchNorm, Dense
from sgdni.losses import SoftmaxCrossEntropy
from sgdni_course.answers import ask, compare, well_done

B, N = 7, 4


def check_dense_backward(dense_backward: Callable) -> None:
    """Check ``dense_backward(x, W, dy) -> dx, dW, db`` for y = x W + b."""
    rng = np.random.default_rng(1)
    # W is square, so that a forgotten transpose gives a wrong number and not an error.
    layer = Dense(N, N, rng, dtype=np.float64)
    x, dy, W = rng.standard_normal((B, N)), rng.standard_normal((B, N)), layer.params["W"]
    layer.forward(x)
    right_dx = layer.backward(dy)
    right_dW, right_db = layer.grads["W"], layer.grads["b"]
    dx, dW, db = ask(dense_backward, x, W, dy, parts="dx dW db")
    compare("dx", dx, right_dx, {
        "lacks a transpose: it is dy @ W, and each dx_k sums over the outputs that x_k feeds":
            dy @ W,
        "is divided by B: gradients travel per example, dx is not averaged": right_dx / B,
    })
    compare("dW", dW, right_dW, {
        "is transposed: it must have the shape of W": right_dW.T,
        "is divided by B: the division comes once, in the update": right_dW / B,
        "lacks the sum over the batch: W served every example": np.outer(x[-1], dy[-1]),
        "lacks the sum over the batch: it still has one matrix for each example":
            x[:, :, None] * dy[:, None, :],
    })
    compare("db", db, right_db, {
        "lacks the sum over the batch: b was added to every example": dy,
        "lacks the sum over the batch: it is one example's": dy[-1],
        "is divided by B: dW is a sum and db must be one too": right_db / B,
        "sums over the outputs (axis=1); the batch is axis 0": dy.sum(axis=1),
        "keeps the batch axis: it must have the shape of b, (n_out,)": right_db[None],
    })
    well_done(dense_backward, "dx is per example, dW and db are summed over the batch.")


def check_relu_backward(relu_backward: Callable) -> None:
    """Check ``relu_backward(x, dy) -> dx`` for y = max(x, 0)."""
    rng = np.random.default_rng(2)
    x, dy = rng.standard_normal((B, N)), rng.standard_normal((B, N))
    x[0, 0] = 0
    dx, = ask(relu_backward, x, dy)
    compare("dx", dx, dy * (x > 0), {
        "lets everything through, as if the ReLU were not there. If you asked y >= 0: "
        "y = max(x, 0) is never negative": dy,
        "lets dy through at x = 0, where this course takes the derivative to be 0: x > 0, "
        "not x >= 0": dy * (x >= 0),
        "is ReLU applied to dy: the mask comes from x, where the ReLU was on": np.maximum(dy, 0),
        "is the mask alone, the derivative: multiply it by dy": x > 0,
        "is the output of ReLU, max(x, 0), times dy: the derivative is 1 there, not x":
            dy * np.maximum(x, 0),
        "has the mask upside down: dy passes where x was positive": dy * (x <= 0),
    })
    well_done(relu_backward, "Where the ReLU was off, no error passes.")


def check_softmax_delta(softmax_delta: Callable) -> None:
    """Check ``softmax_delta(h, y) -> delta`` for the cross-entropy of softmax(h)."""
    rng = np.random.default_rng(3)
    h, y = rng.standard_normal((B, N)), rng.integers(0, N, B)
    _, right = SoftmaxCrossEntropy()(h, y)
    onehot = np.eye(N)[y]
    down = np.exp(h) / np.exp(h).sum(axis=0)
    delta, = ask(softmax_delta, h, y)
    compare("delta", delta, right, {
        "has the wrong sign: it points up the loss, softmax(h) - onehot(y)": -right,
        "is divided by B: each example's delta is its own, whatever else is in the batch":
            right / B,
        "is softmax(h) alone: subtract 1 at each example's label": right + onehot,
        "normalises over the batch: the softmax of an example sums over its classes, axis 1":
            down - onehot,
        "has the one-hot labels subtracted from h itself: take the softmax first": h - onehot,
    })
    big = h + 1000 * np.arange(B)[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        delta, = ask(softmax_delta, big, y)
    assert np.isfinite(delta).all(), (
        "your delta is right for small h, but overflows for large ones: exp(1000) is infinite. "
        "Subtract each row's maximum from h first; the softmax stays the same"
    )
    compare("delta of large h", delta, right)
    well_done(softmax_delta, "Its rows sum to zero: what one class gains the others lose.")


def check_batchnorm_backward(batchnorm_backward: Callable) -> None:
    """Check ``batchnorm_backward(x_hat, inverse_std, gamma, dy) -> dx, dgamma, dbeta``.

    An answer that is wrong in no known way gets the report of the gradient check.
    """
    rng = np.random.default_rng(4)
    x, dy = rng.normal(1, 2, (B, N)), rng.standard_normal((B, N))
    layer = _with_backward(batchnorm_backward)
    gamma = layer.params["gamma"]
    gamma[...] = rng.uniform(0.5, 2, N)
    layer.forward(x)
    x_hat, inverse_std = layer.x_hat, layer._inverse_std
    dx, dgamma, dbeta = ask(
        batchnorm_backward, x_hat, inverse_std, gamma, dy, parts="dx dgamma dbeta"
    )
    scale, mean, along = gamma * inverse_std, dy.mean(axis=0), x_hat * (dy * x_hat).mean(axis=0)
    right_dgamma = (dy * x_hat).sum(axis=0)
    right_dbeta = dy.sum(axis=0)
    compare("dbeta", dbeta, right_dbeta, {
        "lacks the sum over the batch: beta was added to every example": dy,
        "is divided by B: parameter gradients are sums here": right_dbeta / B,
    })
    compare("dgamma", dgamma, right_dgamma, {
        "lacks the sum over the batch: gamma served every example": dy * x_hat,
        "is divided by B: parameter gradients are sums here": right_dgamma / B,
        "lacks x_hat: gamma multiplied x_hat, so dy is weighted by it": right_dbeta,
    })
    known = {
        "treats mean and variance as constants: every example of the batch moves them, which gives "
        "two more terms": scale * dy,
        "lacks the term of the mean, - mean(dy)": scale * (dy - along),
        "lacks the term of the variance, - x_hat * mean(dy * x_hat)": scale * (dy - mean),
        "lacks the factor gamma": inverse_std * (dy - mean - along),
        "lacks the factor inverse_std": gamma * (dy - mean - along),
        "has sums over the batch where means belong":
            scale * (dy - B * mean - B * along),
    }
    try:
        compare("dx", dx, scale * (dy - mean - along), known)
    except AssertionError as error:
        if any(hint in str(error) for hint in known):
            raise
        report = check_layer(layer, x, np.random.default_rng(5))
        raise AssertionError(f"{error}\n{report}") from None
    check_layer(layer, x, np.random.default_rng(5)).raise_if_failed()
    well_done(batchnorm_backward, "It passes the gradient check as well.")


def _with_backward(backward: Callable) -> BatchNorm:
    """Return a BatchNorm whose backward pass is the student's."""
    class YourBatchNorm(BatchNorm):
        def backward(self, dy: np.ndarray) -> np.ndarray:
            dx, self.grads["gamma"][...], self.grads["beta"][...] = backward(
                self.x_hat, self._inverse_std, self.params["gamma"], dy
            )
            return dx
    return YourBatchNorm(N, dtype=np.float64)
