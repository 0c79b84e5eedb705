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
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from sgdni._util.checks import check_count
from sgdni.networks import Module, Network
from sgdni.parallel.base import Batches, MakeLink, Parallel, Team
from sgdni.parallel.workers import Link
from sgdni.parallel.workers.channel import copied
from sgdni.parallel.workers.threads import Emit
from sgdni.schedules.divergence import DivergenceError, DivergenceGuard

PAUSE_SECONDS = 5e-5  # between looks at two links, of which either may bring something


class Delayed(Parallel):
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

    def __init__(self, network: Network, *, workers: str = "threads", queue_size: int = 4,
                 latency: float = 0.0, bandwidth: float = math.inf, deterministic: bool = False,
                 guard: DivergenceGuard | None = None) -> None:
        super().__init__(network, guard)
        check_count("queue_size", queue_size)
        self.choose_workers(workers, latency, bandwidth)
        self.queue_size, self.deterministic = queue_size, deterministic

    def tasks(self, batches: Batches, team: Team, link: MakeLink) -> list[Callable[[Emit], None]]:
        # Room for all that can be under way, so nobody waits to send.
        up = [link(self.room(i), i, i + 1) for i in range(self.top)]
        down = [link(self.room(i), i + 1, i) for i in range(self.top)]

        def source() -> Iterator[tuple]:
            for batch in batches:
                if team.stopping:
                    return
                yield batch

        def task(emit: Emit, i: int) -> None:
            worker = _Worker(self, i, up[i - 1] if i > 0 else None, up[i] if i < self.top else None,
                             down[i] if i < self.top else None, down[i - 1] if i > 0 else None)
            worker.work(source() if i == 0 else self.received(i, up[i - 1]), emit)

        return [partial(task, i=i) for i in range(self.top + 1)]

    def room(self, i: int) -> int:
        """Return how many minibatches may be under way above module i."""
        return self.queue_size * (self.top - i)


class _Worker:
    """One module and its ends of the links; None where the network ends."""

    def __init__(self, schedule: Delayed, i: int, inputs: Link | None, up: Link | None,
                 gradients: Link | None, down: Link | None) -> None:
        self.schedule, self.i, self.inputs = schedule, i, inputs
        self.up, self.gradients, self.down = up, gradients, down
        module = schedule.network.modules[i]
        self._free = [module, *(module.twin() for _ in range(schedule.room(i) - 1))]
        self._under_way: deque[Module] = deque()

    def work(self, source: Iterable[tuple[np.ndarray, np.ndarray]], emit: Emit) -> None:
        """Handle every minibatch of `source`, then the gradients that are still under way."""
        original = self._free[0]
        for done, (h_below, y) in enumerate(source):
            try:
                self._handle(h_below, y, emit)
            except DivergenceError as error:
                error.step = done + 1
                raise
            self._learn_until_there_is_input()
        if self.up is not None:
            self.up.put(None)
            while self._under_way:
                self._learn(*self.gradients.get())
        self.schedule.network.modules[self.i] = original

    def _handle(self, h_below: np.ndarray, y: np.ndarray, emit: Emit) -> None:
        schedule, i = self.schedule, self.i
        if self.up is None:
            h = schedule.forward(i, h_below)
            result, delta = schedule.loss(h, y)
            self._send_down(schedule.learn(i, delta, target=i > 0))
            emit(result)
            return
        self._make_room()
        twin = schedule.network.modules[i] = self._free.pop()
        # Kept until the gradient comes, unlike the message, which the next one overwrites.
        h = schedule.forward(i, *copied((h_below,)))
        self._under_way.append(twin)
        self.up.put((h, y))

    def _learn_until_there_is_input(self) -> None:
        """Nobody may wait for one thing while another is there: modules below wait for us."""
        if self.schedule.deterministic or self.up is None:
            return
        while self._under_way:
            if (message := self.gradients.get_nowait()) is not None:
                self._learn(*message)
            elif self.inputs is None or self.inputs.there():
                return
            else:
                time.sleep(PAUSE_SECONDS)

    def _make_room(self) -> None:
        while not self._free:
            self._learn(*self.gradients.get())

    def _learn(self, delta: np.ndarray) -> None:
        twin = self.schedule.network.modules[self.i] = self._under_way.popleft()
        self._send_down(self.schedule.learn(self.i, delta, target=self.i > 0))
        self._free.append(twin)

    def _send_down(self, delta_below: np.ndarray | None) -> None:
        if self.down is not None:
            self.down.put((delta_below,))
