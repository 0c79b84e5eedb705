"""Messages between MPI ranks: wires that carry them, and channels that schedules put and get by."""

from __future__ import annotations

from collections import deque
from typing import Any

from sgdni._util.arrays import copied
from sgdni.parallel.workers.channel import ChannelClosed, Link
from sgdni.parallel.workers.ranks import wait_until
from sgdni.parallel.workers.team import Team


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


class RankChannel(Link):
    """From one rank to another."""

    def __init__(self, team: Team, wire: Wire, capacity: int, latency: float,
                 bandwidth: float) -> None:
        super().__init__(capacity, latency, bandwidth)
        self._team, self._wire = team, wire

    def put(self, message: Any) -> None:
        self._check()
        wait_until(self._has_room, self._check)
        # Copies, for arrays are read until they are received.
        self._wire.send((self._due(message), copied(message)))

    def _has_room(self) -> bool:
        return self._wire.under_way() < self.capacity

    def _receive(self) -> tuple[float, Any] | None:
        received = self._wire.receive()
        return received and received[0]

    def _pause(self, seconds: float | None) -> None:
        wait_until(self.there)

    def _check(self) -> None:
        if self._team.stopping:
            raise ChannelClosed
