"""Links between processes of one machine: messages through memory that they share."""

from __future__ import annotations

import mmap
import pickle
import struct
import time
from typing import Any

from sgdni.parallel.workers.channel import ChannelClosed, Link
from sgdni.parallel.workers.team import POLL_SECONDS


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

    def _has_room(self) -> bool:
        return self._room.get_value() > 0

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
