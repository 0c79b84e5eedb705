"""Decoupled neural interfaces, the modules taking turns in one thread (sequential DNI).

Each module updates as soon as it has run forward, from a synthetic gradient; only the top one sees
the real loss. Nothing is faster for it in one thread, since the same products are computed and M's
come on top. What it shows is what the learning is worth, and it is the reference that the
asynchronous schedule must reproduce.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from sgdni.checks import check_count, check_range
from sgdni.network import Network
from sgdni.training.divergence import DivergenceGuard
from sgdni.training.schedule import Schedule, StepResult


class Decoupled(Schedule):
    """Module by module, bottom to top: forward, update, and a target for the SG model below.

    Jaderberg et al. 2016: M_{i-1} is fitted to what module i's own error signal, true
    at the top and synthetic elsewhere (bootstrapped), becomes at its input.

    Parameters
    ----------
    network : Network
        With one SG model for each interface.
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
        For a network without SG models, or options out of range.
    """

    def __init__(self, network: Network, *, fit_every: int = 1, update_probability: float = 1.0,
                 rng: np.random.Generator | None = None,
                 guard: DivergenceGuard | None = None) -> None:
        super().__init__(network, guard)
        check_count("fit_every", fit_every)
        check_range("update_probability", update_probability, 0, 1, open_low=True)
        if len(network.synthetic) != len(network.modules) - 1:
            raise ValueError(
                f"Decoupled: expected {len(network.modules) - 1} SG models, one for each "
                f"interface, got {len(network.synthetic)}"
            )
        if update_probability < 1 and rng is None:
            raise ValueError("Decoupled: update_probability below 1 needs a random generator")
        self.fit_every, self.update_probability, self.rng = fit_every, update_probability, rng
        self._steps = np.zeros((), np.int64)

    def step(self, x: np.ndarray, y: np.ndarray) -> StepResult:
        modules, synthetic = self.network.modules, self.network.synthetic
        learns = self._draw_learners(len(modules))
        fits = int(self._steps) % self.fit_every == 0
        c = self.network.context(y, x.dtype)
        top = len(modules) - 1
        h = x
        for i, module in enumerate(modules):
            started = perf_counter()
            h_below, h = h, module.forward(h)
            self.guard.check(i + 1, "activations", h)
            self.recorder.note(i, "forward", started)
            started = perf_counter()
            if i == top:
                result, delta = self.loss_and_delta(h, y)
            elif learns[i]:
                delta = synthetic[i].predict(h, c)
                self.recorder.note(i, "predict", started)
                started = perf_counter()
            if learns[i]:
                self.guard.check(i + 1, "gradients", delta)
                target = module.learn(delta, input_gradient=i > 0 and fits)
                self.recorder.note(i, "backward", started)
                if target is not None:
                    started = perf_counter()
                    synthetic[i - 1].fit(h_below, c, target)
                    self.recorder.note(i - 1, "fit", started)
            self.recorder.finished(i)
        self._steps += 1
        return result

    def own_state(self) -> dict[str, np.ndarray]:
        return {"steps": self._steps}

    @property
    def generators(self) -> dict[str, np.random.Generator]:
        return {} if self.rng is None else {"updates": self.rng}

    def _draw_learners(self, count: int) -> np.ndarray:
        if self.update_probability == 1:
            return np.ones(count, bool)
        return self.rng.random(count) < self.update_probability
