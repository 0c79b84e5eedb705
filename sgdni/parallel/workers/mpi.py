"""A team of MPI ranks: one process for each task, on one machine or on several.

Every rank runs the same program and so holds the whole network, but works only on its own task:
rank 0 on the first. When a run is over the ranks have told each other what they changed, so that
network, generators and results are the same everywhere.
"""

from __future__ import annotations

import math
import time
from typing import Any

from sgdni._util.fingerprint import fingerprint
from sgdni.parallel.workers.ranks import LONGEST_SLEEP, rank_name, wait_until, world
from sgdni.parallel.workers.report import Report, report
from sgdni.parallel.workers.team import ERROR, POLL_SECONDS, News, Work
from sgdni.parallel.workers.threads import Threads
from sgdni.parallel.workers.wire import RankChannel, Wire

NEWS = 0  # the tag of what ranks tell each other; those of channels follow


class Mpi(Threads):
    """Runs task i in rank i, in a thread; the main thread tells the others its news meanwhile.

    Made and run by all ranks at the same time; `check_ranks` tells whether there are as many as
    tasks. Results and exceptions are the same in all ranks, the latter with notes that name the
    rank. A run raises ValueError when the ranks do not start from the same state.
    """

    _apart = True

    def __init__(self) -> None:
        from mpi4py.util import pkl5  # after world(), which says what to do where it is missing

        super().__init__()
        comm, request = world().Idup()
        wait_until(request.Test)
        self._comm, self._rank = pkl5.Intracomm(comm), comm.rank
        self._others = sorted(set(range(comm.size)) - {comm.rank})
        self._wires: dict[tuple[int, int, int], Wire] = {}
        self._tag = NEWS

    def channel(self, capacity: int, latency: float, message_bytes: int = 0,
                ends: tuple[int, int] = (0, 0), bandwidth: float = math.inf) -> RankChannel:
        self._tag += 1
        return RankChannel(self, self._wire(*ends, self._tag), capacity, latency, bandwidth)

    def end(self, error: BaseException | None = None) -> None:
        if error is not None:
            left = isinstance(error, GeneratorExit)
            self._tell(ERROR, self._report(
                RuntimeError(f"{rank_name(self._rank)} has left the run") if left else error))
        super().end()
        self._meet()

    def _start(self, works: list[Work]) -> None:
        self._check_alike([work.state_of(work.i) for work in works])
        super()._start([works[self._rank]])

    def _news(self, working: set[int]) -> News:
        news = []
        for i, kind, content in super()._news(working):
            if kind == ERROR:
                content = self._report(content)
            self._tell(kind, content)
            news.append((i, kind, content))
        for other in self._others:
            wire = self._wire(other, self._rank, NEWS)
            while (received := wire.receive()) is not None:
                news.append((other, *received[0]))
        return news

    def _pause(self) -> None:
        if self._ended.wait(POLL_SECONDS):  # nothing is left to do here but to listen
            time.sleep(LONGEST_SLEEP)

    def _tell(self, kind: str, content: Any) -> None:
        for other in self._others:
            self._wire(self._rank, other, NEWS).send((kind, content))

    def _first_error(self) -> BaseException:
        return self._errors[min(self._errors)]  # which is the same in all ranks

    def _meet(self) -> None:
        """Wait for all ranks, and receive whatever is under way."""
        wait_until(self._comm.Ibarrier().Test)
        sent = {ends: wire.sent for ends, wire in self._wires.items() if ends[0] == self._rank}
        for ends, count in (item for part in self._comm.allgather(sent) for item in part.items()):
            source, dest, tag = ends
            while dest == self._rank and self._wire(*ends).received < count:
                received = self._wire(*ends).receive()
                if received is not None and tag == NEWS and received[0][0] == ERROR:
                    self._errors[source] = received[0][1].error()
        for wire in self._wires.values():
            wait_until(lambda wire=wire: wire.under_way() == 0)
        self._comm.Free()

    def _check_alike(self, state: Any) -> None:
        own = fingerprint(state)
        wait_until(self._comm.Ibarrier().Test)
        prints = self._comm.allgather(own)
        others = [rank for rank, seen in enumerate(prints) if seen != prints[0]]
        if others:
            raise ValueError(
                f"engine mpi: {', '.join(map(rank_name, others))}: other weights or generators "
                f"than in rank 0 at the start of a run, or other minibatches where each reads its "
                f"own; expected the same program, settings and checkpoint, and the same version of "
                f"NumPy, everywhere"
            )

    def _report(self, error: BaseException) -> Report:
        return report(error, f"in {rank_name(self._rank)}")

    def _wire(self, *ends: int) -> Wire:
        """Return the wire from one rank to another (source, dest, tag)."""
        if ends not in self._wires:
            self._wires[ends] = Wire(self._comm, *ends)
        return self._wires[ends]
