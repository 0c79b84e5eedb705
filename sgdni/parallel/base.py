"""What schedules share that run every module in a worker of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import numpy as np

from sgdni._util.checks import check_range
from sgdni.parallel.workers import TEAMS, Link, Mpi, Processes, Threads
from sgdni.parallel.workers.ranks import check_ranks
from sgdni.schedules.schedule import Schedule, StepResult

Batches = Iterable[tuple[np.ndarray, np.ndarray]]
MESSAGE_HEAD_BYTES = 16384  # everything in a message but its arrays


class Parallel(Schedule):
    """A schedule whose modules run at the same time.

    Parameters
    ----------
    workers : "threads", "processes" or "mpi"
    latency : float
        Simulated seconds that each message is under way between modules, up and down.
    bandwidth : float
        Simulated bytes a second that each link carries, in each direction.
    """

    def choose_workers(self, workers: str, latency: float, bandwidth: float) -> None:
        """Check and keep the options. Raises ValueError, or ImportError without MPI."""
        if workers not in TEAMS:
            raise ValueError(f"workers: expected one of {', '.join(TEAMS)}, got {workers}")
        check_range("latency", latency, 0, np.inf, open_high=True)
        check_range("bandwidth", bandwidth, 0, np.inf, open_low=True)
        if workers == "mpi":
            check_ranks(len(self.network.modules))
        self.workers, self.latency, self.bandwidth = workers, latency, bandwidth

    def step(self, x: np.ndarray, y: np.ndarray) -> StepResult:
        [result] = self.run([(x, y)])
        return result

    def assemble(self, batches: Batches) -> tuple[Threads | Processes | Mpi, Batches, Callable]:
        """Return a new team, the minibatches, and ``link(capacity, sender, receiver)``, which makes
        its channels between workers."""
        team, size = TEAMS[self.workers](), 0
        if self.workers == "processes":  # their channels have a fixed size: look at the first one
            first = next(iterator := iter(batches), None)
            size = MESSAGE_HEAD_BYTES if first is None else self._message_bytes(*first)
            batches = iterator if first is None else chain([first], iterator)

        def link(capacity: int, sender: int, receiver: int) -> Link:
            return team.channel(capacity, self.latency, size, (sender, receiver), self.bandwidth)
        return team, batches, link

    def state_of(self, i: int) -> dict:
        """Return all that worker i changes: arrays, and with the lowest one the generators."""
        parts = {"module": self.network.modules[i].state()}
        if i < len(self.network.interfaces):
            parts["interface"] = self.network.interfaces[i].state()
        if i == 0:
            parts["schedule"] = self.own_state()
            parts["generators"] = {k: g.bit_generator.state for k, g in self.generators.items()}
        parts["record"] = self.recorder.state_of(i)
        return parts

    def take_state(self, i: int, state: dict) -> None:
        """Take over what worker i changed in another process."""
        live = self.state_of(i)
        self.recorder.take_state(i, state["record"])
        for part in live.keys() - {"generators", "record"}:
            for name, array in live[part].items():
                array[...] = state[part][name]
        for name, value in state.get("generators", {}).items():
            self.generators[name].bit_generator.state = value

    def received(self, i: int, channel: Link) -> Iterator[tuple]:
        """Yield the inputs of worker i until None comes."""
        while (message := channel.get()) is not None:
            self.recorder.note(i, "queued", channel.arrived)
            yield message

    def _message_bytes(self, x: np.ndarray, y: np.ndarray) -> int:
        """Return the size of the largest message that a minibatch like (x, y) brings about."""
        largest, h = 0, x
        for module in self.network.modules:
            h = module.forward(h, training=False)
            largest = max(largest, h.nbytes)
        context = sum(c.nbytes for c in self.network.context(x, y) if c is not None)
        return 2 * largest + context + y.nbytes + MESSAGE_HEAD_BYTES
