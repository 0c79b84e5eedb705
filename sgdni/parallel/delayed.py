"""Delayed gradients: modules at work at once, each applying the true gradient when it arrives.

Huo et al., ICML 2018 (1804.10574). Nobody predicts anything: a module runs forward, sends its
output up and goes on with the next minibatch; when the gradient of an earlier one comes down, it
runs backward for that one, with the activations that it has kept and today's weights. So there is
no model to pay for, and every gradient is true but for the weights having moved on meanwhile.
"""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Any

import numpy as np

from sgdni._util.arrays import copied
from sgdni._util.checks import check_count
from sgdni.networks import Module, Network
from sgdni.parallel.split import ModuleWorker, Split
from sgdni.parallel.workers import Emit
from sgdni.schedules.divergence import DivergenceGuard

PAUSE_SECONDS = 5e-5  # between looks at two links, of which either may bring something


class _Worker(ModuleWorker):
    """A module with twins; what comes from above are gradients."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        room, _ = self.schedule.rooms(self.i)
        self._module = self.schedule.network.modules[self.i]
        self._free = [self._module, *(self._module.twin() for _ in range(room - 1))]
        self._under_way: deque[Module] = deque()

    def handle(self, emit: Emit, h_below: np.ndarray, y: np.ndarray) -> None:
        schedule, i = self.schedule, self.i
        if self.up is None:
            self.end_in_loss(emit, schedule.forward(i, h_below), y)
            return
        while not self._free:
            self._learn(*self.above.get())
        twin = schedule.network.modules[i] = self._free.pop()
        # Kept until the gradient comes, unlike the message, which the next one overwrites.
        h = schedule.forward(i, *copied((h_below,)))
        self._under_way.append(twin)
        self.up.put((h, y))
        if not schedule.deterministic:
            self._learn_until_there_is_input()

    def finish(self) -> None:
        while self._under_way:
            self._learn(*self.above.get())
        self.schedule.network.modules[self.i] = self._module

    def _learn_until_there_is_input(self) -> None:
        """Nobody may wait for one thing while another is there: modules below wait for us."""
        while self._under_way:
            if (message := self.above.get_nowait()) is not None:
                self._learn(*message)
            elif self.inputs is None or self.inputs.there():
                return
            else:
                time.sleep(PAUSE_SECONDS)

    def _learn(self, delta: np.ndarray) -> None:
        twin = self.schedule.network.modules[self.i] = self._under_way.popleft()
        self.learn(delta)
        self._free.append(twin)


class Delayed(Split):
    """Backprop with one worker for each module, where nobody waits while there is other work.

    A module keeps the activations of every minibatch that is under way above it, in twins of its
    layers: memory instead of a second forward pass.

    Parameters
    ----------
    network, guard : as for Schedule
    workers : "threads", "processes" or "mpi"
    queue_size : int
        Most minibatches on the way above a module, for each module there: with so many it waits
        for a gradient. With 1 and two modules this is model-parallel backprop.
    latency, bandwidth : float
        Simulated seconds that each message is under way, and bytes a second of each link.
    deterministic : bool
        Apply a gradient exactly when so many minibatches are under way, so that runs repeat;
        gradients are then as late as can be.
    """

    Worker = _Worker

    def __init__(self, network: Network, *, workers: str = "threads", queue_size: int = 4,
                 latency: float = 0.0, bandwidth: float = math.inf, deterministic: bool = False,
                 guard: DivergenceGuard | None = None) -> None:
        super().__init__(network, guard)
        check_count("queue_size", queue_size)
        self.choose_workers(workers, latency, bandwidth)
        self.queue_size, self.deterministic = queue_size, deterministic

    def rooms(self, i: int) -> tuple[int, int]:
        # For all that can be under way above module i, so nobody waits to send.
        return (self.queue_size * (self.top - i),) * 2
