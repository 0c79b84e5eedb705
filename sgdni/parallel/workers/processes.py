"""A team of processes: no interpreter's lock is shared, so small operations scale too.

The processes are forked when a run starts and so begin with everything as it stands; messages go
through shared memory; at the end each sends its module's arrays back. Linux only: elsewhere fork is
missing or unsafe beside threaded libraries.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import mmap
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np

from sgdni._util.blas import blas_threads
from sgdni.parallel.workers.channel import ChannelClosed
from sgdni.parallel.workers.memory import SharedChannel
from sgdni.parallel.workers.threads import POLL_SECONDS, Task

END = "end"  # to a process that stays: do not


class Processes:
    """Runs each task in a process of its own, with one BLAS thread.

    ValueError where the system cannot fork safely.
    """

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise ValueError("engine processes: expected Linux; use engine threads")
        self._context = multiprocessing.get_context("fork")
        self._closed = mmap.mmap(-1, mmap.PAGESIZE)
        self._parent = os.getpid()
        self._connections: list[Connection] = []
        self._processes: list[Any] = []

    @property
    def stopping(self) -> bool:
        """Set when all tasks have to end, in every process."""
        return bool(self._closed[0])

    def channel(self, capacity: int, latency: float, message_bytes: int,
                ends: tuple[int, int] | None = None,
                bandwidth: float = math.inf) -> SharedChannel:
        """Return a new channel between two tasks, for messages of so many bytes at most."""
        return SharedChannel(self._context, capacity, latency, message_bytes, self._closed,
                             bandwidth)

    def run(self, tasks: Sequence[Task], state_of: Callable[[int], Any],
            take_state: Callable[[int, Any], None],
            stay: Callable[[int, Any], None] | None = None) -> Iterator[Any]:
        """Run the tasks and yield what they emit, a few results at a time.

        When task i is done, ``state_of(i)`` is called in its process, and what it returns is
        given to ``take_state(i, ...)`` here, once all are done. The first exception in a task, or
        the death of a process, ends the others and is raised here; nothing is taken over then.

        With `stay` the processes do not end, but wait until `again` has them run their tasks once
        more, with all as they left it; ``stay(i, message)`` is called in each before that.
        """
        try:
            with blas_threads(1):
                for i, task in enumerate(tasks):
                    self._fork(i, task, state_of, stay)
        except BaseException:
            self.end()
            raise
        yield from self._results(take_state, stay is not None)

    def again(self, message: Any, take_state: Callable[[int, Any], None]) -> Iterator[Any]:
        """Run the tasks of `run` once more, in the processes that stayed."""
        for connection in self._connections:
            connection.send(message)
        yield from self._results(take_state, True)

    def end(self) -> None:
        """End all processes."""
        self._closed[0] = 1
        for connection in self._connections:
            with contextlib.suppress(OSError):  # it has gone already
                connection.send(END)
            connection.close()
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()
        self._connections, self._processes = [], []

    def _fork(self, i: int, task: Task, state_of: Callable[[int], Any],
              stay: Callable[[int, Any], None] | None) -> None:
        ours, theirs = self._context.Pipe()
        self._connections.append(ours)
        process = self._context.Process(target=self._work, args=(i, task, state_of, theirs, stay),
                                        daemon=True, name=f"sgdni module {i + 1}")
        with warnings.catch_warnings():  # on forking beside BLAS's idle threads
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        self._processes.append(process)
        theirs.close()

    def _results(self, take_state: Callable[[int, Any], None], stay: bool) -> Iterator[Any]:
        states: dict[int, Any] = {}
        error: BaseException | None = None
        finished = False
        try:
            open_ends = {connection: i for i, connection in enumerate(self._connections)}
            while open_ends:
                for connection in wait(list(open_ends)):
                    i = open_ends[connection]
                    try:
                        kind, content = connection.recv()
                    except EOFError:  # it ended without a word
                        self._processes[i].join()
                        kind, content = "error", RuntimeError(
                            f"the process of module {i + 1} died "
                            f"(exit code {self._processes[i].exitcode})"
                        )
                    if kind == "results":
                        yield from content
                        continue
                    del open_ends[connection]
                    if kind == "state":
                        states[i] = content
                    elif kind == "error":
                        error = error or content
                        self._closed[0] = 1
            finished = error is None
        finally:
            if not (finished and stay):
                self.end()
        if error is not None:
            raise error
        for i in sorted(states):
            take_state(i, states[i])

    def _work(self, i: int, task: Task, state_of: Callable[[int], Any], connection: Connection,
              stay: Callable[[int, Any], None] | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
        _die_with(self._parent)
        held: list[Any] = []
        handed_out = time.perf_counter()

        def emit(result: Any) -> None:
            nonlocal handed_out
            held.append(result)
            if time.perf_counter() - handed_out > POLL_SECONDS:
                connection.send(("results", held))
                held.clear()
                handed_out = time.perf_counter()

        try:
            while True:
                try:
                    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                        task(emit)
                    last = ("state", state_of(i))
                except ChannelClosed:
                    last = ("stopped", None)
                except BaseException as error:
                    last = ("error", error)
                connection.send(("results", held))
                connection.send(last)
                held.clear()
                if stay is None or last[0] != "state" or (message := connection.recv()) == END:
                    break
                stay(i, message)
        finally:
            connection.close()
            os._exit(0)  # leave at once: what the parent registered for its exit is not ours


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that forked it is gone, however it went."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent:  # it had gone before
        os._exit(1)
