"""Decoupled neural interfaces, the modules taking turns in one thread (sequential DNI).

Each module updates as soon as it has run forward, from a synthetic gradient; only the top one sees
the real loss. Nothing is faster for it in one thread, since the same products are computed and M's
come on top. What it shows is what the learning is worth, and it is the reference that the
asynchronous schedule must reproduce.
"""

from __future__ import annotations

import numpy as np

from sgdni._util.checks import check_count, check_range
from sgdni.networks import Network
from sgdni.schedules.divergence import DivergenceGuard
from sgdni.schedules.schedule import Schedule, StepResult


class Decoupled(Schedule):
    """Module by module, bottom to top: forward, update, and a target for the SG model below.

    Jaderberg et al. 2016: M_{i-1} is fitted to what module i's own error signal, true
    at the top and synthetic elsewhere (bootstrapped), becomes at its input.

    Parameters
    ----------
    network : Network
        With an interface between any two modules.
    fit_every : int
        M is fitted on every k-th step; on the others the modules above the lowest save the
        product that makes the target.
    update_probability : float in (0, 1]
        Each module learns from a minibatch with this probability (its forward pass always runs),
        independently of the others: stochastic updates.
    rng : numpy.random.Generator
        Needed when `update_probability` is below 1.

    Raises
    ------
    ValueError
        Unless an interface is between any two modules, and for options out of range.
    """

    def __init__(self, network: Network, *, fit_every: int = 1, update_probability: float = 1.0,
                 rng: np.random.Generator | None = None,
                 guard: DivergenceGuard | None = None) -> None:
        super().__init__(network, guard)
        check_count("fit_every", fit_every)
        check_range("update_probability", update_probability, 0, 1, open_low=True)
        if len(network.interfaces) != self.top:
            raise ValueError(
                f"Decoupled: expected {self.top} interfaces with SG models, one below each module "
                f"but the lowest, got {len(network.interfaces)}"
            )
        if update_probability < 1 and rng is None:
            raise ValueError("Decoupled: update_probability below 1 needs a random generator")
        self.fit_every, self.update_probability, self.rng = fit_every, update_probability, rng
        self._steps = np.zeros((), np.int64)

    def step(self, x: np.ndarray, y: np.ndarray) -> StepResult:
        c, updates, step = self.network.context(x, y), self.update_mask(), int(self._steps)
        h = x
        for i in range(len(self.network.modules)):
            h_below, h = h, self.forward(i, h)
            if i == self.top:
                result, delta = self.loss(h, y)
            elif updates[i]:
                delta = self.predict(i, h, c[i])
            target = self.learn(i, delta if updates[i] else None,
                                target=self.wants_target(i - 1, step))
            if target is not None:
                self.fit(i - 1, h_below, c[i - 1], target)
        self._steps += 1
        return result

    def update_mask(self) -> np.ndarray:
        """Draw which modules learn from a minibatch: (K,) of bool."""
        modules = len(self.network.modules)
        if self.rng is None or self.update_probability == 1:
            return np.ones(modules, bool)
        return self.rng.random(modules) < self.update_probability

    def wants_target(self, i: int, step: int) -> bool:
        """Whether interface i, if there is one, wants a target in this step."""
        return (i >= 0 and step % self.fit_every == 0
                and self.network.interfaces[i].model.wants_targets)

    def own_state(self) -> dict[str, np.ndarray]:
        return {"steps": self._steps}

    @property
    def generators(self) -> dict[str, np.random.Generator]:
        return {} if self.rng is None else {"updates": self.rng}
