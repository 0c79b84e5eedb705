"""Rules that carry an error down without the weights above, as models of the gradient.

Feedback alignment and its kin say what becomes of an error on its way down: delta = e P, with a P
that is random, or has the signs or a small part of what backpropagation would use. Czarnecki et
al. 2017 see them as synthetic gradients that are given the error. Where modules are
decoupled it is not there yet when a module learns, so the error is that of the module's own local
head, as in `local_error`; what the rule takes P from is either nothing from above or the targets,
when they come:

- direct feedback: P random and fixed. Wants no targets.
- feedback alignment: the same through every layer of a head that has more than one, which stands in
  for the modules above. Targets come through the very weights that the rule does without.
- sign-symmetric: of the best P for the targets, the signs.
- Kickback: of the best P for the targets, one number a unit.

The local loss (P from the head) and local error (the best P) are `LocalErrorSG` itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from sgdni.layers import Dense, ReLU
from sgdni.synthetic.heads import Head, LinearHead
from sgdni.synthetic.local_error import LocalErrorSG

HEAD_UNITS = 64


class DirectFeedbackSG(LocalErrorSG):
    """delta^ = b B, with a fixed random B (m, n): direct feedback alignment (Nøkland 2016).

    Parameters
    ----------
    head : Head
        Linear, so that b is the error itself, or it is no direct feedback.
    rng : numpy.random.Generator
        Draws B, with rows of length 1 on average: the scale of a gradient.
    """

    wants_targets = False

    def __init__(self, head: Head, rng: np.random.Generator) -> None:
        super().__init__(head, rho=np.inf)
        self.B = _random(head.width, head.n, rng, head.dtype)

    @classmethod
    def at_interface(cls, n: int, n_classes: int, rng: np.random.Generator,
                     dtype: DTypeLike = np.float32) -> DirectFeedbackSG:
        return cls(LinearHead(n, n_classes, rng, dtype=dtype), rng)

    @property
    def P(self) -> np.ndarray:
        return self.B


class FeedbackAlignmentSG(DirectFeedbackSG):
    """delta^ = ((e B_2) * (a > 0)) B: feedback alignment (Lillicrap et al. 2016).

    Of a head with one hidden layer a, so that there is something to be passed through: with a
    linear one it is direct feedback. The head itself learns by feedback alignment, too.
    """

    @classmethod
    def at_interface(cls, n: int, n_classes: int, rng: np.random.Generator,
                     dtype: DTypeLike = np.float32) -> FeedbackAlignmentSG:
        layers = [Dense(n, HEAD_UNITS, rng, dtype=dtype), ReLU(),
                  _Feedback(HEAD_UNITS, n_classes, rng, dtype=dtype)]
        layers[2].params["W"][...] = 0  # as of every head
        return cls(Head(layers, n_classes), rng)


class SignSymmetricSG(LocalErrorSG):
    """delta^ = s b sign(P), for the best P of local error (Liao, Leibo and Poggio 2016).

    Of what is above only signs come down; s is the mean size of P's entries.
    """

    @property
    def P(self) -> np.ndarray:
        best = super().P
        return np.abs(best).mean() * np.sign(best)


class KickbackSG(LocalErrorSG):
    """delta^_j = tau_j e_k, where unit j hears of one class's error only, k = j modulo classes.

    After Kickback (Balduzzi, Vanchinathan and Buhmann 2015): one error for all units of a kind,
    times the unit's influence tau_j on it. Here tau_j is the regression of the targets on that
    error, kept near the head's own weight as local error keeps P.
    """

    def __init__(self, head: Head, rho: float = 1.0, forgetting_factor: float = 0.9) -> None:
        super().__init__(head, rho, forgetting_factor)
        m, n = head.width, head.n
        self._heard = (np.arange(m)[:, None] == np.arange(n) % m).astype(self.dtype)

    @property
    def P(self) -> np.ndarray:
        return self._heard * super().P

    def _solve(self) -> None:
        """As for P, each entry on its own: (s + k) tau = t + k w."""
        s = np.diag(self._S)
        k = max(self.rho, self._least_rho) * s.mean()
        if s.mean() < np.finfo(self.dtype).tiny:
            return
        np.divide(self._T, (s + k)[:, None], out=self.A)
        self.G[...] = np.diag(k / (s + k))


class _Feedback(Dense):
    """A dense layer whose error goes down by a fixed random matrix in place of its weights."""

    def __init__(self, n_in: int, n_out: int, rng: np.random.Generator, **options: Any) -> None:
        super().__init__(n_in, n_out, rng, **options)
        self.B = _random(n_out, n_in, rng, self.dtype)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        self.backward_params(dy)
        return np.matmul(dy, self.B, out=self.scratch("dx", self._x.shape, self.dtype))


def _random(m: int, n: int, rng: np.random.Generator, dtype: DTypeLike) -> np.ndarray:
    return (rng.standard_normal((m, n)) / np.sqrt(n)).astype(dtype)
