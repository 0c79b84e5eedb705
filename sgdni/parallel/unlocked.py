"""The complete unlock for real: every module in a worker of its own, at its own speed."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from sgdni.networks import Network
from sgdni.parallel.base import Batches, Repeatable
from sgdni.parallel.split import Split
from sgdni.parallel.workers import Emit, Task, Team
from sgdni.schedules.divergence import DivergenceGuard
from sgdni.schedules.unlocked import Unlocked

ROOM = 2  # messages on a link; what comes when there are as many is lost, since nobody waits


class UnlockedAsynchronous(Split, Unlocked):
    """The complete unlock with one worker, a thread or a process, for each module.

    A pass is as many turns for each module as there are minibatches, each module at its own speed.
    Of the messages that have come to it, it takes the newest. What is on its way when a pass ends
    is gone.

    Parameters
    ----------
    network, view, rng, policy, loss_rate, guard
        As for Unlocked.
    pace : float in (0, 1]
        The probability that a module acts in its turn.
    workers : "threads" or "processes"
    latency, bandwidth : simulated, as for Asynchronous

    Raises
    ------
    ValueError
        For options out of range.
    """

    def __init__(self, network: Network, view: Callable[[np.ndarray], np.ndarray],
                 rng: np.random.Generator, *, policy: str = "either", pace: float = 1.0,
                 loss_rate: float = 0.0, workers: str = "threads", latency: float = 0.0,
                 bandwidth: float = math.inf, guard: DivergenceGuard | None = None) -> None:
        super().__init__(network, view, rng, policy=policy, pace=pace, loss_rate=loss_rate,
                         guard=guard)
        if workers == "mpi":
            raise ValueError("UnlockedAsynchronous: expected workers threads or processes, got mpi")
        self.choose_workers(workers, latency, bandwidth)

    def check_batches(self, batches: Batches) -> None:
        if not isinstance(batches, Repeatable):
            raise ValueError("UnlockedAsynchronous: expected Minibatches, of which every module "
                             f"makes a stream of its own, got {type(batches).__name__}")

    def tasks(self, batches: Batches, team: Team) -> list[Task]:
        _, size = self._sized(batches)
        size = 2 * size + self.view(batches.example()[0]).nbytes  # down go an h and its target
        self._links = [[team.channel(ROOM, self.latency, size, ends, self.bandwidth)
                        for ends in ((i, i + 1), (i + 1, i))] for i in range(self.top)]
        return [partial(self._work, i, batches, team) for i in range(self.top + 1)]

    def _work(self, i: int, batches: Batches, team: Team, emit: Emit) -> None:
        for x, y in self.stream(i, batches):
            if team.stopping:
                return
            if self._luck[i].random() < self.pace:
                result = self.act(i, x, y)
                if result is not None:
                    emit(result)

    def _put(self, i: int, way: int, message: tuple) -> bool:
        return self._links[i][way].offer(message)

    def _take(self, i: int, way: int) -> tuple | None:
        if i < 0:
            return None
        message = None
        while (newer := self._links[i][way].get_nowait()) is not None:
            self.overtaken[i, way] += message is not None
            message = newer
        self.taken[i, way] += message is not None
        return message

    def state_of(self, i: int) -> dict[str, Any]:
        """Return all that worker i changes: the model of its inputs is its own, that of the
        gradient of its outputs, too."""
        parts = {"module": self.network.modules[i].state()}
        if i < self.top:
            parts["model"] = self.network.interfaces[i].model.state()
        if i > 0 and (inputs := self.network.interfaces[i - 1].inputs) is not None:
            parts["inputs"] = inputs.state()
        parts["generators"] = {name: self.generators[name].bit_generator.state
                               for name in (f"order{i}", f"luck{i}", f"inputs{i}")
                               if name in self.generators}
        parts["record"] = self.recorder.state_of(i)
        return parts
