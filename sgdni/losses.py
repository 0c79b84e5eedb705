"""Losses. Each hands out the loss of every example and its gradient, **undivided** by B.

Gradients travel per example through the whole package (delta_i is the gradient of the per-example
loss), so what a synthetic-gradient model learns does not depend on the batch size.
"""

from __future__ import annotations

import numpy as np

from sgdni.checks import check_batch, check_labels, check_same_shape


class Loss:
    """A function (h, y) -> (losses (B,), delta (B, n)); keeps no state between calls."""

    def __call__(self, h: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each example's loss and its gradient with respect to that example's row of h."""
        raise NotImplementedError


class SoftmaxCrossEntropy(Loss):
    """loss = -log softmax(h)[y], for integer labels y (B,); delta = softmax(h) - onehot(y).

    Computed from h minus its row maximum, so logits of any finite size are safe.

    Raises
    ------
    ValueError
        For logits that are not (B, classes), and labels that are not (B,) integers in range.
    """

    def __call__(self, h: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        check_batch("SoftmaxCrossEntropy logits", h, None, None)
        check_labels("SoftmaxCrossEntropy labels", y, len(h), h.shape[1])
        rows = np.arange(len(h))
        z = h - h.max(axis=1, keepdims=True)
        delta = np.exp(z)
        total = delta.sum(axis=1, keepdims=True)
        losses = np.log(total[:, 0]) - z[rows, y]
        delta /= total
        delta[rows, y] -= 1
        return losses, delta


class MeanSquaredError(Loss):
    """loss = mean over the n outputs of (h - y)^2, for y (B, n); delta = 2 (h - y) / n.

    Raises
    ------
    ValueError
        Unless h is (B, n) and y has the same shape.
    """

    def __call__(self, h: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        check_batch("MeanSquaredError output", h, None, None)
        check_same_shape("MeanSquaredError target", y, h.shape)
        error = h - y
        losses = np.mean(error * error, axis=1)
        delta = error * (2 / h.shape[1])
        return losses, delta
