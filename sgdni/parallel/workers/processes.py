"""A team of processes: no interpreter's lock is shared, so small operations scale too.

The processes are forked when a run starts and so begin with everything as it stands; messages go
through shared memory; at the end each sends its module's arrays back. Linux only: elsewhere fork is
missing or unsafe beside threaded libraries.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any

from sgdni._util.blas import blas_threads
from sgdni.parallel.workers.memory import SharedChannel
from sgdni.parallel.workers.orphans import end_with_parent
from sgdni.parallel.workers.report import report
from sgdni.parallel.workers.team import (
    ERROR,
    POLL_SECONDS,
    RESULTS,
    STATE,
    News,
    Team,
    Work,
    WorkerDied,
)

END = "end"  # to a process that stays: do not


class Processes(Team):
    """Runs each task in a process.

    After a run with `stay` they wait until `again` has them run their tasks once more, with all as
    they left it; ``stay(i, message)`` is called in each before that.

    ValueError where the system cannot fork safely.
    """

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise ValueError("engine processes: expected Linux; use engine threads, or engine "
                             "sequential where Python has no threads either (in a browser)")
        self._context = multiprocessing.get_context("fork")
        self._closed = mmap.mmap(-1, mmap.PAGESIZE)
        self._parent = os.getpid()
        self._connections: list[Connection] = []
        self._processes: list[Any] = []

    @property
    def stopping(self) -> bool:
        """Set when all tasks have to end, in every process."""
        return bool(self._closed[0])

    def channel(self, capacity: int, latency: float, message_bytes: int = 0,
                ends: tuple[int, int] | None = None, bandwidth: float = math.inf) -> SharedChannel:
        return SharedChannel(self._context, capacity, latency, message_bytes, self._closed,
                             bandwidth)

    def again(self, message: Any, take_state: Callable[[int, Any], None]) -> Iterator[Any]:
        """Run the tasks of `run` once more, in the processes that stayed."""
        yield from self._follow(partial(self._tell, message), len(self._processes), take_state)

    def end(self, error: BaseException | None = None) -> None:
        self._stop()
        self._tell(END)
        for connection in self._connections:
            connection.close()
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()
        self._connections, self._processes = [], []

    def _start(self, works: list[Work]) -> None:
        with blas_threads(1):
            for work in works:
                self._stays = work.stay is not None
                ours, theirs = self._context.Pipe()
                self._connections.append(ours)
                process = self._context.Process(target=self._work, args=(work, theirs), daemon=True,
                                                name=f"sgdni {self.worker} {work.i + 1}")
                # Ctrl-C waits until the process is ours to end, and it deaf.
                before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
                try:
                    with warnings.catch_warnings():  # on forking beside BLAS's idle threads
                        warnings.simplefilter("ignore", DeprecationWarning)
                        process.start()
                    self._processes.append(process)
                finally:
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)
                theirs.close()

    def _tell(self, message: Any) -> None:
        for connection in self._connections:
            with contextlib.suppress(OSError):  # it has gone already, as the news will say
                connection.send(message)

    def _news(self, working: set[int]) -> News:
        numbers = {self._connections[i]: i for i in working}
        for connection in wait(list(numbers)):
            i = numbers[connection]
            try:
                yield i, *connection.recv()
            except (EOFError, OSError):  # it ended without a word
                self._processes[i].join()
                yield i, ERROR, WorkerDied(f"the process of {self.worker} {i + 1} died "
                                           f"(exit code {self._processes[i].exitcode})")

    def _stop(self) -> None:
        self._closed[0] = 1

    def _work(self, work: Work, connection: Connection) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
        end_with_parent(self._parent)
        for copy in self._connections:  # of the parent's ends: only it is to hold them open, or
            copy.close()  # who sends to it would wait for ever when it has left
        held: list[Any] = []
        handed_out = time.perf_counter()

        def hand_out() -> None:
            nonlocal handed_out
            connection.send((RESULTS, held))
            held.clear()
            handed_out = time.perf_counter()

        def emit(result: Any) -> None:
            held.append(result)
            if time.perf_counter() - handed_out > POLL_SECONDS:
                hand_out()

        try:
            while True:
                kind, content = work(emit)
                if kind == ERROR:
                    raise content
                hand_out()
                connection.send((kind, content))
                if not work.stay or kind != STATE or (message := connection.recv()) == END:
                    break
                work.stay(work.i, message)
        except BaseException as error:  # of the task, of what it emits, of anything
            where = f"in the process of {self.worker} {work.i + 1}"
            with contextlib.suppress(Exception):  # it may be they that cannot be sent
                hand_out()
            with contextlib.suppress(OSError):  # the parent has gone
                connection.send((ERROR, report(error, where)))
        finally:
            connection.close()
            os._exit(0)  # leave at once: what the parent registered for its exit is not ours
