"""A team of threads. NumPy releases the interpreter's lock inside its operations, but each one
must take it back afterwards, so threads scale for large products and not for small operations."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from sgdni._util.blas import blas_threads
from sgdni.parallel.workers.channel import Channel, ChannelClosed

POLL_SECONDS = 0.05  # how often results are handed out; waking for each one would cost more

Emit = Callable[[Any], None]
Task = Callable[[Emit], None]


class Threads:
    """Runs each task in a thread of its own, with one BLAS thread.

    Attributes
    ----------
    stopping : bool
        Tasks that wait on no channel look at it once a minibatch, and end when it is set.
    """

    def __init__(self) -> None:
        self.stopping = False
        self._channels: list[Channel] = []
        self._error: BaseException | None = None
        self._lock, self._finished = threading.Lock(), threading.Event()

    def channel(self, capacity: int | None, latency: float, message_bytes: int = 0,
                ends: tuple[int, int] | None = None, bandwidth: float = math.inf) -> Channel:
        """Return a new channel between two tasks. The other teams need to know which tasks
        (`ends`: sender and receiver), and how large its messages can be."""
        self._channels.append(Channel(capacity, latency, bandwidth))
        return self._channels[-1]

    def run(self, tasks: Sequence[Task], state_of: Callable[[int], Any] | None = None,
            take_state: Callable[[int, Any], None] | None = None) -> Iterator[Any]:
        """Run the tasks and yield what they emit, a few results at a time.

        The first exception in a task ends the others and is raised here, after the results from
        before it. Threads share their state: `state_of` and `take_state` are for the other teams.
        """
        results: deque[Any] = deque()
        self._running = len(tasks)
        threads = [
            threading.Thread(target=self._work, args=(task, results.append), daemon=True,
                             name=f"sgdni module {i}")
            for i, task in enumerate(tasks, start=1)
        ]
        started: list[threading.Thread] = []
        try:
            with blas_threads(1):
                for thread in threads:
                    thread.start()
                    started.append(thread)
                done = False
                while not done:
                    done = self._finished.wait(POLL_SECONDS)
                    while results:
                        yield results.popleft()
        finally:
            self._stop()
            for thread in started:
                thread.join()
        if self._error is not None:
            raise self._error

    def _stop(self) -> None:
        self.stopping = True
        for channel in self._channels:
            channel.close()

    def _work(self, task: Task, emit: Emit) -> None:
        try:
            # Settings of np.errstate hold for one thread; the divergence guard reports instead.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                task(emit)
        except ChannelClosed:
            pass
        except BaseException as error:
            with self._lock:
                self._error = self._error or error
            self._stop()
        finally:
            with self._lock:
                self._running -= 1
                if self._running == 0:
                    self._finished.set()
