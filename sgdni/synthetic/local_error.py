"""An SG model with the structure of the true gradient: a local head's error times a matrix.

The papers' linear M guesses the gradient from scratch. The true one is an error carried back
through a Jacobian, delta = J(h)' (p - c). So here a local head supplies the error signal b, and
least squares find the matrix that turns it into the target gradients: delta^ = b P.

The parts are known. Local heads: Mostafa et al. 2018 (local errors, fixed random classifiers),
Nokland and Eidnes 2019 (trained ones), Belilovsky et al. 2020 (decoupled greedy learning). An SG
model with the structure of the gradient: Miyato et al. 2017. Forgotten least squares are the
textbook's. Nothing here is claimed as new.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from sgdni._util.arrays import flat_examples
from sgdni._util.checks import check_array, check_batch, check_range, check_same_shape
from sgdni._util.products import Product
from sgdni.synthetic.base import SyntheticGradient
from sgdni.synthetic.heads import Head, LinearHead


class LocalErrorSG(SyntheticGradient):
    """delta^ = b P: b (B, m) is the error signal of a local head, P (m, n) is fitted to targets.

    At every fit P minimises sum ||target - b P||^2 + rho * meandiag * ||P - W||^2, where the sum
    forgets the past, W are the head's own first weights (b W is the head's own gradient), and
    meandiag is the mean diagonal of the forgotten b'b. Since W goes on learning between two fits,
    P is kept as A + G W, with A from the targets and G from b alone: it is the minimiser for W as
    it stands. Until the first target P is W, for every rho: a module whose targets come late
    follows the local loss meanwhile.

    ``rho = inf`` is exactly the local loss: delta^ = b W, whatever the targets. ``rho = 0`` is the
    pure synthetic gradient, computed as its limit from above: b'b is often singular (the errors of
    a softmax add up to 0), so rho is never less than the root of the precision (1.5e-8 in float64,
    3.5e-4 in float32), which balances what it distorts against what rounding does.

    Parameters
    ----------
    head : Head
        Not shared with another model.
    rho : float >= 0, may be inf
    forgetting_factor : float in (0, 1]
        Of the past at every fit.

    Attributes
    ----------
    A (m, n), G (m, m) : arrays

    Raises
    ------
    ValueError
        For options out of range; for h, c or target of the wrong shape or dtype.
    """

    def __init__(self, head: Head, rho: float = 1.0, forgetting_factor: float = 0.9) -> None:
        check_range("rho", rho, 0, np.inf)
        check_range("forgetting_factor", forgetting_factor, 0, 1, open_low=True)
        self.head, self.rho, self.forgetting_factor = head, rho, forgetting_factor
        self.wants_targets = rho != np.inf
        self.n_context, self.context_kind = head.n_out, head.context_kind
        m, n, self.dtype = head.width, head.n, head.dtype
        self.A, self.G = np.zeros((m, n), self.dtype), np.eye(m, dtype=self.dtype)
        self._S, self._T = np.zeros_like(self.G), np.zeros_like(self.A)  # b'b, b'target, forgotten
        self._least_rho = float(np.sqrt(np.finfo(self.dtype).eps))
        self._square, self._P = np.empty_like(self.G), np.empty_like(self.A)
        self._delta: np.ndarray | None = None
        self._seen: np.ndarray | None = None  # the h that `predict` was last asked about

    @classmethod
    def at_interface(cls, n: int, n_classes: int, rng: np.random.Generator,
                     dtype: DTypeLike = np.float32) -> LocalErrorSG:
        """Return a model with a linear head."""
        return cls(LinearHead(n, n_classes, rng, dtype=dtype))

    @property
    def P(self) -> np.ndarray:
        """The map from b to delta^, (m, n), for the head's weights as they stand."""
        if self.rho == np.inf:
            return self.head.W
        np.matmul(self.G, self.head.W, out=self._P)
        self._P += self.A
        return self._P

    def predict(self, h: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        b = self._signal(h, c)
        self._seen = h
        if self._delta is None or len(self._delta) != len(h):
            self._delta = np.empty((len(h), self.head.n), self.dtype)
        return np.matmul(b, self.P, out=self._delta).reshape(h.shape)

    def learn_locally(self, h: np.ndarray, c: np.ndarray | None) -> None:
        """Take the head's own step. What `predict` has just computed for this h is used again."""
        if self._seen is not h:
            self._signal(h, c)
        self._seen = None
        self.head.learn()

    def fit(self, h: np.ndarray, c: np.ndarray | None, target: np.ndarray) -> None:
        """Fit P. A target may be late, and b belongs to its h: made anew by today's head."""
        check_same_shape("synthetic gradient's target", target, h.shape)
        self._seen = None
        if self.rho == np.inf:
            return
        b = self._signal(h, c)
        self._S *= self.forgetting_factor
        self._S += np.matmul(b.T, b, out=self._square)
        self._T *= self.forgetting_factor
        self._T += np.matmul(b.T, flat_examples(target), out=self._P)
        self._solve()

    def _solve(self) -> None:
        """(S + k I) P = T + k W, where S = b'b, T = b'target and k = rho * meandiag.

        All in units of meandiag: where errors fade, S is too small a number to be inverted.
        """
        m = self.head.width
        unit = float(np.trace(self._S)) / m
        if unit < np.finfo(self.dtype).tiny:  # no error, so far or any more: nothing to learn from
            return
        rho = max(self.rho, self._least_rho)
        regular = self._S / unit
        regular.ravel()[:: m + 1] += rho
        inverse = np.linalg.inv(regular)  # at this size the fastest way
        np.matmul(inverse, self._T / unit, out=self.A)
        np.multiply(inverse, rho, out=self.G)

    def _signal(self, h: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        check_array("synthetic gradient's h", h)
        h = flat_examples(h)
        check_batch("synthetic gradient's h", h, self.head.n, self.dtype)
        if c is None:
            raise ValueError(f"synthetic gradient's context: expected (B, {self.n_context}), "
                             f"got None")
        return self.head.signal(h, c)

    def products(self, batch_size: int) -> dict[str, list[Product]]:
        m, n, head = self.head.width, self.head.n, self.head.products(batch_size)
        predict = [*head["signal"], Product("delta", batch_size, m, n), *head["learn"]]
        if self.rho == np.inf:
            return {"predict": predict, "fit": []}
        return {"predict": [*predict, Product("P", m, m, n)],
                "fit": [*head["signal"], Product("S", m, batch_size, m, transposed="left"),
                        Product("T", m, batch_size, n, transposed="left"),
                        Product("solve", m, m, m, solve=True), Product("A", m, m, n)]}

    def state(self) -> dict[str, np.ndarray]:
        return {"A": self.A, "G": self.G, "S": self._S, "T": self._T,
                **{f"head.{name}": array for name, array in self.head.state().items()}}
