"""A team of processes: no interpreter's lock is shared, so small operations scale too.

The processes are forked when a run starts and so begin with everything as it stands; messages go
through shared memory; at the end each sends its module's arrays back. Linux only: elsewhere fork is
missing or unsafe beside threaded libraries.
"""

from __future__ import annotations

import math
import mmap
import multiprocessing
import os
import pickle
import signal
import struct
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np

from sgdni._util.blas import blas_threads
from sgdni.parallel.workers.channel import ChannelClosed, Link
from sgdni.parallel.workers.threads import POLL_SECONDS, Task


class SharedChannel(Link):
    """Between two processes forked after it was made: one sends, one receives.

    A ring of slots in shared memory, each with room for one message. There is one more slot than
    `capacity`: the latest message taken is read where it lies, without another copy, and so its
    arrays are valid until the next one is taken.
    """

    def __init__(self, context, capacity: int, latency: float, message_bytes: int,
                 closed: mmap.mmap, bandwidth: float) -> None:
        super().__init__(capacity, latency, bandwidth)
        self._slot = -(-message_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
        self._slots = capacity + 1
        self._memory = memoryview(mmap.mmap(-1, self._slots * self._slot))
        self._room, self._items = context.Semaphore(capacity), context.Semaphore(0)
        self._closed = closed
        self._sent = self._received = 0  # the sender counts the one, the receiver the other

    def put(self, message: Any) -> None:
        """Send a copy of `message`, waiting for room. ValueError when it does not fit a slot."""
        self._check()
        while not self._room.acquire(timeout=POLL_SECONDS):
            self._check()
        buffers: list[pickle.PickleBuffer] = []
        head = pickle.dumps((self._due(message), message), protocol=5,
                            buffer_callback=buffers.append)
        parts = [head, *(buffer.raw() for buffer in buffers)]
        lengths = struct.pack(f"={1 + len(parts)}q", len(parts), *map(len, parts))
        size = sum(map(_padded, map(len, [lengths, *parts])))
        if size > self._slot:
            raise ValueError(
                f"message between processes: expected at most {self._slot} bytes, as the first "
                f"minibatch needs, got {size}; keep the batch size"
            )
        start = (self._sent % self._slots) * self._slot
        for part in (lengths, *parts):
            self._memory[start : start + len(part)] = part
            start += _padded(len(part))
        self._sent += 1
        self._items.release()

    def _receive(self) -> tuple[float, Any] | None:
        return self._read() if self._items.acquire(block=False) else None

    def _pause(self, seconds: float | None) -> None:
        if seconds is not None:
            time.sleep(max(0.0, min(seconds, POLL_SECONDS)))
        elif self._items.acquire(timeout=POLL_SECONDS):
            self._next = self._read()

    def _read(self) -> tuple[float, Any]:
        start = (self._received % self._slots) * self._slot
        count, = struct.unpack_from("=q", self._memory, start)
        lengths = struct.unpack_from(f"={count}q", self._memory, start + 8)
        start += _padded(8 + 8 * count)
        parts = []
        for length in lengths:
            parts.append(self._memory[start : start + length])
            start += _padded(length)
        self._received += 1
        return pickle.loads(parts[0], buffers=parts[1:])

    def _taken(self) -> None:
        self._room.release()

    def _check(self) -> None:
        if self._closed[0]:
            raise ChannelClosed


def _padded(length: int) -> int:
    """Round up to 64 bytes, so that every array starts where vector instructions like it."""
    return -(-length // 64) * 64


class Processes:
    """Runs each task in a process of its own, with one BLAS thread.

    Raises
    ------
    ValueError
        Where the system cannot fork safely.
    """

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise ValueError("engine processes: expected Linux; use engine threads")
        self._context = multiprocessing.get_context("fork")
        self._closed = mmap.mmap(-1, mmap.PAGESIZE)

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
            take_state: Callable[[int, Any], None]) -> Iterator[Any]:
        """Run the tasks and yield what they emit, a few results at a time.

        When task i is done, ``state_of(i)`` is called in its process, and what it returns is
        given to ``take_state(i, ...)`` here, once all are done. The first exception in a task, or
        the death of a process, ends the others and is raised here; nothing is taken over then.
        """
        connections: list[Connection] = []
        processes = []
        states: list[Any] = [None] * len(tasks)
        error: BaseException | None = None
        try:
            with blas_threads(1):
                for i, task in enumerate(tasks):
                    ours, theirs = self._context.Pipe()
                    process = self._context.Process(
                        target=self._work, args=(i, task, state_of, theirs), daemon=True,
                        name=f"sgdni module {i + 1}",
                    )
                    with warnings.catch_warnings():  # on forking beside BLAS's idle threads
                        warnings.simplefilter("ignore", DeprecationWarning)
                        process.start()
                    theirs.close()
                    connections.append(ours)
                    processes.append(process)
            open_ends = dict(zip(connections, range(len(tasks)), strict=True))
            while open_ends:
                for connection in wait(list(open_ends)):
                    i = open_ends[connection]
                    try:
                        kind, content = connection.recv()
                    except EOFError:  # it ended without a word
                        processes[i].join()
                        kind, content = "error", RuntimeError(
                            f"the process of module {i + 1} died "
                            f"(exit code {processes[i].exitcode})"
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
        finally:
            self._closed[0] = 1
            for process in processes:
                process.join(5)
                if process.is_alive():
                    process.kill()
                    process.join()
            for connection in connections:
                connection.close()
        if error is not None:
            raise error
        for i, state in enumerate(states):
            take_state(i, state)

    def _work(self, i: int, task: Task, state_of: Callable[[int], Any],
              connection: Connection) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
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
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                task(emit)
            last = ("state", state_of(i))
        except ChannelClosed:
            last = ("stopped", None)
        except BaseException as error:
            last = ("error", error)
        try:
            connection.send(("results", held))
            connection.send(last)
        finally:
            connection.close()
            os._exit(0)  # leave at once: what the parent registered for its exit is not ours
