"""Backpropagation with the minibatch split over workers: the rival that everybody knows.

Every worker holds the whole network and runs forward and backward on its share of the rows. The
gradients are summed over the workers (all-reduce), and all go on with the same weights. So each
step waits for the slowest worker and for the exchange, and yet, without batch normalisation, it is
the very step of one worker on the whole minibatch; with it, each worker normalises its own rows, as
is usual.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from sgdni._util.arrays import fill
from sgdni._util.checks import check_count
from sgdni._util.fingerprint import fingerprint
from sgdni.networks import Network
from sgdni.parallel.all_reduce import Ring, SharedMemory
from sgdni.parallel.base import Batch, Batches, Parallel, Repeatable, counted
from sgdni.parallel.workers import ChannelClosed, Emit, Task, Team
from sgdni.schedules.divergence import DivergenceGuard
from sgdni.schedules.schedule import StepResult


class DataParallel(Parallel):
    """Backprop on K workers, each with a K-th of every minibatch.

    Parameters
    ----------
    network, guard : as for Schedule
    replicas : int
        K, at most B.
    workers : "processes" or "mpi"
        Processes add up gradients in memory that they share, where each updates a K-th of the
        weights. Every rank of MPI reads the minibatches, takes its rows of them, and keeps weights
        of its own, the same bits in all.
    latency, bandwidth : float
        Simulated links, whatever the workers: a ring all-reduce, whose 2 (K - 1) messages of a K-th
        of the gradients take so many seconds and pass so many bytes a second. A module's gradients
        leave when they are ready, while those of the modules below are computed.

    Raises
    ------
    ValueError
        For options out of range; for modules that do not agree in their `batch_axis`, or whose
        parameters are not all of one dtype; and for minibatches that cannot be shared: not every
        worker can read them, x is a tuple, or there are fewer rows than workers.
    """

    worker = "worker"

    def __init__(self, network: Network, *, replicas: int, workers: str = "processes",
                 latency: float = 0.0, bandwidth: float = math.inf,
                 guard: DivergenceGuard | None = None) -> None:
        super().__init__(network, guard)
        check_count("replicas", replicas)
        if workers == "threads":  # whose layers' memory would be one
            raise ValueError("DataParallel: expected workers processes or mpi, got threads")
        self.choose_workers(workers, latency, bandwidth, replicas, "share of the minibatch")
        self.replicas = replicas
        axes = {module.batch_axis for module in network.modules}
        if len(axes) > 1:
            raise ValueError(f"DataParallel: expected modules of one batch_axis, got "
                             f"{sorted(axes)}")
        self._axis, = axes  # along which minibatches are cut and rows counted
        self._exchange = (Ring if workers == "mpi" else SharedMemory)(network.modules, replicas)

    def check_batches(self, batches: Batches) -> None:
        if not isinstance(batches, Repeatable | Sequence):
            raise ValueError("DataParallel: expected Minibatches or a list of minibatches, which "
                             "every worker can read")
        repeatable = isinstance(batches, Repeatable)
        if repeatable and self._axis:
            raise ValueError(f"DataParallel: expected a list of minibatches for modules with "
                             f"batch_axis {self._axis}, got {type(batches).__name__}, whose shares "
                             f"are cut along axis 0")
        for x, _ in [batches.example()] if repeatable else batches:
            if isinstance(x, tuple):
                raise ValueError(f"DataParallel: expected minibatches of one array x, which can be "
                                 f"cut, got a tuple of {len(x)}")
            if (rows := x.shape[self._axis]) < self.replicas:
                raise ValueError(f"DataParallel: expected minibatches of at least {self.replicas} "
                                 f"rows, one for each worker, got {rows}")

    def tasks(self, batches: Batches, team: Team) -> list[Task]:
        repeatable, self._order = isinstance(batches, Repeatable), None
        if self.workers == "mpi":  # all ranks have to agree in it
            self._order = fingerprint([batches.rng.bit_generator.state] if repeatable
                                      else [list(batch) for batch in batches])
        self._exchange.begin(team)
        return [partial(self._work, batches, team, k) for k in range(self.replicas)]

    def _work(self, batches: Batches, team: Team, k: int, emit: Emit) -> None:
        self._exchange.join(k, team)
        counted(partial(self._step, team, k, emit), self._rows(batches, k))

    def _rows(self, batches: Batches, k: int) -> Iterator[Batch]:
        """Yield worker k's rows of every minibatch."""
        if isinstance(batches, Repeatable):
            yield from batches.share(k, self.replicas)
            return
        for x, y in batches:
            rows = x.shape[self._axis]
            share = (slice(None),) * self._axis + (
                slice(k * rows // self.replicas, (k + 1) * rows // self.replicas),)
            yield x[share], y[share]

    def _step(self, team: Team, k: int, emit: Emit, x: np.ndarray, y: np.ndarray) -> None:
        modules = self.network.modules
        h = x
        for i in range(len(modules)):
            h = self.forward(i, h)
        result, delta = self.loss(h, y)
        started, passed = {}, 0.0  # when the gradients that are ready have passed the ring
        for i in reversed(range(len(modules))):
            started[i] = time.perf_counter()
            self.guard.check(i + 1, "gradients", delta)
            delta = modules[i].backward(delta, input_gradient=i > 0)
            self._exchange.ready(i)
            passed = max(passed, time.perf_counter()) + self._ring_seconds(i)
        sums = self._exchange.add_up(
            np.array([result.loss, result.accuracy, 1]) * x.shape[self._axis])
        self._wait(passed + 2 * (self.replicas - 1) * self.latency, team)
        loss, right, rows = sums.tolist()
        self._exchange.update(1 / rows)
        if k == 0:
            for i in range(len(modules)):
                self.recorder.note(i, "backward", started[i])
                self.recorder.finished(i)
            emit(StepResult(loss / rows, right / rows))

    def _ring_seconds(self, i: int) -> float:
        """Return how long module i's gradients keep links of that bandwidth busy."""
        nbytes = sum(p.nbytes for p in self.network.modules[i].params.values())
        return 2 * (self.replicas - 1) / self.replicas * nbytes / self.bandwidth

    def _wait(self, until: float, team: Team) -> None:
        while (left := until - time.perf_counter()) > 0:
            if left > 1e-3:
                time.sleep(left - 5e-4)
            if team.stopping:
                raise ChannelClosed

    def state_of(self, k: int) -> dict[str, Any]:
        """Return what worker k changes and does not share; of what all have alike, the first's."""
        modules = self.network.modules
        state = {"buffers": [{name: b.copy() for name, b in m.buffers.items()} for m in modules]}
        if k == 0:
            state["record"] = [self.recorder.state_of(i) for i in range(len(modules))]
            state["arrays"] = self.state() if self.workers == "mpi" else {
                f"module{i}.optimizer.{name}": array for i, m in enumerate(modules, start=1)
                for name, array in m.optimizer.state.items()
                if name not in {f"{kind}.{p}" for kind in m.optimizer.kinds for p in m.params}}
            state["order"] = self._order
        return state

    def take_state(self, k: int, state: dict[str, Any]) -> None:
        """Take over what the workers changed; running statistics become the mean of all.

        Other buffers, such as counts, are those of the first worker.
        """
        if k == 0:
            self._exchange.finish()
            live = self.state()
            fill({name: live[name] for name in state["arrays"]}, state["arrays"])
            for i, record in enumerate(state["record"]):
                self.recorder.take_state(i, record)
        for module, buffers in zip(self.network.modules, state["buffers"], strict=True):
            for name, array in module.buffers.items():
                if array.dtype.kind not in "fc":
                    array[...] = buffers[name] if k == 0 else array
                else:
                    part = buffers[name] / self.replicas
                    array[...] = part if k == 0 else array + part
