"""A bounded first-in-first-out link between two workers, with a latency, that can be closed.

Python's own queue has neither a latency nor, before 3.13, a way to wake everybody who waits.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

import numpy as np

from sgdni._util.checks import check_range


class ChannelClosed(Exception):
    """The other side is gone: raised to everyone who waits on a closed channel, or comes later."""


def copied(message: Any) -> Any:
    """Return a message with copies of its arrays, which their owners go on to change."""
    if isinstance(message, tuple):
        return tuple(a.copy() if isinstance(a, np.ndarray) else a for a in message)
    return message


class Channel:
    """Messages from one thread to another.

    Parameters
    ----------
    capacity : int or None
        Most messages under way or waiting; `put` waits for room. None for any number.
    latency : float
        Seconds between `put` and the earliest `get`: a simulated link.

    Attributes
    ----------
    arrived : float
        When the latest message taken had come, by time.perf_counter().
    """

    def __init__(self, capacity: int | None = None, latency: float = 0.0) -> None:
        check_range("latency", latency, 0, float("inf"), open_high=True)
        self.capacity, self.latency = capacity, latency
        self._messages: deque[tuple[float, Any]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self.arrived = float("nan")

    def put(self, message: Any) -> None:
        """Send `message`, with copies of the arrays in it, waiting for room."""
        message = copied(message)
        with self._changed:
            while self.capacity is not None and len(self._messages) >= self.capacity:
                self._wait(None)
            self._check()
            self._messages.append((time.perf_counter() + self.latency, message))
            self._changed.notify_all()

    def get(self) -> Any:
        """Wait for the next message and return it."""
        with self._changed:
            while not self._arrived():
                left = self._messages[0][0] - time.perf_counter() if self._messages else None
                self._wait(left)
            self._check()
            return self._take()

    def get_nowait(self) -> Any | None:
        """Return the next message if it has arrived, else None."""
        if not self._messages and not self._closed:  # without the lock: the common case is cheap
            return None
        with self._changed:
            self._check()
            return self._take() if self._arrived() else None

    def close(self) -> None:
        """Wake everybody who waits, with ChannelClosed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _arrived(self) -> bool:
        return bool(self._messages) and self._messages[0][0] <= time.perf_counter()

    def _take(self) -> Any:
        self.arrived, message = self._messages.popleft()
        self._changed.notify_all()
        return message

    def _wait(self, timeout: float | None) -> None:
        self._check()
        self._changed.wait(timeout)
        self._check()

    def _check(self) -> None:
        if self._closed:
            raise ChannelClosed
