"""A team of threads. NumPy releases the interpreter's lock inside its operations, but each one
must take it back afterwards, so threads scale for large products and not for small operations."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from sgdni._util.blas import blas_threads
from sgdni.parallel.workers.channel import Channel
from sgdni.parallel.workers.team import POLL_SECONDS, RESULTS, News, Team, Work


class Threads(Team):
    """Runs each task in a thread."""

    _apart = False  # whether workers share no memory

    def __init__(self) -> None:
        self._channels: list[Channel] = []
        self._threads: list[threading.Thread] = []
        self._emitted, self._endings = deque(), deque()
        self._ended = threading.Event()

    def channel(self, capacity: int, latency: float, message_bytes: int = 0,
                ends: tuple[int, int] | None = None, bandwidth: float = math.inf) -> Channel:
        self._channels.append(Channel(capacity, latency, bandwidth))
        return self._channels[-1]

    def end(self, error: BaseException | None = None) -> None:
        self._stop()
        for thread in self._threads:
            thread.join()

    def _follow(self, start: Callable[[], None], count: int,
                take_state: Callable[[int, Any], None]) -> Iterator[Any]:
        with blas_threads(1):
            yield from super()._follow(start, count, take_state if self._apart else None)

    def _start(self, works: list[Work]) -> None:
        for work in works:
            thread = threading.Thread(target=self._work, args=(work,), daemon=True,
                                      name=f"sgdni {self.worker} {work.i + 1}")
            thread.start()
            self._threads.append(thread)

    def _work(self, work: Work) -> None:
        self._endings.append((work.i, *work(self._emitted.append)))
        self._ended.set()

    def _news(self, working: set[int]) -> News:
        self._pause()
        endings = _taken(self._endings)  # first: nobody emits anything after its ending
        results = _taken(self._emitted)
        return [(-1, RESULTS, results), *endings] if results else endings

    def _pause(self) -> None:
        self._ended.wait(POLL_SECONDS)
        self._ended.clear()

    def _stop(self) -> None:
        self.stopping = True
        for channel in self._channels:
            channel.close()


def _taken(items: deque) -> list:
    """Take out what is there now, while other threads append."""
    return [items.popleft() for _ in range(len(items))]
