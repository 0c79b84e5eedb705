"""The auxiliary task of the paper: from a state, predict the synthetic gradient one window on.

An SG model can say of a state only what the state tells. So the network gets a loss of its own for
that (Jaderberg et al. 2016): from its state at the end of a window, a second model guesses the
synthetic gradient at the end of the next, and the guess's error is passed back into the network.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sgdni._util.checks import check_range
from sgdni.data.window import Window
from sgdni.networks import Network
from sgdni.schedules.divergence import DivergenceGuard
from sgdni.schedules.schedule import StepResult
from sgdni.schedules.truncated import Truncated
from sgdni.synthetic import LinearSG


class Waiting(NamedTuple):
    """A window that has run forward: what is known of its gradients, and of the state before it."""

    delta: np.ndarray  # of the outputs
    later: np.ndarray  # of the final state, from the SG model
    before: np.ndarray  # the state before, what the SG model knew of it besides, ...
    context: np.ndarray | None
    asked: np.ndarray  # ... and the streams for which it was asked


class Auxiliary(Truncated):
    """Truncated with an interface, and the loss weight / 2 ||G(state) - delta^ one window on||^2.

    The loss belongs to the end of a window, but its target is known only when the next has run
    forward. So the recurrent module learns **one window late**: the next window's forward pass is
    made with weights that lack one update. For that the module has a twin, with a memory of its
    own, and the two take turns. G is fitted to the same pairs. No loss passes an episode's end.

    Parameters
    ----------
    network, state, gamma : as for Truncated; there must be an interface
    ahead : LinearSG
        G, without a context: the loss is to make the *state* tell.
    weight : float >= 0

    Notes
    -----
    `state` does not hold the window that waits: a run from a checkpoint goes without one update.
    """

    def __init__(self, network: Network, state: np.ndarray, ahead: LinearSG, *, gamma: float = 1.0,
                 weight: float = 1.0, guard: DivergenceGuard | None = None) -> None:
        super().__init__(network, state, gamma=gamma, guard=guard)
        check_range("weight", weight, 0, np.inf, open_high=True)
        if not network.interfaces:
            raise ValueError("Auxiliary: expected an interface, which makes the targets")
        self.ahead, self.weight = ahead, weight
        self._other = network.modules[0].twin()
        self._waiting: Waiting | None = None

    def step(self, x: Window, y: np.ndarray) -> StepResult:
        h, state = self.forward(0, (x.inputs, self.carried, x.starts))
        for i in range(1, self.top + 1):
            h = self.forward(i, h)
        result, delta = self.loss(h, y)
        for i in range(self.top, 0, -1):
            delta = self.learn(i, delta, target=True)
        [c] = self.network.context(x, y)
        later = self.predict(0, state, c).copy()
        later[x.ends] = 0
        self._learn_late(later, self._goes_on & ~x.starts.any(axis=0) & ~x.ends)
        context = self._context.copy() if self._context.size else None
        self._waiting = Waiting(delta.copy(), self.gamma * later, self.carried.copy(), context,
                                self._goes_on.copy())
        self._remember(state, [c], x.ends)
        return result

    def _learn_late(self, predicted: np.ndarray, rows: np.ndarray) -> None:
        """Go back through the window before; `predicted` is its target in the rows that go on."""
        modules = self.network.modules
        modules[0], self._other = self._other, modules[0]
        if self._waiting is None:
            return
        delta, later, before, context, asked = self._waiting
        if rows.any():
            h = self.carried[rows]
            error = self.ahead.predict(h, None) - predicted[rows]
            later[rows] += self.weight * (error @ self.ahead.A.T)
            self.ahead.fit(h, None, predicted[rows])
        _, target = self.learn(0, (delta, later), target=False)
        if asked.any():
            self.fit(0, before[asked], None if context is None else context[asked], target[asked])

    def own_state(self) -> dict[str, np.ndarray]:
        return {**super().own_state(),
                **{f"ahead.{name}": array for name, array in self.ahead.state().items()}}
