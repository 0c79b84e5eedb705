"""A team of processes: no interpreter's lock is shared, so small operations scale too.

The processes are forked when a run starts and so begin with everything as it stands; messages go
through shared memory; at the end each sends its module's arrays back. Linux only: elsewhere fork is
missing or unsafe beside threaded libraries.
"""

from __future__ import annotations

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
from sgdni.parallel.workers.channel import ChannelClosed
from sgdni.parallel.workers.threads import POLL_SECONDS, Task


class SharedChannel:
    """Like Channel, between two processes forked after it was made: one sends, one receives.

    A ring of slots in shared memory, each with room for one message. There is one more slot than
    `capacity`: the latest message taken is read where it lies, without another copy.
    """

    def __init__(self, context, capacity: int, latency: float, message_bytes: int,
                 closed: mmap.mmap) -> None:
        self.latency = latency
        self._slot = -(-message_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
        self._slots = capacity + 1
        self._memory = memoryview(mmap.mmap(-1, self._slots * self._slot))
        self._room, self._items = context.Semaphore(capacity), context.Semaphore(0)
        self._closed = closed
        self._sent = self._received = 0  # the sender counts the one, the receiver the other
        self._next: tuple[float, Any] | None = None
        self.arrived = float("nan")

    def put(self, message: Any) -> None:
        """Send a copy of `message`, waiting for room. ValueError when it does not fit a slot."""
        self._acquire(self._room)
        buffers: list[pickle.PickleBuffer] = []
        at = time.perf_counter() + self.latency  # one clock for all processes of a machine
        head = pickle.dumps((at, message), protocol=5, buffer_callback=buffers.append)
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

    def get(self) -> Any:
        """Wait for the next message and return it; its arrays are valid until the next one."""
        if self._next is None:
            self._acquire(self._items)
            self._read()
        while (left := self._next[0] - time.perf_counter()) > 0:
            self._check()
            time.sleep(min(left, POLL_SECONDS))
        return self._take()

    def get_nowait(self) -> Any | None:
        """Return the next message if it has arrived, else None."""
        self._check()
        if self._next is None:
            if not self._items.acquire(block=False):
                return None
            self._read()
        return self._take() if self._next[0] <= time.perf_counter() else None

    def _read(self) -> None:
        start = (self._received % self._slots) * self._slot
        count, = struct.unpack_from("=q", self._memory, start)
        lengths = struct.unpack_from(f"={count}q", self._memory, start + 8)
        start += _padded(8 + 8 * count)
        parts = []
        for length in lengths:
            parts.append(self._memory[start : start + length])
            start += _padded(length)
        self._next = pickle.loads(parts[0], buffers=parts[1:])
        self._received += 1

    def _take(self) -> Any:
        (self.arrived, message), self._next = self._next, None
        self._room.release()
        return message

    def _acquire(self, semaphore) -> None:
        self._check()
        while not semaphore.acquire(timeout=POLL_SECONDS):
            self._check()

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
                ends: tuple[int, int] | None = None) -> SharedChannel:
        """Return a new channel between two tasks, for messages of so many bytes at most."""
        return SharedChannel(self._context, capacity, latency, message_bytes, self._closed)

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
