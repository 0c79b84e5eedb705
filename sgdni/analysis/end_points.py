"""Where training with a linear synthetic gradient comes to rest, predicted, and where it should.

Let a layer h = x W + w be trained by delta^ = h A + c C + b, the least-squares fit to the true
gradient delta (full batch, converged). Where W rests, x' delta^ = 0 and 1' delta^ = 0; so, A being
invertible, h lies in the span of 1 and of c projected on x, the **least-squares classifier's
outputs**. And delta - delta^ is orthogonal to h, so h' delta = h' delta^ = 0: among all functions
of those outputs the loss is at its optimum. For a squared error that is the optimum over x, too.
For a log loss it is the logistic regression *on the least-squares classifier's outputs*, and as a
rule not the one on x.

A softmax's A is not invertible, since the rows of delta add up to 0: there it holds for an output
layer that starts at zero.

Critical points of synthetic gradients: Czarnecki et al. 2017. float64 throughout.
"""

from __future__ import annotations

import numpy as np

from sgdni._util.checks import check_labels, check_matrix, check_same_shape
from sgdni.losses import SoftmaxCrossEntropy

MOST_STEPS = 100
ROUNDING = 1e-14  # of a sum of losses


def basis(x: np.ndarray) -> np.ndarray:
    """Return orthonormal columns (N, m) that span those of x (N, d) and the constant."""
    check_matrix("end point's x", x)
    u, s, _ = np.linalg.svd(np.column_stack([x, np.ones(len(x))]), full_matrices=False)
    return u[:, s > 1e-10 * s[0]]


def least_squares_outputs(x: np.ndarray, c: np.ndarray, rank: int | None = None) -> np.ndarray:
    """Return the best affine guess (N, k) at c (N, k) from x (N, d), for the squared error.

    With `rank`, the best x W + w whose W has no more than that rank (reduced-rank regression): the
    optimum of a linear network with so narrow a layer in it.
    """
    check_same_shape("end point's c", c, (len(x), *c.shape[1:]))
    u = basis(x)
    guess = u @ (u.T @ c)
    if rank is None:
        return guess
    mean = guess.mean(axis=0)
    left, s, right = np.linalg.svd(guess - mean, full_matrices=False)
    return mean + (left[:, :rank] * s[:rank]) @ right[:rank]


def best_logits(x: np.ndarray, y: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the logits (N, classes) of the logistic regression of y (N,) on x (N, d).

    By Newton's method, each step halved until it lowers the loss; the first class's logit is 0.

    Raises
    ------
    ValueError
        For labels out of range, and where there is no optimum because x separates the classes.
    """
    check_labels("end point's y", y, (len(x),), n_classes)
    u, loss = basis(x), SoftmaxCrossEntropy()
    m, free = u.shape[1], n_classes - 1
    logits = np.zeros((len(x), n_classes))
    losses, delta = loss(logits, y)
    for _ in range(MOST_STEPS):
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p = (p / p.sum(axis=1, keepdims=True))[:, 1:]
        # The Hessian in blocks, a row and a column of them for each class but the first.
        hessian = np.block([[(u.T * (p[:, j] * ((j == k) - p[:, k]))) @ u for k in range(free)]
                            for j in range(free)])
        gradient = (u.T @ delta[:, 1:]).T.ravel()
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        if gradient @ step < 1e-22 * len(x):  # twice what is still to be gained
            return logits
        change = np.column_stack([np.zeros(len(x)), u @ step.reshape(free, m).T])
        for _ in range(50):
            new_losses, new_delta = loss(logits - change, y)
            if new_losses.sum() <= losses.sum() * (1 + ROUNDING):  # near the end it hides the gain
                break
            change /= 2
        else:  # down to rounding
            return logits
        logits, losses, delta = logits - change, new_losses, new_delta
    raise ValueError(f"end point: no optimum in {MOST_STEPS} steps; expected classes that overlap, "
                     f"got some that x separates")


def predicted_logits(x: np.ndarray, y: np.ndarray, n_classes: int) -> np.ndarray:
    """Return the logits (N, classes) where a linear SG on a log loss ends, from x (N, d), y (N,).

    Those of the best logistic regression on the least-squares classifier's outputs.
    """
    check_labels("end point's y", y, (len(x),), n_classes)
    return best_logits(least_squares_outputs(x, np.eye(n_classes)[y]), y, n_classes)
