"""Decoupled neural interfaces for real: every module in a worker of its own, all at work at once.

Module i sends its output up and at once learns from its synthetic gradient. What M_i should have
said, the target, travels back as a message and is applied when it arrives, a few minibatches late,
to the h_i that it belongs to. Nobody waits for it: that is the update lock and the backward lock
gone.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from sgdni._util.checks import check_count
from sgdni.networks import Network
from sgdni.parallel.base import Batches, MakeLink, Parallel, Team
from sgdni.parallel.workers import Link
from sgdni.parallel.workers.channel import copied
from sgdni.parallel.workers.threads import Emit
from sgdni.schedules.decoupled import Decoupled
from sgdni.schedules.divergence import DivergenceError, DivergenceGuard


class Asynchronous(Parallel, Decoupled):
    """The decoupled schedule with one worker for each module: a thread, a process or an MPI rank.

    Every module handles every minibatch exactly once, in order.

    Parameters
    ----------
    network, fit_every, update_probability, rng, guard
        As for Decoupled.
    workers : "threads", "processes" or "mpi"
        Processes share no interpreter's lock, which slows threads down in small operations. The
        ranks of MPI are processes too, on one machine or several (see workers.ranks).
    queue_size : int
        Most minibatches on the way from one module to the next, the sender waiting for room.
        With a latency, steps overlap only if queue_size times the time of a step covers it.
    latency, bandwidth : float
        Simulated seconds that each message is under way between modules, up and down, and bytes a
        second that each link carries.
    deterministic : bool
        Apply the target of step t exactly before the prediction of step t + queue_size, waiting
        for it if need be, so that runs are repeatable; with ``queue_size=1`` they equal Decoupled
        bit for bit, at the price of most work in parallel.

    Raises
    ------
    ValueError
        For options out of range.
    """

    def __init__(self, network: Network, *, fit_every: int = 1, update_probability: float = 1.0,
                 rng: np.random.Generator | None = None, workers: str = "threads",
                 queue_size: int = 4, latency: float = 0.0, bandwidth: float = math.inf,
                 deterministic: bool = False, guard: DivergenceGuard | None = None) -> None:
        super().__init__(network, fit_every=fit_every, update_probability=update_probability,
                         rng=rng, guard=guard)
        check_count("queue_size", queue_size)
        self.choose_workers(workers, latency, bandwidth)
        self.queue_size, self.deterministic = queue_size, deterministic

    def tasks(self, batches: Batches, team: Team, link: MakeLink) -> list[Callable[[Emit], None]]:
        up = [link(self.queue_size, i, i + 1) for i in range(self.top)]
        # Room for every target that can be under way, so no module waits to send one down: at
        # most `queue_size` minibatches pass a link within its latency, and as many wait in a queue.
        down = [link(2 * self.queue_size + 4, i + 1, i) for i in range(self.top)]

        def task(emit: Emit, i: int) -> None:
            worker = _Worker(self, i, up[i] if i < self.top else None,
                             down[i] if i < self.top else None, down[i - 1] if i > 0 else None)
            worker.work(self.received(i, up[i - 1]) if i > 0 else self._number(batches, team), emit)

        return [partial(task, i=i) for i in range(self.top + 1)]

    def _number(self, batches: Batches, team: Team) -> Iterator[tuple]:
        """Yield (step, x, y, c, updates): the messages that the lowest module receives."""
        for x, y in batches:
            if team.stopping:
                return
            yield int(self._steps), x, y, self.network.context(x, y), self.update_mask()
            self._steps += 1


class _Worker:
    """One module with the interface above it, and its ends of the channels.

    up : to the module above; targets : from the module above, for the interface between;
    down : to the module below, for the interface there. None at the ends.
    """

    def __init__(self, schedule: Asynchronous, i: int, up: Link | None,
                 targets: Link | None, down: Link | None) -> None:
        self.schedule, self.i = schedule, i
        self.up, self.targets, self.down = up, targets, down
        # (step, h, c) of minibatches whose targets have not come yet
        self._awaited: deque[tuple[int, np.ndarray, np.ndarray | None]] = deque()

    def work(self, source: Iterable[tuple], emit: Emit) -> None:
        """Handle every minibatch of `source`, then the targets that are still under way."""
        for done, message in enumerate(source):
            try:
                self._handle(emit, *message)
            except DivergenceError as error:
                error.step = done + 1
                raise
        if self.up is not None:
            self.up.put(None)
            while self._awaited:
                self._fit(self.targets.get())

    def _handle(self, emit: Emit, step: int, h_below: np.ndarray, y: np.ndarray,
                c: list[np.ndarray | None], updates: np.ndarray) -> None:
        schedule, i = self.schedule, self.i
        h = schedule.forward(i, h_below)
        if self.up is None:
            result, delta = schedule.loss(h, y)
        else:
            if updates[i + 1] and schedule.taught(i, step):
                self._awaited.append((step, *copied((h, c[i]))))
            self.up.put((step, h, y, c, updates))
            self._take_targets(step)
            delta = schedule.predict(i, h, c[i]) if updates[i] else None
        target = schedule.learn(i, delta if updates[i] else None,
                                target=schedule.taught(i - 1, step))
        if target is not None:
            self.down.put((target,))
        if self.up is None:
            emit(result)

    def _take_targets(self, step: int) -> None:
        if self.schedule.deterministic:
            while self._awaited and self._awaited[0][0] <= step - self.schedule.queue_size:
                self._fit(self.targets.get())
        else:
            while (message := self.targets.get_nowait()) is not None:
                self._fit(message)

    def _fit(self, message: tuple[np.ndarray]) -> None:
        _, h, c = self._awaited.popleft()
        self.schedule.fit(self.i, h, c, *message)
