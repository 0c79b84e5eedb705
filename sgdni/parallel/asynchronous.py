"""Decoupled neural interfaces for real: every module in a worker of its own, all at work at once.

Module i sends its output up and at once learns from its synthetic gradient. What M_i should have
said, the target, travels back as a message and is applied when it arrives, a few minibatches late,
to the h_i that it belongs to. Nobody waits for it: that is the update lock and the backward lock
gone.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np

from sgdni._util.arrays import copied
from sgdni._util.checks import check_count
from sgdni.networks import Network
from sgdni.parallel.split import ModuleWorker, Split
from sgdni.parallel.workers import Emit
from sgdni.schedules.decoupled import Decoupled
from sgdni.schedules.divergence import DivergenceGuard


class _Worker(ModuleWorker):
    """A module with the interface above it; what comes from above are targets for that."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # (step, h, c) of minibatches whose targets have not come yet
        self._awaited: deque[tuple[int, np.ndarray, np.ndarray | None]] = deque()

    def handle(self, emit: Emit, step: int, h_below: np.ndarray, y: np.ndarray,
               c: list[np.ndarray | None], updates: np.ndarray) -> None:
        schedule, i = self.schedule, self.i
        h = schedule.forward(i, h_below)
        if self.up is None:
            result, delta = schedule.loss(h, y)
        else:
            if updates[i + 1] and schedule.wants_target(i, step):
                self._awaited.append((step, *copied((h, c[i]))))
            self.up.put((step, h, y, c, updates))
            self._take_targets(step)
            delta = schedule.predict(i, h, c[i]) if updates[i] else None
        target = schedule.learn(i, delta if updates[i] else None,
                                target=schedule.wants_target(i - 1, step))
        if target is not None:
            self.down.put((target,))
        if self.up is None:
            emit(result)

    def finish(self) -> None:
        while self._awaited:
            self._fit(*self.above.get())

    def _take_targets(self, step: int) -> None:
        if self.schedule.deterministic:
            while self._awaited and self._awaited[0][0] <= step - self.schedule.queue_size:
                self._fit(*self.above.get())
        else:
            while (message := self.above.get_nowait()) is not None:
                self._fit(*message)

    def _fit(self, target: np.ndarray) -> None:
        _, h, c = self._awaited.popleft()
        self.schedule.fit(self.i, h, c, target)


class Asynchronous(Split, Decoupled):
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
        For options out of range; and, unless in threads, for an SG model that learns and has no
        `state`, in which it would come back from where it learns.
    """

    Worker = _Worker

    def __init__(self, network: Network, *, fit_every: int = 1, update_probability: float = 1.0,
                 rng: np.random.Generator | None = None, workers: str = "threads",
                 queue_size: int = 4, latency: float = 0.0, bandwidth: float = math.inf,
                 deterministic: bool = False, guard: DivergenceGuard | None = None) -> None:
        super().__init__(network, fit_every=fit_every, update_probability=update_probability,
                         rng=rng, guard=guard)
        check_count("queue_size", queue_size)
        self.choose_workers(workers, latency, bandwidth)
        for model in (interface.model for interface in network.interfaces):
            if workers != "threads" and model.wants_targets and not model.state():
                raise ValueError(
                    f"engine {workers}: expected SG models whose state() returns every array that "
                    f"learning changes, got nothing from {type(model).__name__}: what it learns in "
                    f"another process would be lost; write state(), or use engine threads"
                )
        self.queue_size, self.deterministic = queue_size, deterministic

    def rooms(self, i: int) -> tuple[int, int]:
        # Room for every target that can be under way, so no module waits to send one down: at
        # most `queue_size` minibatches pass a link within its latency, and as many wait in a queue.
        return self.queue_size, 2 * self.queue_size + 4

    def first_message(self, x: np.ndarray, y: np.ndarray) -> tuple:
        step = int(self._steps)
        self._steps += 1
        return step, x, y, self.network.context(x, y), self.update_mask()
