"""Messages between MPI ranks: wires that carry them, and channels that schedules put and get by."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from sgdni.parallel.workers.channel import ChannelClosed, copied
from sgdni.parallel.workers.ranks import wait_until


class Stoppable(Protocol):
    """A team that tells its tasks when to end."""

    stopping: bool


class Wire:
    """Messages from one rank to another: NumPy arrays travel as they are, the rest pickled."""

    def __init__(self, comm: Any, source: int, dest: int, tag: int) -> None:
        self.comm, self.source, self.dest, self.tag = comm, source, dest, tag
        self.sent = self.received = 0  # the one counts at the sender, the other at the receiver
        self._under_way: deque[Any] = deque()
        self._arriving: Any = None

    def send(self, message: Any) -> None:
        # Synchronous mode: complete only when the receiver has begun to receive.
        self._under_way.append(self.comm.issend(message, self.dest, self.tag))
        self.sent += 1

    def under_way(self) -> int:
        """Return how many messages the receiver has not begun to receive."""
        while self._under_way and self._under_way[0].test()[0]:
            self._under_way.popleft()
        return len(self._under_way)

    def receive(self) -> tuple[Any] | None:
        """Return the next message in a tuple, or None if there is none yet. Never waits."""
        if self._arriving is None:
            found = self.comm.improbe(self.source, self.tag)
            if found is None:
                return None
            self._arriving = found.irecv()
        complete, message = self._arriving.test()
        if not complete:
            return None
        self._arriving = None
        self.received += 1
        return (message,)


class RankChannel:
    """Like Channel, between two ranks: one puts, the other gets."""

    def __init__(self, team: Stoppable, wire: Wire, capacity: int, latency: float) -> None:
        self.latency = latency
        self._team, self._wire, self._capacity = team, wire, capacity
        self._next: tuple[float, Any] | None = None
        self.arrived = float("nan")

    def put(self, message: Any) -> None:
        """Send, waiting for room. Arrays are copied, for they are read until they are received."""
        self._wait(lambda: self._wire.under_way() < self._capacity)
        self._wire.send((time.perf_counter() + self.latency, copied(message)))

    def get(self) -> Any:
        """Wait for the next message and return it."""
        self._wait(self._arrived)
        return self._take()

    def get_nowait(self) -> Any | None:
        """Return the next message if it has arrived, else None."""
        self._check()
        return self._take() if self._arrived() else None

    def _arrived(self) -> bool:
        if self._next is None:
            received = self._wire.receive()
            if received is None:
                return False
            self._next = received[0]
        return self._next[0] <= time.perf_counter()  # one clock for all processes of a machine

    def _take(self) -> Any:
        (self.arrived, message), self._next = self._next, None
        return message

    def _wait(self, ready: Callable[[], bool]) -> None:
        self._check()
        wait_until(ready, self._check)

    def _check(self) -> None:
        if self._team.stopping:
            raise ChannelClosed
