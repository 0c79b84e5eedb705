"""Notice when numbers explode, and say where and what to try.

Synthetic gradients can feed on themselves: between two targets nothing holds the scale of h, and
an SG model that is linear in h returns gradients that grow with it. NaN carried on silently would
look like a bad result instead of a broken run.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sgdni._util.arrays import Arrays, each

ADVICE = (
    "Try a smaller learning rate, or batch normalisation; with synthetic gradients also fewer "
    "interfaces, or a fit on every step"
)


class DivergenceError(ArithmeticError):
    """Training broke down. The message names the place; `history` holds the epochs before it.

    Attributes
    ----------
    module : int or None
        Counted from 1 at the bottom; None for the loss.
    quantity : str
        What exploded: "activations", "gradients" or "loss".
    value : float
        Its root mean square (for the loss: itself).
    epoch, step : int or None
        Counted from 1; set by the epoch loop.
    history : list of EpochRecord
        The epochs that were finished.
    """

    def __init__(self, quantity: str, value: float, limit: float, module: int | None) -> None:
        super().__init__(quantity, value, limit, module)
        self.quantity, self.value, self.limit, self.module = quantity, value, limit, module
        self.epoch: int | None = None
        self.step: int | None = None
        self.history: list[Any] = []

    def __str__(self) -> str:
        when = f"epoch {self.epoch}, step {self.step}: " if self.epoch is not None else ""
        where = f" of module {self.module}" if self.module is not None else ""
        kind = "" if self.quantity == "loss" else "root mean square "
        return (
            f"{when}training diverged: {self.quantity}{where} reached {kind}{self.value:.3g} "
            f"(limit {self.limit:.3g}). {ADVICE}."
        )


class DivergenceGuard:
    """Raises DivergenceError when a root mean square passes `limit` or is not finite."""

    def __init__(self, limit: float = 1e6) -> None:
        self.limit = limit

    def check(self, module: int, quantity: str, arrays: Arrays) -> None:
        """Check the arrays of `module` (counted from 1); costs one pass over them."""
        for array in each(arrays):
            mean_square = float(np.vdot(array, array)) / array.size
            if not mean_square <= self.limit**2:  # written so that NaN fails
                raise DivergenceError(quantity, mean_square**0.5, self.limit, module)

    def check_loss(self, loss: float) -> None:
        """Check the mean loss of a minibatch."""
        if not abs(loss) <= self.limit:
            raise DivergenceError("loss", loss, self.limit, None)
