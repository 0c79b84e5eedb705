"""BP(lambda): an SG model in time that learns at every step from an eligibility trace.

After Pemberton and Costa (TMLR 2024), who carry TD(lambda) over to gradients; the derivation here
is our own, for M linear in its features. Row vectors; step t of B streams has

| symbol | meaning | shape |
|---|---|---|
| h_t, f_t = [h_t, c_t, 1] | the state, and the model's features of it | (B, n), (B, m) |
| M_t = f_t W | what is predicted of all losses after step t, by h_t | (B, n), W (m, n) |
| l_t | gradient of step t's own loss by h_t | (B, n) |
| J_t | J_t[j, i] = d h_{t+1, j} / d h_{t, i}, a row times it goes one step back | (B, n, n) |

One step is known for certain and the rest is predicted, so M_t's error seems to be

    epsilon_t = (l_{t+1} + gamma M_{t+1}) J_t - M_t                                 the TD error

Later steps know better. The lambda-return G_t = (l_{t+1} + gamma ((1 - lambda) M_{t+1} + lambda
G_{t+1})) J_t mixes what all of them say, and unrolling it leaves a sum of TD errors:

    G_t - M_t = sum over s >= t of (gamma lambda)^(s - t) epsilon_s J_{s-1} ... J_t

A gradient step on |G_t - M_t|^2 / 2, G held constant, is f_t' (G_t - M_t). Summed over t and sorted
by s, each epsilon_s meets one array that holds all the past, the trace e_s (B, m, n, n):

    e_s[., a, j, i] = gamma lambda sum_k J_{s-1}[., j, k] e_{s-1}[., a, k, i] + f_s[., a] [i = j]
    change of W[a, i] = rate * mean over B of sum_j epsilon_s[., j] e_s[., a, j, i]

So nothing waits for the future. The price is m n^2 numbers a stream: for small n only.
"""

from __future__ import annotations

import numpy as np

from sgdni._util.checks import check_range, check_same_shape
from sgdni.optimizers import Optimizer
from sgdni.synthetic.linear import LinearSG


class TraceFit:
    """Fits a LinearSG step by step along a stream, by TD(lambda).

    Parameters
    ----------
    model : LinearSG
        Whose W this changes; its own fit is left unused.
    optimizer : Optimizer
        Bound to W here. `SGD` makes the changes above.
    lam : float in [0, 1]
        0 is one-step bootstrapping, as with GradientFit; 1 learns from the true gradient alone,
        when all is done.
    gamma : float in [0, 1]
        Factor on what is predicted; at 1 later losses count fully.
    """

    def __init__(self, model: LinearSG, optimizer: Optimizer, lam: float, gamma: float = 1.0
                 ) -> None:
        check_range("lam", lam, 0, 1)
        check_range("gamma", gamma, 0, 1)
        self.model, self.optimizer, self.lam, self.gamma = model, optimizer, lam, gamma
        optimizer.bind({"W": model.W})
        self._features: np.ndarray  # of the latest state, and
        self._trace: np.ndarray  # the sum over the past; both made by `start`

    def start(self, h: np.ndarray, c: np.ndarray | None = None) -> None:
        """Begin all streams anew at h (B, n)."""
        self._features = self.model.features(h, c).copy()
        self._trace = self._now()

    def step(self, jacobian: np.ndarray, loss_gradient: np.ndarray, h: np.ndarray,
             c: np.ndarray | None = None, *, ends: np.ndarray | None = None) -> None:
        """Learn from one step of all streams, to state h.

        Parameters
        ----------
        jacobian : (B, n, n), d h_j / d (state before)_i
        loss_gradient : (B, n), of this step's loss by h
        h, c : (B, n) and (B, n_context) or None
        ends : (B,) of bool, optional
            Where nothing comes after this step; `h` is then where the stream's next episode
            begins, of which the last one knew nothing: its loss gradient is the old state's.
        """
        check_same_shape("TraceFit jacobian", jacobian, (*h.shape, h.shape[1]))
        check_same_shape("TraceFit loss gradient", loss_gradient, h.shape)
        goes_on = np.ones(len(h), h.dtype) if ends is None else (~ends).astype(h.dtype)
        features, W = self.model.features(h, c), self.model.W
        known = loss_gradient + self.gamma * goes_on[:, None] * (features @ W)
        error = np.matmul(known[:, None], jacobian)[:, 0] - self._features @ W
        gradient = -np.einsum("bj,baji->ai", error, self._trace)
        self.optimizer.step({"W": gradient}, scale=1 / len(h))

        trace = np.matmul(jacobian[:, None], self._trace)
        trace *= self.gamma * self.lam * goes_on[:, None, None, None]
        self._features[...] = features
        np.add(trace, self._now(), out=self._trace)

    def _now(self) -> np.ndarray:
        """Return f[., a] [i = j], (B, m, n, n): what this step adds to the trace."""
        return self._features[:, :, None, None] * np.eye(self.model.n, dtype=self.model.dtype)

    def state(self) -> dict[str, np.ndarray]:
        """Every array that learning changes apart from the model's, live; from `start` on."""
        return {"features": self._features, "trace": self._trace, **self.optimizer.state}
