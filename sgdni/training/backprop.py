"""Locked backpropagation: the schedule that synthetic gradients are measured against.

No module updates before all modules above have run forward (update lock) and backward (backward
lock). Where the network is cut makes no difference here.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from sgdni.training.schedule import Schedule, StepResult


class Backprop(Schedule):
    """All modules forward, then all backward, each updating when its gradients are there.

    The delta that goes on down is taken before the update, so this equals updating at the end.
    """

    def step(self, x: np.ndarray, y: np.ndarray) -> StepResult:
        modules = self.network.modules
        h = x
        for i, module in enumerate(modules):
            started = perf_counter()
            h = module.forward(h)
            self.guard.check(i + 1, "activations", h)
            self.recorder.note(i, "forward", started)
        result, delta = self.loss_and_delta(h, y)
        for i in reversed(range(len(modules))):
            started = perf_counter()
            self.guard.check(i + 1, "gradients", delta)
            delta = modules[i].learn(delta, input_gradient=i > 0)
            self.recorder.note(i, "backward", started)
            self.recorder.finished(i)
        return result
