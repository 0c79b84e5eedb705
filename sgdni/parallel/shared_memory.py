"""All-reduce between processes of one machine, in memory that they share."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from sgdni._util.shared import shared_zeros
from sgdni.networks import Module
from sgdni.parallel.workers import ChannelClosed, Team


class Flat:
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


class SharedMemory:
    """K workers' gradients, added up where they lie.

    They are written straight into the shared memory, and so are the weights: the exchange is one
    pass over the gradients, in which each worker adds up a K-th of them and updates their weights.
    """

    def __init__(self, modules: Sequence[Module], replicas: int) -> None:
        self._kept, self._parts = [], []
        for module in modules:
            own = [module.params, *({name: module.optimizer.state[f"{kind}.{name}"]
                                     for name in module.params} for kind in module.optimizer.kinds)]
            shared = [Flat(arrays) for arrays in own]  # weights, and what is remembered of each
            self._kept += zip(own, shared, strict=True)
            self._parts.append((module, shared, [Flat(module.params) for _ in range(replicas)]))
        self._sums = shared_zeros((replicas, 3))
        self._met = shared_zeros((replicas,), np.int64)  # how many meetings each has come to

    def begin(self) -> None:
        """Share all as it is here, before a run."""
        self._met[:] = 0
        for own, flat in self._kept:
            flat.read(own)

    def finish(self) -> None:
        """Take over here what a run has changed."""
        for own, flat in self._kept:
            for name, array in flat.arrays.items():
                own[name][...] = array

    def join(self, k: int, team: Team) -> None:
        """Be worker k: a process with a copy of the network, whose arrays are the shared ones."""
        self._k, self._team = k, team
        for module, shared, gradients in self._parts:
            module.use(shared[0].arrays, gradients[k].arrays)

    def ready(self, i: int) -> None:
        """Copy gradients that a layer of module i has not written where it was told to."""
        module, _, gradients = self._parts[i]
        gradients[self._k].read(module.grads)

    def add_up(self, mine: np.ndarray) -> np.ndarray:
        """Wait until all gradients are ready, and return the sum of everybody's (3,) numbers."""
        self._sums[self._k] = mine
        self._meet()
        return self._sums.sum(axis=0)

    def update(self, scale: float) -> None:
        """Update the weights from the sum of everybody's gradients, times `scale`."""
        for module, shared, gradients in self._parts:
            n = len(shared[0].whole)
            mine = slice(*(k * n // len(gradients) for k in (self._k, self._k + 1)))
            g = gradients[self._k].whole[mine]
            for k, flat in enumerate(gradients):
                if k != self._k:
                    g += flat.whole[mine]
            weights, *memory = (flat.whole[mine] for flat in shared)
            module.optimizer.begin()
            module.optimizer.change(weights, g, scale, *memory)
        self._meet()

    def _meet(self) -> None:
        """Wait until all workers are here. They watch each other's counts: nothing is faster."""
        self._met[self._k] += 1
        while self._met.min() < self._met[self._k]:
            os.sched_yield()
            if self._team.stopping:
                raise ChannelClosed
