"""What schedules share that run every module in a worker of its own."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Protocol, runtime_checkable

import numpy as np

from sgdni._util.arrays import each
from sgdni._util.checks import check_range
from sgdni._util.fingerprint import fingerprint
from sgdni.parallel.workers import TEAMS, Link, Mpi, Processes, Threads
from sgdni.parallel.workers.ranks import check_ranks
from sgdni.parallel.workers.threads import Emit
from sgdni.schedules.recorder import NoRecorder
from sgdni.schedules.schedule import Schedule, StepResult

Team = Threads | Processes | Mpi
Batches = Iterable[tuple[np.ndarray, np.ndarray]]
MakeLink = Callable[[int, int, int], Link]  # (capacity, sender, receiver) -> Link
MESSAGE_HEAD_BYTES = 16384  # everything in a message but its arrays


@runtime_checkable
class Repeatable(Protocol):
    """Minibatches that can be passed over again, here and, by a copy, in another process."""

    rng: np.random.Generator

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]: ...

    def skip(self) -> None: ...

    def example(self) -> tuple[np.ndarray, np.ndarray]: ...

    def share(self, k: int, of: int) -> Iterator[tuple[np.ndarray, np.ndarray]]: ...


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
        self._crew: tuple[Processes, Repeatable, NoRecorder, int] | None = None

    def step(self, x: np.ndarray, y: np.ndarray) -> StepResult:
        [result] = self.run([(x, y)])
        return result

    def tasks(self, batches: Batches, team: Team, link: MakeLink) -> list[Callable[[Emit], None]]:
        """Return what each worker has to do in a run, connected by links; called anew each run."""
        raise NotImplementedError

    def run(self, batches: Batches) -> Iterator[StepResult]:
        """Train on minibatches, yielding the results in order, a few at a time.

        An exception in any module, or in whoever consumes the results, stops all workers before
        it goes on; the modules then stand at different steps. The iterable is read by the lowest
        module's worker. Processes wait for the next run over the same `Repeatable` minibatches,
        unless something here has changed meanwhile.
        """
        if self._crew is not None:
            team, theirs, recorder, seen = self._crew
            if batches is theirs and recorder is self.recorder and seen == self._print(batches):
                results = team.again(self.recorder.began, self.take_state)
                yield from self._passed(results, batches)
                return
            self.dismiss()
        team, source, link = self._assemble(batches)
        if not isinstance(batches, Repeatable) or self.workers != "processes":
            yield from team.run(self.tasks(source, team, link), self.state_of, self.take_state)
            return
        self._crew = (team, batches, self.recorder, 0)
        weakref.finalize(self, team.end)
        results = team.run(self.tasks(source, team, link), self.state_of, self.take_state,
                           self._renew)
        yield from self._passed(results, batches)

    def dismiss(self) -> None:
        """End the processes that wait for another run, if there are any."""
        if self._crew is not None:
            self._crew[0].end()
            self._crew = None

    def _passed(self, results: Iterator[StepResult], batches: Repeatable) -> Iterator[StepResult]:
        """Pass the results on, and do here what a pass over the minibatches does there."""
        try:
            yield from results
        except BaseException:
            self._crew = None
            raise
        batches.skip()
        team, *rest, _ = self._crew
        self._crew = (team, *rest, self._print(batches))

    def _renew(self, worker: int, began: float) -> None:
        """Forget, in a process that stays, what was recorded before `began`."""
        if began != self.recorder.began:
            for i in range(len(self.network.modules)):
                self.recorder.forget(i)
            self.recorder.began = began

    def _print(self, batches: Repeatable) -> int:
        """Return a fingerprint of all that a worker has had from us and may not have any more."""
        return fingerprint([
            self.state(),
            [generator.bit_generator.state for generator in self.generators.values()],
            [_options(part) for part in (
                self, self.guard, *(module.optimizer for module in self.network.modules),
                *(interface.model for interface in self.network.interfaces))],
            batches.rng.bit_generator.state,
        ])

    def _assemble(self, batches: Batches) -> tuple[Team, Batches, MakeLink]:
        """Return a new team, the minibatches, and what makes its links between workers."""
        team, size = TEAMS[self.workers](), 0
        if self.workers != "processes":
            batches = iter(batches)  # which draws their order, in every rank
        else:  # their links have room for messages of a size
            if isinstance(batches, Repeatable):
                first = batches.example()
            elif isinstance(batches, Sequence):
                first = batches[0] if batches else None
            else:
                first = next(iterator := iter(batches), None)
                batches = iterator if first is None else chain([first], iterator)
            size = MESSAGE_HEAD_BYTES if first is None else self._message_bytes(*first)

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
            largest = max(largest, sum(array.nbytes for array in each(h)))
        context = sum(c.nbytes for c in self.network.context(x, y) if c is not None)
        return largest + context + y.nbytes + MESSAGE_HEAD_BYTES


def _options(part: object) -> dict[str, object]:
    """Return the plain attributes of an object: rates, limits, every how many steps."""
    return {name: value for name, value in vars(part).items()
            if isinstance(value, bool | int | float | str)}
