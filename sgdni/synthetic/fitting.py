"""Two ways to fit W so that F W is near the target gradients: gradient steps, or least squares.

Both minimise the squared error per example, ||f W - delta||^2. The papers take gradient steps. But
a linear model is a linear regression, so its best weights for the recent past have a closed form.
"""

from __future__ import annotations

import numpy as np

from sgdni._util.checks import check_count, check_range
from sgdni._util.products import Product
from sgdni.optimizers import Optimizer
from sgdni.synthetic.cholesky import solve_positive_definite


class FitError(ArithmeticError):
    """An SG model cannot be fitted to what it was given."""


class Fit:
    """Keeps W (m, n) near the best map from features F (B, m) to targets (B, n).

    `state` holds every array that `update` changes apart from W itself.
    """

    state: dict[str, np.ndarray]

    def bind(self, W: np.ndarray) -> None:
        """Take charge of W, which is changed in place from then on."""
        raise NotImplementedError

    def update(self, F: np.ndarray, target: np.ndarray) -> None:
        """Learn from one minibatch. Neither array is kept or altered."""
        raise NotImplementedError

    def gradient(self, F: np.ndarray, target: np.ndarray) -> np.ndarray | None:
        """Return the gradient that `update` follows, or None if it follows none."""
        return None

    def products(self, batch_size: int, m: int, n: int) -> list[Product]:
        """Return the matrix products of one update, on average."""
        raise NotImplementedError


class GradientFit(Fit):
    """One optimiser step on the mean over the batch of ||f W - delta||^2 / 2.

    Parameters
    ----------
    optimizer : Optimizer
        For example ``Adam(1e-3)``.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    def bind(self, W: np.ndarray) -> None:
        self.W = W
        self.optimizer.bind({"W": W})
        self.state = self.optimizer.state
        self._gradient = np.empty_like(W)

    def gradient(self, F: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the gradient of sum(||f W - delta||^2) / 2 with respect to W, over the batch."""
        error = np.matmul(F, self.W)
        error -= target
        return np.matmul(F.T, error, out=self._gradient)

    def update(self, F: np.ndarray, target: np.ndarray) -> None:
        self.optimizer.step({"W": self.gradient(F, target)}, scale=1 / len(F))

    def products(self, batch_size: int, m: int, n: int) -> list[Product]:
        return [Product("residual", batch_size, m, n),
                Product("gradient", m, batch_size, n, transposed="left")]


class LeastSquaresFit(Fit):
    """Exponentially forgotten least squares, solved again every few updates.

    Keeps S <- f S + F'F and T <- f T + F'Delta, f being the forgetting factor, and solves
    (S + ridge * mean(diag S) * I) W = T.

    Parameters
    ----------
    forgetting_factor : float in (0, 1]
        f: the past weighs f^k after k updates, so about 1 / (1 - f) minibatches are remembered. 1
        forgets nothing.
    ridge : float >= 0
        Relative to the mean diagonal of S. Above 0 except for exact problems: one-hot labels and
        the constant 1 are collinear, so without it S is singular.
    solve_every : int
        Updates between two solutions (S and T see every one of them). At the start solutions
        come at updates 1, 2, 4, 8 ... until that many lie between.
    """

    def __init__(self, forgetting_factor: float = 0.98, ridge: float = 1e-3,
                 solve_every: int = 8) -> None:
        check_range("forgetting_factor", forgetting_factor, 0, 1, open_low=True)
        check_range("ridge", ridge, 0, np.inf, open_high=True)
        check_count("solve_every", solve_every)
        self.forgetting_factor, self.ridge = forgetting_factor, ridge
        self.solve_every = solve_every

    def bind(self, W: np.ndarray) -> None:
        self.W = W
        m, n = W.shape
        self.state = {"moments": np.zeros((m, m + n), W.dtype), "updates": np.zeros((), np.int64)}
        self._latest = np.empty((m, m + n), W.dtype)
        self._columns: np.ndarray | None = None

    def update(self, F: np.ndarray, target: np.ndarray) -> None:
        moments, m = self.state["moments"], F.shape[1]
        # [S, T] in one product: F' [F, Delta]
        if self._columns is None or len(self._columns) != len(F):
            self._columns = np.empty((len(F), m + target.shape[1]), F.dtype)
        self._columns[:, :m] = F
        self._columns[:, m:] = target
        np.matmul(F.T, self._columns, out=self._latest)
        moments *= self.forgetting_factor
        moments += self._latest
        self.state["updates"] += 1
        if self._solution_due(int(self.state["updates"])):
            self.solve()

    def products(self, batch_size: int, m: int, n: int) -> list[Product]:
        return [Product("moments", m, batch_size, m + n, transposed="left"),
                Product("solve", m, m, n, 1 / self.solve_every, solve=True)]

    def solve(self) -> None:
        """Set W to the ridge solution for the sums as they stand.

        Raises FitError when S turns out singular, which a ridge above 0 prevents (without one,
        rounding may hide it).
        """
        m = len(self.W)
        S, T = self.state["moments"][:, :m].copy(), self.state["moments"][:, m:]
        S[np.diag_indices(m)] += self.ridge * np.trace(S) / m
        try:
            self.W[...] = solve_positive_definite(S, T)
        except np.linalg.LinAlgError:
            raise FitError(
                f"least-squares fit: the normal equations are singular with ridge {self.ridge:g}; "
                f"choose a larger one"
            ) from None

    def _solution_due(self, updates: int) -> bool:
        starting = updates < self.solve_every and updates & (updates - 1) == 0  # a power of two
        return starting or updates % self.solve_every == 0
