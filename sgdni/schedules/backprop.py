"""Locked backpropagation: the schedule that synthetic gradients are measured against.

No module updates before all modules above have run forward (update lock) and backward (backward
lock). Where the network is cut makes no difference here.
"""

from __future__ import annotations

import numpy as np

from sgdni.schedules.schedule import Schedule, StepResult


class Backprop(Schedule):
    """All modules forward, then all backward, each updating when its gradients are there.

    The delta that goes on down is taken before the update, so this equals updating at the end.
    """

    def step(self, x: np.ndarray, y: np.ndarray) -> StepResult:
        modules = range(len(self.network.modules))
        h = x
        for i in modules:
            h = self.forward(i, h)
        result, delta = self.loss(h, y)
        for i in reversed(modules):
            delta = self.learn(i, delta, target=i > 0)
        return result
