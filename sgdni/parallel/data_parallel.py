"""Backpropagation with the minibatch split over workers: the rival that everybody knows.

Every worker holds the whole network and runs forward and backward on its share of the rows. The
gradients are summed over the workers (all-reduce), each worker updates its share of the weights,
and all go on with the same weights. So each step waits for the slowest worker and for the
exchange, and yet, without batch normalisation, it is the very step of one worker on the whole
minibatch; with it, each worker normalises its own rows, as is usual.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from sgdni._util.checks import check_count
from sgdni._util.shared import shared_zeros
from sgdni.networks import Module, Network
from sgdni.optimizers import Optimizer
from sgdni.parallel.base import Batches, Parallel, Repeatable, counted
from sgdni.parallel.workers import Emit, Task, Team
from sgdni.parallel.workers.channel import ChannelClosed
from sgdni.schedules.divergence import DivergenceGuard
from sgdni.schedules.schedule import StepResult


class DataParallel(Parallel):
    """Backprop on K workers, each with a K-th of every minibatch and of every update.

    Gradients are written straight into memory that the processes share, and so are the weights:
    the exchange is one pass over the gradients, a K-th of it by each worker.

    Parameters
    ----------
    network, guard : as for Schedule
    replicas : int
        K, at most B.
    latency, bandwidth : float
        Simulated links: a ring all-reduce, whose 2 (K - 1) messages of a K-th of the gradients take
        so many seconds and pass so many bytes a second. A module's gradients leave when they are
        ready, while those of the modules below are computed.

    Raises
    ------
    ValueError
        For options out of range, and for minibatches that cannot be read by every worker.
    """

    def __init__(self, network: Network, *, replicas: int, latency: float = 0.0,
                 bandwidth: float = math.inf, guard: DivergenceGuard | None = None) -> None:
        super().__init__(network, guard)
        check_count("replicas", replicas)
        self.choose_workers("processes", latency, bandwidth)
        self.replicas = replicas
        self._shared = [_Shared(module, replicas) for module in network.modules]
        # By worker: how many meetings it has come to, and its share of the latest minibatch's loss.
        self._met = shared_zeros((replicas,), np.int64)
        self._losses = shared_zeros((replicas, 3))

    def tasks(self, batches: Batches, team: Team) -> list[Task]:
        if not isinstance(batches, Repeatable | Sequence):
            raise ValueError("DataParallel: expected Minibatches or a list of minibatches, which "
                             "every worker can read")
        self._met[:] = 0
        for shared, module in zip(self._shared, self.network.modules, strict=True):
            shared.read(module)
        return [partial(self._work, batches, team, k) for k in range(self.replicas)]

    def _work(self, batches: Batches, team: Team, k: int, emit: Emit) -> None:
        """Be worker k: a process with a copy of the network, whose arrays are the shared ones."""
        self._meetings, self._team = int(self._met[k]), team
        for module, shared in zip(self.network.modules, self._shared, strict=True):
            module.use(shared.weights.arrays, shared.gradients[k].arrays)
        counted(partial(self._step, k, emit), self._rows(batches, k))

    def _rows(self, batches: Batches, k: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield this worker's rows of every minibatch."""
        if isinstance(batches, Repeatable):
            yield from batches.share(k, self.replicas)
            return
        for x, y in batches:
            rows = slice(k * len(x) // self.replicas, (k + 1) * len(x) // self.replicas)
            yield x[rows], y[rows]

    def _step(self, k: int, emit: Emit, x: np.ndarray, y: np.ndarray) -> None:
        modules = range(len(self.network.modules))
        h = x
        for i in modules:
            h = self.forward(i, h)
        result, delta = self.loss(h, y)
        self._losses[k] = result.loss * len(x), result.accuracy * len(x), len(x)
        started, passed = {}, 0.0  # when the gradients that are ready have passed the ring
        for i in reversed(modules):
            started[i] = time.perf_counter()
            self.guard.check(i + 1, "gradients", delta)
            delta = self.network.modules[i].backward(delta, input_gradient=i > 0)
            self._shared[i].take_gradients(k, self.network.modules[i])
            passed = self._pass(self._shared[i].weights.whole.nbytes, passed)
        self._meet(k)
        if self.replicas > 1:
            self._wait(passed + 2 * (self.replicas - 1) * self.latency)
        loss, right, rows = self._losses.sum(axis=0)
        for i in modules:
            self._shared[i].update(k, self.network.modules[i].optimizer, scale=1 / rows)
        self._meet(k)
        if k == 0:
            for i in modules:
                self.recorder.note(i, "backward", started[i])
                self.recorder.finished(i)
            emit(StepResult(loss / rows, right / rows))

    def _pass(self, nbytes: int, passed: float) -> float:
        """Return when so many bytes more, ready now, have passed a ring of limited bandwidth."""
        share = 2 * (self.replicas - 1) / self.replicas * nbytes / self.bandwidth
        return max(passed, time.perf_counter()) + share

    def _wait(self, until: float) -> None:
        while (left := until - time.perf_counter()) > 0:
            if left > 1e-3:
                time.sleep(left - 5e-4)
            self._check()

    def _meet(self, k: int) -> None:
        """Wait until all workers are here. They watch each other's counts: nothing is faster."""
        self._meetings += 1
        self._met[k] = self._meetings
        while self._met.min() < self._meetings:
            os.sched_yield()
            self._check()

    def _check(self) -> None:
        if self._team.stopping:
            raise ChannelClosed

    def state_of(self, k: int) -> dict:
        """Return what worker k changes and does not share."""
        modules = self.network.modules
        return {"buffers": [module.buffers for module in modules],
                "steps": [module.optimizer.state.get("steps") for module in modules],
                "record": [self.recorder.state_of(i) for i in range(len(modules))]}

    def take_state(self, k: int, state: dict) -> None:
        """Take over what the workers changed; running statistics become the mean of all."""
        for i, (module, shared) in enumerate(zip(self.network.modules, self._shared, strict=True)):
            for name, array in module.buffers.items():
                array *= k > 0
                array += state["buffers"][i][name] / self.replicas
            if k == 0:
                shared.write(module)
                if state["steps"][i] is not None:
                    module.optimizer.state["steps"][...] = state["steps"][i]
                self.recorder.take_state(i, state["record"][i])


class _Flat:
    """Arrays of given names and shapes, one after another in memory that processes share."""

    def __init__(self, like: dict[str, np.ndarray]) -> None:
        dtype = next(iter(like.values())).dtype if like else np.dtype(np.float32)
        self.whole = shared_zeros((sum(a.size for a in like.values()),), dtype)
        self.arrays, start = {}, 0
        for name, a in like.items():
            self.arrays[name] = self.whole[start : start + a.size].reshape(a.shape)
            start += a.size

    def read(self, values: dict[str, np.ndarray]) -> None:
        for name, array in self.arrays.items():
            if array is not values[name]:
                array[...] = values[name]

    def write(self, values: dict[str, np.ndarray]) -> None:
        for name, array in self.arrays.items():
            values[name][...] = array


class _Shared:
    """A module's weights, every worker's gradients of them, and the optimiser's memory of each."""

    def __init__(self, module: Module, replicas: int) -> None:
        self.weights = _Flat(module.params)
        self.gradients = [_Flat(module.params) for _ in range(replicas)]
        self.memory = {kind: _Flat(module.params) for kind in module.optimizer.kinds}

    def read(self, module: Module) -> None:
        self.weights.read(module.params)
        for kind, flat in self.memory.items():
            flat.read(self._remembered(module, kind))

    def write(self, module: Module) -> None:
        self.weights.write(module.params)
        for kind, flat in self.memory.items():
            flat.write(self._remembered(module, kind))

    def take_gradients(self, k: int, module: Module) -> None:
        """Copy gradients that a layer has not written where it was told to."""
        self.gradients[k].read(module.grads)

    def update(self, k: int, optimizer: Optimizer, scale: float) -> None:
        """Update worker k's share of the weights from everybody's gradients."""
        n = len(self.weights.whole)
        mine = slice(k * n // len(self.gradients), (k + 1) * n // len(self.gradients))
        g = self.gradients[k].whole[mine]
        for other, flat in enumerate(self.gradients):
            if other != k:
                g += flat.whole[mine]
        optimizer.begin()
        optimizer.change(self.weights.whole[mine], g, scale,
                         *(flat.whole[mine] for flat in self.memory.values()))

    @staticmethod
    def _remembered(module: Module, kind: str) -> dict[str, np.ndarray]:
        return {name: module.optimizer.state[f"{kind}.{name}"] for name in module.params}
