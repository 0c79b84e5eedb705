"""What the minibatches of training are made of."""

from __future__ import annotations

import numpy as np

from sgdni._util.checks import check_same_shape
from sgdni.data.pixels import scale_pixels


class Examples:
    """The rows of x (N, ...) and of y (N,), each once in a pass.

    A pass is an order of examples, cut into minibatches. `take` makes arrays of any part of an
    order, so that workers can share a minibatch before anything is copied.

    Attributes
    ----------
    shape : tuple of int
        Number of examples in a pass, and the shape of one.

    Raises
    ------
    ValueError
        Unless there are as many labels as rows.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        check_same_shape("y", y, (len(x), *y.shape[1:]))
        self.x, self.y, self.shape = x, y, x.shape

    def order(self, rng: np.random.Generator) -> np.ndarray:
        """Draw the examples of a pass; the first axis counts them."""
        return rng.permutation(len(self.x))

    def take(self, order: np.ndarray, out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return x, scaled and written to `out` (B, ...), and y (B,), for B of an order."""
        return scale_pixels(self.x[order], out.dtype, out=out), self.y[order]
