"""Locked backpropagation with every module in a worker of its own: the fair rival of DNI.

Modules split over workers (or machines), one minibatch under way: h goes up the links, delta comes
down them, and every worker idles while the others compute. The weights are those of Backprop,
bit for bit.
"""

from __future__ import annotations

import math

import numpy as np

from sgdni.networks import Network
from sgdni.parallel.split import ModuleWorker, Split
from sgdni.parallel.workers import Emit
from sgdni.schedules.divergence import DivergenceGuard


class _Worker(ModuleWorker):

    def handle(self, emit: Emit, h_below: np.ndarray, y: np.ndarray) -> None:
        h = self.schedule.forward(self.i, h_below)
        if self.up is None:
            self.end_in_loss(emit, h, y)
        else:
            self.up.put((h, y))
            self.learn(*self.above.get())


class ModelParallel(Split):
    """Backprop with one worker for each module and links between them.

    Parameters
    ----------
    network, guard : as for Schedule
    workers : "threads", "processes" or "mpi"
    latency, bandwidth : float
        Simulated seconds that each message is under way, and bytes a second of each link.
    """

    Worker = _Worker

    def __init__(self, network: Network, *, workers: str = "threads", latency: float = 0.0,
                 bandwidth: float = math.inf, guard: DivergenceGuard | None = None) -> None:
        super().__init__(network, guard)
        self.choose_workers(workers, latency, bandwidth)
