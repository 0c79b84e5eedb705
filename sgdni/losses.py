"""Losses. Each hands out the loss of every example and its gradient, **undivided** by B.

Gradients travel per example through the whole package (delta_i is the gradient of the per-example
loss), so what a synthetic-gradient model learns does not depend on the batch size.
"""

from __future__ import annotations

import numpy as np

from sgdni._util.arrays import flat_rows
from sgdni._util.checks import check_labels, check_matrix, check_same_shape


class Loss:
    """A function (h, y) -> (losses (B,), delta (B, n)); keeps no state between calls."""

    def __call__(self, h: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each example's loss and its gradient with respect to that example's row of h."""
        raise NotImplementedError


class SoftmaxCrossEntropy(Loss):
    """loss = -log softmax(h)[y], for integer labels y (B,); delta = softmax(h) - onehot(y).

    Of logits (T, B, classes) and labels (T, B) each row has a loss of its own.

    Computed from h minus its row maximum, so logits of any finite size are safe.

    Parameters
    ----------
    ignore_index : int, optional
        A negative number that stands where no label is: such rows have loss and delta 0.

    Raises
    ------
    ValueError
        For logits that are not (B, classes), and labels that are not (B,) integers in range, or
        either with more axes in front. For an `ignore_index` that could be a label.
    """

    def __init__(self, ignore_index: int | None = None) -> None:
        if ignore_index is not None and ignore_index >= 0:
            raise ValueError(f"ignore_index: expected a negative number, got {ignore_index}")
        self.ignore_index = ignore_index

    def __call__(self, h: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        check_matrix("SoftmaxCrossEntropy logits", h)
        ignored = None
        if self.ignore_index is not None:
            ignored = np.ravel(y == self.ignore_index)
            y = np.where(y == self.ignore_index, 0, y)
        check_labels("SoftmaxCrossEntropy labels", y, h.shape[:-1], h.shape[-1])
        shape, h, y = h.shape, flat_rows(h), np.ravel(y)
        rows = np.arange(len(h))
        z = h - h.max(axis=1, keepdims=True)
        delta = np.exp(z)
        total = delta.sum(axis=1, keepdims=True)
        losses = np.log(total[:, 0]) - z[rows, y]
        delta /= total
        delta[rows, y] -= 1
        if ignored is not None:
            losses[ignored], delta[ignored] = 0, 0
        return losses.reshape(shape[:-1]), delta.reshape(shape)


class MeanSquaredError(Loss):
    """loss = mean over the n outputs of (h - y)^2, for y (B, n); delta = 2 (h - y) / n.

    More axes in front, as in (T, B, n), make more losses.

    Raises
    ------
    ValueError
        Unless h and y have the same shape, of two axes at least.
    """

    def __call__(self, h: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        check_matrix("MeanSquaredError output", h)
        check_same_shape("MeanSquaredError target", y, h.shape)
        error = h - y
        losses = np.mean(error * error, axis=-1)
        delta = error * (2 / h.shape[-1])
        return losses, delta
