"""What schedules share that run in several workers at the same time."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np

from sgdni._util.checks import check_range
from sgdni._util.fingerprint import fingerprint
from sgdni.parallel.workers import TEAMS, Processes, Task, Team
from sgdni.parallel.workers.ranks import check_ranks
from sgdni.schedules.divergence import DivergenceError
from sgdni.schedules.schedule import Schedule, StepResult

Batch = tuple[np.ndarray, np.ndarray]
Batches = Iterable[Batch]


@runtime_checkable
class Repeatable(Protocol):
    """Minibatches that can be passed over again, here and, by a copy, in another process."""

    rng: np.random.Generator

    def __iter__(self) -> Iterator[Batch]: ...
    def skip(self) -> None: ...
    def example(self) -> Batch: ...
    def share(self, k: int, of: int) -> Iterator[Batch]: ...


class Parallel(Schedule):
    """A schedule that runs in several workers, connected by links.

    Attributes
    ----------
    worker : str
        What a worker is called in messages, before its number.
    """

    worker = "module"

    def choose_workers(self, workers: str, latency: float, bandwidth: float,
                       count: int | None = None, each: str = "module") -> None:
        """Check and keep the options.

        Parameters
        ----------
        workers : "threads", "processes" or "mpi"
        latency : simulated seconds that each message is under way between workers
        bandwidth : simulated bytes a second that each link carries, in each direction
        count : how many workers there are, by default one for each module
        each : what each of them is for

        Raises
        ------
        ValueError
            For options out of range, or another number of ranks than workers.
        ImportError
            Without MPI, if it is needed.
        """
        if workers not in TEAMS:
            raise ValueError(f"workers: expected one of {', '.join(TEAMS)}, got {workers}")
        check_range("latency", latency, 0, np.inf, open_high=True)
        check_range("bandwidth", bandwidth, 0, np.inf, open_low=True)
        if workers == "mpi":
            check_ranks(len(self.network.modules) if count is None else count, each)
        self.workers, self.latency, self.bandwidth = workers, latency, bandwidth
        # Processes that wait for the next run, and what they wait for; None while they work.
        self._crew: tuple[Processes, tuple | None] | None = None

    def check_batches(self, batches: Batches) -> None:
        """Refuse minibatches that this schedule cannot train on. Raises ValueError."""

    def tasks(self, batches: Batches, team: Team) -> list[Task]:
        """Return what each worker of a new team has to do."""
        raise NotImplementedError

    def state_of(self, i: int) -> dict[str, Any]:
        """Return all that worker i changes, to be sent where it is taken over."""
        raise NotImplementedError

    def take_state(self, i: int, state: dict[str, Any]) -> None:
        """Take over what worker i changed in another process."""
        raise NotImplementedError

    def step(self, x: np.ndarray, y: np.ndarray) -> StepResult:
        [result] = self.run([(x, y)])
        return result

    def run(self, batches: Batches) -> Iterator[StepResult]:
        """Train on minibatches, yielding the results in order, a few at a time.

        An exception in any worker, or in whoever consumes the results, stops all workers before
        it goes on; the modules then stand at different steps. Processes wait for the next run
        over the same `Repeatable` minibatches, unless something here has changed meanwhile: an
        array of the state, a generator, or any public attribute of the schedule and its parts.
        """
        self.check_batches(batches)
        stay = self.workers == "processes" and isinstance(batches, Repeatable)
        if stay and self._crew is not None and self._crew[1] == self._seen(batches):
            team = self._crew[0]
            results = team.again(self.recorder.began, self.take_state)
        else:
            self.dismiss()
            team = TEAMS[self.workers]()
            team.worker = self.worker
            results = team.run(self.tasks(batches, team), self.state_of, self.take_state,
                               self._renew if stay else None)
            if stay:
                self._end_crew = weakref.finalize(self, team.end)
        if not stay:
            yield from results
            return
        self._crew = team, None
        yield from results
        batches.skip()  # what a pass over the minibatches does there
        self._crew = team, self._seen(batches)

    def dismiss(self) -> None:
        """End the processes that wait for another run, if there are any."""
        if self._crew is not None:
            self._end_crew()  # and forget it: it would keep all memory of the team
            self._crew = None

    def _renew(self, worker: int, began: float) -> None:
        """Forget, in a process that stays, what was recorded before `began`."""
        if began != self.recorder.began:
            for i in range(len(self.network.modules)):
                self.recorder.forget(i)
            self.recorder.began = began

    def _seen(self, batches: Repeatable) -> tuple:
        """Return what tells whether a worker still has all that it has had from us."""
        # Gradients are nobody's option, and whoever measures something here overwrites them.
        return batches, self.recorder, fingerprint(
            [self.state(), self.generators, batches.rng, _options(batches), self],
            without=("recorder", "grads"))


def counted(handle: Callable[..., None], messages: Iterable[tuple]) -> None:
    """Call ``handle(*message)`` for each, so that a DivergenceError knows in which step it was."""
    for step, message in enumerate(messages, start=1):
        try:
            handle(*message)
        except DivergenceError as error:
            error.step = step
            raise


def _options(part: object) -> dict[str, object]:
    """Return the plain attributes of an object: rates, limits, every how many steps."""
    return {name: value for name, value in vars(part).items()
            if isinstance(value, bool | int | float | str)}
