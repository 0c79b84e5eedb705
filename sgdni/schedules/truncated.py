"""Truncated backpropagation through time, and an interface in time that sees what it cuts off.

A stream comes in windows of T steps. A window is one forward pass of the recurrent module, the
state goes on to the next, and the gradient stops where the window began: what an input did to
losses more than T steps later is never learned (Williams and Peng 1990). An SG model at the end
of the window stands for all that comes after (Jaderberg et al. 2016).
"""

from __future__ import annotations

import numpy as np

from sgdni._util.checks import check_range
from sgdni.data.window import Window
from sgdni.networks import Network
from sgdni.schedules.divergence import DivergenceGuard
from sgdni.schedules.schedule import Schedule, StepResult


class Truncated(Schedule):
    """Window by window; with an interface, the gradient of all later losses comes from its model.

    The network's lowest module is recurrent, (inputs, state, starts) to (outputs, state); the
    modules above read its outputs. In time the picture is that of Decoupled: the interface stands
    at the state after the window, `predict` gives delta of that state, and the gradient that
    `learn` returns for the state *before* the window is the target of what was predicted one
    window earlier, bootstrapped, since it contains what is predicted at this window's end.

    Parameters
    ----------
    network : Network
        With one interface above the lowest module, or none: truncated backpropagation.
    state : ndarray (B, m)
        Of the recurrent module, before the first window.
    gamma : float in [0, 1]
        Factor on what the SG model says, where it is used and so in its targets: losses of the
        next window count fully, those of the k-th one gamma^(k - 1).

    Raises
    ------
    ValueError
        For options out of range, more than one interface, and windows of other streams.
    """

    def __init__(self, network: Network, state: np.ndarray, *, gamma: float = 1.0,
                 guard: DivergenceGuard | None = None) -> None:
        super().__init__(network, guard)
        check_range("gamma", gamma, 0, 1)
        if len(network.interfaces) > 1:
            raise ValueError(f"Truncated: expected one interface, in time, or none, got "
                             f"{len(network.interfaces)}")
        self.gamma, self.carried = gamma, state.copy()
        # Of the latest window: the context of what was predicted, and whether its episodes go on.
        width = network.interfaces[0].model.n_context if network.interfaces else 0
        self._context = np.zeros((len(state), width), state.dtype)
        self._goes_on = np.zeros(len(state), bool)

    def step(self, x: Window, y: np.ndarray) -> StepResult:
        h, state = self.forward(0, (x.inputs, self.carried, x.starts))
        for i in range(1, self.top + 1):
            h = self.forward(i, h)
        result, delta = self.loss(h, y)
        for i in range(self.top, 0, -1):
            delta = self.learn(i, delta, target=True)
        c = self.network.context(x, y)
        later = self.gamma * self.predict(0, state, c[0]) if c else np.zeros_like(state)
        later[x.ends] = 0
        _, target = self.learn(0, (delta, later), target=False)  # the state's comes for nothing
        if c:
            self._teach(target)
        self._remember(state, c, x.ends)
        return result

    def _teach(self, target: np.ndarray) -> None:
        """Fit the model to what became of the states that it was asked about one window ago."""
        rows = self._goes_on
        if rows.any():
            context = self._context[rows] if self._context.size else None
            self.fit(0, self.carried[rows], context, target[rows])

    def _remember(self, state: np.ndarray, c: list[np.ndarray | None], ends: np.ndarray) -> None:
        self.carried[...] = state
        if c and c[0] is not None:
            self._context[...] = c[0]
        np.logical_not(ends, out=self._goes_on)

    def own_state(self) -> dict[str, np.ndarray]:
        return {"carried": self.carried, "context": self._context, "goes_on": self._goes_on}
