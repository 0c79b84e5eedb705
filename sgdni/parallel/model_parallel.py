"""Locked backpropagation with every module in a worker of its own: the fair rival of DNI.

Modules split over workers (or machines), one minibatch under way: h goes up the links, delta comes
down them, and every worker idles while the others compute. The weights are those of Backprop,
bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from sgdni.networks import Network
from sgdni.parallel.base import Batches, MakeLink, Parallel, Team
from sgdni.parallel.workers import Link
from sgdni.parallel.workers.threads import Emit
from sgdni.schedules.divergence import DivergenceError, DivergenceGuard


class ModelParallel(Parallel):
    """Backprop with one worker for each module and links between them.

    Parameters
    ----------
    network, guard : as for Schedule
    workers : "threads", "processes" or "mpi"
    latency, bandwidth : float
        Simulated seconds that each message is under way, and bytes a second of each link.
    """

    def __init__(self, network: Network, *, workers: str = "threads", latency: float = 0.0,
                 bandwidth: float = math.inf,
                 guard: DivergenceGuard | None = None) -> None:
        super().__init__(network, guard)
        self.choose_workers(workers, latency, bandwidth)

    def tasks(self, batches: Batches, team: Team, link: MakeLink) -> list[Callable[[Emit], None]]:
        up = [link(1, i, i + 1) for i in range(self.top)]
        down = [link(1, i + 1, i) for i in range(self.top)]

        def source() -> Iterator[tuple]:
            for batch in batches:
                if team.stopping:
                    return
                yield batch

        def task(emit: Emit, i: int) -> None:
            self._work(i, source() if i == 0 else self.received(i, up[i - 1]), up, down, emit)

        return [partial(task, i=i) for i in range(self.top + 1)]

    def _work(self, i: int, source: Iterable[tuple[np.ndarray, np.ndarray]], up: list[Link],
              down: list[Link], emit: Emit) -> None:
        for done, (h_below, y) in enumerate(source):
            try:
                self._handle(i, h_below, y, up, down, emit)
            except DivergenceError as error:
                error.step = done + 1
                raise
        if i < len(up):
            up[i].put(None)

    def _handle(self, i: int, h_below: np.ndarray, y: np.ndarray, up: list[Link],
                down: list[Link], emit: Emit) -> None:
        h = self.forward(i, h_below)
        if i == self.top:
            result, delta = self.loss(h, y)
        else:
            up[i].put((h, y))
            delta = down[i].get()
        delta_below = self.learn(i, delta, target=i > 0)
        if i > 0:
            down[i - 1].put(delta_below)
        if i == self.top:
            emit(result)
