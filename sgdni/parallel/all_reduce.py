"""How the gradients of data-parallel workers add up: in memory that they share, or round a ring.

`begin` comes before a run and `finish` after it. Worker k calls `join`, and for each minibatch
`ready` when a module's gradients are there, `add_up` and `update`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from sgdni._util.arrays import fill
from sgdni._util.shared import shared_zeros
from sgdni.networks import Module
from sgdni.parallel.workers import ChannelClosed, Link, Team


class Flat:
    """Arrays of given names and shapes, one after another in memory that processes share.

    ValueError unless they are of one dtype.
    """

    def __init__(self, like: dict[Any, np.ndarray]) -> None:
        dtypes = list(dict.fromkeys(a.dtype for a in like.values())) or [np.dtype(np.float32)]
        if len(dtypes) > 1:
            raise ValueError(f"DataParallel: expected parameters of one dtype, got "
                             f"{' and '.join(map(str, dtypes))}")
        dtype, = dtypes
        self.whole = shared_zeros((sum(a.size for a in like.values()),), dtype)
        self.arrays, start = {}, 0
        for name, a in like.items():
            self.arrays[name] = self.whole[start : start + a.size].reshape(a.shape)
            start += a.size


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

    def begin(self, team: Team) -> None:
        """Share all as it is here, before a run."""
        self._met[:] = 0
        for own, flat in self._kept:
            fill(flat.arrays, own)

    def finish(self) -> None:
        """Take over here what a run has changed."""
        for own, flat in self._kept:
            fill(own, flat.arrays)

    def join(self, k: int, team: Team) -> None:
        """Be worker k: a process with a copy of the network, whose arrays are the shared ones."""
        self._k, self._team = k, team
        for module, shared, gradients in self._parts:
            module.use(shared[0].arrays, gradients[k].arrays)

    def ready(self, i: int) -> None:
        """Copy gradients that a layer of module i has not written where it was told to."""
        module, _, gradients = self._parts[i]
        fill(gradients[self._k].arrays, module.grads)

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


class Ring:
    """K workers' gradients, sent from neighbour to neighbour (Patarasuk, Yuan 2009).

    Each worker has weights of its own, which stay the same bit for bit. The links are as fast as
    can be: what slower ones cost is DataParallel's to count. MPI's own collective would not do:
    nobody can leave it when another rank has failed. Channels end when the team stops.
    """

    def __init__(self, modules: Sequence[Module], replicas: int) -> None:
        self._modules, self._replicas = modules, replicas
        params = {(i, name): p for i, module in enumerate(modules)
                  for name, p in module.params.items()}
        dtype = next(iter(params.values())).dtype if params else float
        self._flat = Flat({**params, "sums": np.zeros(3, dtype)})
        self._gradients = [{name: self._flat.arrays[i, name] for name in module.params}
                           for i, module in enumerate(modules)]

    def begin(self, team: Team) -> None:
        """Make the links."""
        k = self._replicas
        self._links = [team.channel(1, 0.0, ends=(i, (i + 1) % k)) for i in range(k)]

    def finish(self) -> None:
        """Nothing is left to take over."""

    def join(self, k: int, team: Team) -> None:
        """Be worker k."""
        self._k = k
        for module, gradients in zip(self._modules, self._gradients, strict=True):
            module.use(module.params, gradients)

    def ready(self, i: int) -> None:
        """Copy gradients that a layer of module i has not written where it was told to."""
        fill(self._gradients[i], self._modules[i].grads)

    def add_up(self, mine: np.ndarray) -> np.ndarray:
        """Add up all gradients, and return the sum of everybody's (3,) numbers."""
        self._flat.arrays["sums"][...] = mine
        all_reduce(self._flat.whole, self._k, self._replicas, to_next=self._links[self._k],
                   from_previous=self._links[self._k - 1])
        return self._flat.arrays["sums"]

    def update(self, scale: float) -> None:
        """Update the weights from the sum of everybody's gradients, times `scale`."""
        for module, gradients in zip(self._modules, self._gradients, strict=True):
            module.optimizer.step(gradients, scale)


def all_reduce(total: np.ndarray, k: int, of: int, to_next: Link, from_previous: Link) -> None:
    """Replace `total` (n,) of worker k by the sum over all `of` workers, the same bits in each.

    Of each K-th of it a sum goes round, until one worker has all, and then what that one has: in
    2 (K - 1) messages from each.
    """
    parts = np.array_split(total, of)
    for done in range(of - 1):
        to_next.put((parts[(k - done) % of],))
        parts[(k - done - 1) % of] += from_previous.get()[0]
    for done in range(of - 1):
        to_next.put((parts[(k - done + 1) % of],))
        parts[(k - done) % of][...] = from_previous.get()[0]
