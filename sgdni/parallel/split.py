"""What schedules share that have one worker for each module, each linked to its neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from sgdni._util.arrays import each, fill
from sgdni.parallel.base import Batches, Parallel, Repeatable, counted
from sgdni.parallel.workers import Emit, Link, Task, Team

MESSAGE_HEAD_BYTES = 16384  # everything in a message but its arrays


class ModuleWorker:
    """One module at work, with its ends of the links: None where the network ends.

    inputs, down : from the module below, and to it
    up, above : to the module above, and from it
    """

    def __init__(self, schedule: Split, i: int, inputs: Link | None, up: Link | None,
                 above: Link | None, down: Link | None) -> None:
        self.schedule, self.i = schedule, i
        self.inputs, self.up, self.above, self.down = inputs, up, above, down

    def work(self, source: Iterable[tuple], emit: Emit) -> None:
        """Handle every minibatch of `source`, then what is still under way from above."""
        counted(partial(self.handle, emit), source)
        if self.up is not None:
            self.up.put(None)
        self.finish()

    def handle(self, emit: Emit, h_below: np.ndarray, y: np.ndarray) -> None:
        """Train on one minibatch, whose result the top one emits."""
        raise NotImplementedError

    def finish(self) -> None:
        """Take what comes from above after the last minibatch."""

    def end_in_loss(self, emit: Emit, h: np.ndarray, y: np.ndarray) -> None:
        """Learn from the true loss, as the top module."""
        result, delta = self.schedule.loss(h, y)
        self.learn(delta)
        emit(result)

    def learn(self, delta: np.ndarray) -> None:
        """Learn, and send the gradient of the input down."""
        delta_below = self.schedule.learn(self.i, delta, target=self.down is not None)
        if self.down is not None:
            self.down.put((delta_below,))


class Split(Parallel):
    """A schedule with one worker for each module. The lowest one reads the minibatches."""

    Worker = ModuleWorker

    def rooms(self, i: int) -> tuple[int, int]:
        """Return how many messages the links between modules i and i + 1 hold: up and down."""
        return 1, 1

    def first_message(self, x: np.ndarray, y: np.ndarray) -> tuple:
        """Return what the lowest module handles of a minibatch."""
        return x, y

    def tasks(self, batches: Batches, team: Team) -> list[Task]:
        batches, size = self._sized(batches)

        def link(room: int, *ends: int) -> Link:
            return team.channel(room, self.latency, size, ends, self.bandwidth)

        rooms = [self.rooms(i) for i in range(self.top)]
        up = [None, *(link(room, i, i + 1) for i, (room, _) in enumerate(rooms)), None]
        down = [None, *(link(room, i + 1, i) for i, (_, room) in enumerate(rooms)), None]

        def read() -> Iterator[tuple]:
            for batch in batches:
                if team.stopping:
                    return
                yield self.first_message(*batch)

        def received(i: int) -> Iterator[tuple]:
            while (message := up[i].get()) is not None:
                self.recorder.note(i, "queued", up[i].arrived)
                yield message

        def task(emit: Emit, i: int) -> None:
            worker = self.Worker(self, i, up[i], up[i + 1], down[i + 1], down[i])
            worker.work(received(i) if i > 0 else read(), emit)

        return [partial(task, i=i) for i in range(self.top + 1)]

    def state_of(self, i: int) -> dict[str, Any]:
        """Return all that worker i changes: arrays, and with the lowest one the generators."""
        parts = {"module": self.network.modules[i].state()}
        if i < len(self.network.interfaces):
            parts["interface"] = self.network.interfaces[i].state()
        if i == 0:
            parts["schedule"] = self.own_state()
            parts["generators"] = {k: g.bit_generator.state for k, g in self.generators.items()}
        parts["record"] = self.recorder.state_of(i)
        return parts

    def take_state(self, i: int, state: dict[str, Any]) -> None:
        live = self.state_of(i)
        self.recorder.take_state(i, state["record"])
        for part in live.keys() - {"generators", "record"}:
            fill(live[part], state[part])
        for name, value in state.get("generators", {}).items():
            self.generators[name].bit_generator.state = value

    def _sized(self, batches: Batches) -> tuple[Batches, int]:
        """Return the minibatches, and the size of the largest message that they bring about."""
        if self.workers != "processes":  # whose links have room for any
            return iter(batches), 0  # which draws their order, in every rank
        if isinstance(batches, Repeatable):
            x, y = batches.example()
        else:
            iterator = iter(batches)
            if (first := next(iterator, None)) is None:
                return iterator, MESSAGE_HEAD_BYTES
            batches, (x, y) = chain([first], iterator), first
        largest, h = 0, x
        for module in self.network.modules:
            h = module.forward(h, training=False)
            largest = max(largest, sum(array.nbytes for array in each(h)))
        context = sum(c.nbytes for c in self.network.context(x, y) if c is not None)
        return batches, largest + context + y.nbytes + MESSAGE_HEAD_BYTES
