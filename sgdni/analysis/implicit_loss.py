"""Which loss does a model of the gradient imply?

Whoever follows delta^ = M(h, c) descends a loss of its own, if there is one whose gradient M is.
Along a line in h there always is: the integral of M's slope. In the whole space of h there is one
only if M's Jacobian is symmetric; its antisymmetric part turns in circles and lowers no loss. A
linear M implies a parabola (Czarnecki et al. 2017), with labels one for each class.

Every function takes any SyntheticGradient, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sgdni._util.checks import check_same_shape
from sgdni.losses import Loss
from sgdni.networks import Module
from sgdni.synthetic import SyntheticGradient


def along(model: SyntheticGradient, h: np.ndarray, c: np.ndarray | None, direction: np.ndarray,
          amounts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the slope (T,) of the loss that a model implies along a line, and the loss (T,).

    Parameters
    ----------
    model : SyntheticGradient
    h : (n,), a point of the line
    c : (n_context,) or None, the context there
    direction : (n,)
    amounts : (T,), increasing: the points are h + t direction

    The loss is the integral of the slope by the trapezoid rule, so exact for a linear model; it is
    0 where it is least.

    Raises
    ------
    ValueError
        For a direction that is not shaped as h.
    """
    check_same_shape("direction", direction, h.shape)
    points = _line(h, direction, amounts)
    context = None if c is None else np.repeat(c[None], len(amounts), axis=0)
    slope = (model.predict(points, context) @ direction).astype(float)
    pieces = np.diff(amounts) * (slope[1:] + slope[:-1]) / 2
    loss = np.concatenate([[0.0], np.cumsum(pieces)])
    return slope, loss - loss.min()


def true_along(above: Sequence[Module], loss: Loss, h: np.ndarray, y: np.ndarray,
               direction: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Return the true loss (T,) along the same line, for the modules above it as they are.

    y is the label, or the values, of one example, as an array without the batch's axis. The
    modules run in evaluation mode.
    """
    check_same_shape("direction", direction, h.shape)
    points = _line(h, direction, amounts)
    for module in above:
        points = module.forward(points, training=False)
    losses, _ = loss(points, np.repeat(np.asarray(y)[None], len(amounts), axis=0))
    return losses.copy()


def jacobian(model: SyntheticGradient, h: np.ndarray, c: np.ndarray | None, step: float = 1e-4
             ) -> np.ndarray:
    """Return dM/dh (n, n) at h (n,) and c, row j being the change of M with h_j.

    By central differences, exact for a linear model up to rounding: use a model in float64.
    """
    n = len(h)
    moves = step * np.eye(n, dtype=h.dtype)
    context = None if c is None else np.repeat(c[None], 2 * n, axis=0)
    found = model.predict(np.concatenate([h + moves, h - moves]), context)
    return (found[:n] - found[n:]) / (2 * step)


def antisymmetric_share(J: np.ndarray) -> float:
    """Return ||(J - J') / 2|| / ||J||: how much of a Jacobian implies no loss at all.

    J (n, n), or (..., n, n) for many, whose squares add up. 0 for the Jacobian of any gradient, 1
    for a pure turn, about .71 for a random matrix; NaN for zeros, which say nothing.
    """
    check_same_shape("Jacobian", J, (*J.shape[:-1], J.shape[-2]))
    norm = np.linalg.norm(J)
    return float(np.linalg.norm(J - np.swapaxes(J, -1, -2)) / (2 * norm)) if norm else np.nan


def _line(h: np.ndarray, direction: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    return (h + np.outer(amounts, direction)).astype(h.dtype)
