"""What all teams of workers share: tasks that run side by side until all are done or one breaks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from sgdni.parallel.workers.channel import ChannelClosed, Link
from sgdni.parallel.workers.report import Report, in_words, report

POLL_SECONDS = 0.05  # how often results are handed out; waking for each one would cost more
RESULTS, STATE, ENDED, ERROR = "results", "state", "ended", "error"  # what workers have to say

Emit = Callable[[Any], None]
Task = Callable[[Emit], None]
News = Iterable[tuple[int, str, Any]]  # worker, kind, content


@dataclass(frozen=True)
class Work:
    """What worker i has to do. Called with `emit`, it returns the last news: how it ended."""

    i: int
    task: Task
    state_of: Callable[[int], Any]
    stay: Callable[[int, Any], None] | None

    def __call__(self, emit: Emit) -> tuple[str, Any]:
        try:
            # Settings of np.errstate hold for one thread; the divergence guard reports instead.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                self.task(emit)
            return STATE, self.state_of(self.i)
        except ChannelClosed:  # another one has stopped this one
            return ENDED, None
        except BaseException as error:
            return ERROR, error


class WorkerDied(RuntimeError):
    """A worker has ended without a word, killed by somebody or for want of memory."""


class Team(ABC):
    """Runs tasks at the same time, each in a worker of its own, with one BLAS thread.

    Attributes
    ----------
    stopping : bool
        Tasks that wait on no channel look at it once a minibatch, and end when it is set.
    worker : str
        What a worker is called, before its number.
    """

    stopping = False
    worker = "module"
    _stays = False  # whether the workers wait for another run when one is over

    @abstractmethod
    def channel(self, capacity: int, latency: float, message_bytes: int = 0,
                ends: tuple[int, int] | None = None, bandwidth: float = np.inf) -> Link:
        """Return a new channel between two tasks. Processes need to know how large its messages
        can be, and ranks which tasks are its `ends`: sender and receiver."""

    def run(self, tasks: Sequence[Task], state_of: Callable[[int], Any],
            take_state: Callable[[int, Any], None],
            stay: Callable[[int, Any], None] | None = None) -> Iterator[Any]:
        """Run the tasks and yield what they emit, a few results at a time.

        When task i is done, ``state_of(i)`` is called where it ran, and what it returns is given
        to ``take_state(i, ...)`` here, once all are done; threads share their state and skip that.
        The first exception in a task, or the death of a worker, ends the others and is raised
        here, after the results from before it; nothing is taken over then. `stay`: see Processes.
        """
        works = [Work(i, task, state_of, stay) for i, task in enumerate(tasks)]
        yield from self._follow(partial(self._start, works), len(works), take_state)

    def _follow(self, start: Callable[[], None], count: int,
                take_state: Callable[[int, Any], None] | None) -> Iterator[Any]:
        working, states = set(range(count)), {}
        self._errors: dict[int, BaseException] = {}  # by worker, the first one first
        try:
            start()
            while working:
                for i, kind, content in self._news(working):
                    if kind == RESULTS:
                        yield from content
                        continue
                    working.discard(i)
                    if kind == STATE:
                        states[i] = content
                    elif kind == ERROR:
                        self._errors[i] = _error(content)
                        self._stop()
        except BaseException as error:  # Ctrl-C; or GeneratorExit: the caller has left
            self.end(error)
            raise
        if self._errors or not self._stays:
            self.end()
        if self._errors:
            error, self._errors = self._first_error(), {}  # its traceback would keep all alive
            if isinstance(error, StopIteration):  # which would end this generator, textless
                error = in_words(report(error))
            raise error
        if take_state is not None:
            for i in sorted(states):
                take_state(i, states[i])

    def _first_error(self) -> BaseException:
        return next(iter(self._errors.values()))

    @abstractmethod
    def _start(self, works: list[Work]) -> None:
        """Have workers begin."""

    @abstractmethod
    def _news(self, working: set[int]) -> News:
        """Wait a while for these workers, and return what they say."""

    @abstractmethod
    def _stop(self) -> None:
        """Set `stopping`, and wake every task that waits on a channel, with ChannelClosed."""

    @abstractmethod
    def end(self, error: BaseException | None = None) -> None:
        """End all workers, whatever they are at: because of an error here, if there is one."""


def _error(content: BaseException | Report) -> BaseException:
    return content.error() if isinstance(content, Report) else content
