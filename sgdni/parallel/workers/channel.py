"""Bounded first-in-first-out links between two workers, simulated as slow as one likes.

`Link` is what all of them share; `Channel` is the one between threads of a process. Python's own
queue has neither a latency nor, before 3.13, a way to wake everybody who waits.
"""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import Any

import numpy as np

from sgdni._util.arrays import copied
from sgdni._util.checks import check_range


class ChannelClosed(Exception):
    """The other side is gone: raised to everyone who waits on a closed link, or comes later."""


def arrays_in(message: Any) -> list[np.ndarray]:
    """Return the arrays in nested tuples and lists, each once."""
    if isinstance(message, np.ndarray):
        return [message]
    parts = message if isinstance(message, tuple | list) else ()
    return list({id(array): array for part in parts for array in arrays_in(part)}.values())


class Link(ABC):
    """Messages from one worker to another, in order. Subclasses carry them.

    Parameters
    ----------
    capacity : int
        Most messages under way or waiting; `put` waits for room.
    latency : float
        Simulated seconds that a message is under way.
    bandwidth : float
        Simulated bytes a second that pass, one message after another; only arrays count.

    Attributes
    ----------
    arrived : float
        When the latest message taken had come, by time.perf_counter(), which is one clock for all
        processes of a machine.
    """

    def __init__(self, capacity: float, latency: float, bandwidth: float) -> None:
        check_range("latency", latency, 0, math.inf, open_high=True)
        check_range("bandwidth", bandwidth, 0, math.inf, open_low=True)
        self.capacity, self.latency, self.bandwidth = capacity, latency, bandwidth
        self.arrived = math.nan
        self._free = 0.0  # when all that was put before has passed
        self._next: tuple[float, Any] | None = None  # received, but not there yet

    @abstractmethod
    def put(self, message: Any) -> None:
        """Send `message`, with copies of the arrays in it, waiting for room."""

    def offer(self, message: Any) -> bool:
        """Send `message` if there is room for it now, and return whether there was."""
        self._check()
        if not self._has_room():
            return False
        self.put(message)  # only receivers change what there is room for meanwhile
        return True

    def get(self) -> Any:
        """Wait for the next message and return it."""
        while not self.there():
            self._pause(self._next and self._next[0] - time.perf_counter())
        return self._take()

    def get_nowait(self) -> Any | None:
        """Return the next message if it has arrived, else None."""
        return self._take() if self.there() else None

    def there(self) -> bool:
        """Whether a message has arrived."""
        self._check()
        if self._next is None:
            self._next = self._receive()
        return self._next is not None and self._next[0] <= time.perf_counter()

    def _due(self, message: Any) -> float:
        """Return when a message that is sent now will be there."""
        now = time.perf_counter()
        if self.bandwidth == math.inf:
            return now + self.latency
        size = sum(a.nbytes for a in arrays_in(message))
        self._free = max(self._free, now) + size / self.bandwidth
        return self._free + self.latency

    def _take(self) -> Any:
        (self.arrived, message), self._next = self._next, None
        self._taken()
        return message

    @abstractmethod
    def _has_room(self) -> bool:
        """Whether `put` would not have to wait."""

    @abstractmethod
    def _receive(self) -> tuple[float, Any] | None:
        """Take the next one off the transport: (time of arrival, message), or None."""

    @abstractmethod
    def _pause(self, seconds: float | None) -> None:
        """Wait for a message to come, or for some seconds."""

    @abstractmethod
    def _check(self) -> None:
        """Raise ChannelClosed when it is."""

    def _taken(self) -> None:  # noqa: B027
        """There is room again."""


class Channel(Link):
    """From one thread to another."""

    def __init__(self, capacity: float = math.inf, latency: float = 0.0,
                 bandwidth: float = math.inf) -> None:
        super().__init__(capacity, latency, bandwidth)
        self._messages: deque[tuple[float, Any]] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, message: Any) -> None:
        message = copied(message)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._messages) < self.capacity)
            self._check()
            self._messages.append((self._due(message), message))
            self._changed.notify_all()

    def close(self) -> None:
        """Wake everybody who waits, with ChannelClosed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return len(self._messages) < self.capacity

    def _receive(self) -> tuple[float, Any] | None:
        return self._messages[0] if self._messages else None  # it takes up room until it is taken

    def _taken(self) -> None:
        with self._changed:
            self._messages.popleft()
            self._changed.notify_all()

    def _pause(self, seconds: float | None) -> None:
        with self._changed:
            if not self._closed and (seconds is not None or not self._messages):
                self._changed.wait(seconds)

    def _check(self) -> None:
        if self._closed:
            raise ChannelClosed
