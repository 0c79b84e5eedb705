"""A team of MPI ranks: one process for each module, on one machine or on several.

Every rank runs the same program and so holds the whole network, but works only on its own module:
rank 0 on the lowest. When a run is over the ranks exchange what they changed, so that network,
generators and results are the same everywhere.
"""

from __future__ import annotations

import math
import pickle
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from sgdni._util.blas import blas_threads
from sgdni._util.fingerprint import fingerprint
from sgdni.parallel.workers.channel import ChannelClosed
from sgdni.parallel.workers.ranks import rank_name, wait_until, world
from sgdni.parallel.workers.threads import POLL_SECONDS, Task
from sgdni.parallel.workers.wire import RankChannel, Wire

STOP, RESULTS, FIRST_CHANNEL = 0, 1, 2  # tags


class Mpi:
    """Runs task i in rank i, in a thread of its own, with one BLAS thread.

    The main thread listens for news from other ranks meanwhile. Made and run by all ranks at the
    same time; `check_ranks` tells whether there are as many as modules.

    Attributes
    ----------
    stopping : bool
        Set when the task of this rank has to end.
    """

    def __init__(self) -> None:
        from mpi4py.util import pkl5  # after world(), which says what to do where it is missing

        comm, request = world().Idup()
        wait_until(request.Test)
        self._comm, self._rank = pkl5.Intracomm(comm), comm.rank
        self.stopping = self._finished = False
        self._error: BaseException | None = None
        self._wires: dict[tuple[int, int, int], Wire] = {}
        self._channels = 0

    def channel(self, capacity: int, latency: float, message_bytes: int,
                ends: tuple[int, int], bandwidth: float = math.inf) -> RankChannel:
        """Return a new channel between two tasks, from ``ends[0]`` to ``ends[1]``."""
        self._channels += 1
        wire = self._wire(*ends, FIRST_CHANNEL + self._channels)
        return RankChannel(self, wire, capacity, latency, bandwidth)

    def run(self, tasks: Sequence[Task], state_of: Callable[[int], Any],
            take_state: Callable[[int, Any], None]) -> Iterator[Any]:
        """Run task i in rank i and yield what all tasks emit: in rank 0 a few results at a time,
        in the others at the end.

        When all are done, each rank gets what ``state_of(i)`` returned in rank i through
        ``take_state(i, ...)``. The first exception in any rank ends the others and is raised in
        all of them, with notes that name the rank; nothing is taken over then.

        Raises
        ------
        ValueError
            When the ranks do not start from the same state.
        """
        self._check_alike([state_of(i) for i in range(len(tasks))])
        emitted: list[Any] = []
        worker = threading.Thread(target=self._work, args=(tasks[self._rank], emitted),
                                  daemon=True, name=f"sgdni module {self._rank + 1}")
        fresh: deque[Any] = deque()  # results that rank 0 has heard of and not yet yielded
        self._wire(self._rank, 0, RESULTS)  # before there are two threads to make it
        try:
            with blas_threads(1):
                worker.start()
                while worker.is_alive():
                    worker.join(POLL_SECONDS)
                    self._listen(fresh)
                    while fresh:
                        yield fresh.popleft()
        except BaseException as error:  # Ctrl-C; or GeneratorExit: the caller has left
            self._error = error
        self._stop_others()
        worker.join()
        error, state = self._error, None
        if self._finished and error is None:
            state = state_of(self._rank)
        endings = self._meet((_portable(error, self._rank), state, emitted), fresh)
        if isinstance(error, GeneratorExit):
            raise error
        if self._rank:
            fresh.extend(result for *_, results in endings for result in results)
        yield from fresh
        for error, _, _ in endings:
            if error is not None:
                raise error
        for i, (_, state, _) in enumerate(endings):
            take_state(i, state)

    def _work(self, task: Task, emitted: list[Any]) -> None:
        wire, told, at = self._wire(self._rank, 0, RESULTS), 0, time.perf_counter()

        def tell() -> None:
            nonlocal told, at
            if told < len(emitted):
                wire.send(emitted[told:])
            told, at = len(emitted), time.perf_counter()

        def emit(result: Any) -> None:
            emitted.append(result)
            if time.perf_counter() - at > POLL_SECONDS:
                tell()

        try:
            # Settings of np.errstate hold for one thread; the divergence guard reports instead.
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                task(emit)
            self._finished = True
        except ChannelClosed:
            pass
        except BaseException as error:
            self._error = error
        tell()

    def _listen(self, fresh: deque[Any]) -> None:
        """Take news from other ranks: that all have to stop, and results."""
        for other in range(self._comm.size):
            if self._wire(other, self._rank, STOP).receive():
                self.stopping = True
            if self._rank == 0:
                while (received := self._wire(other, 0, RESULTS).receive()) is not None:
                    fresh.extend(received[0])

    def _stop_others(self) -> None:
        """End the task here, and when it is this rank that has failed, in the others too."""
        if self._error is not None:
            self.stopping = True
            for other in set(range(self._comm.size)) - {self._rank}:
                self._wire(self._rank, other, STOP).send(None)

    def _meet(self, ending: Any, fresh: deque[Any]) -> list[Any]:
        """Wait for all ranks, exchange their endings, and receive whatever is under way."""
        wait_until(self._comm.Ibarrier().Test)
        sent = {ends: wire.sent for ends, wire in self._wires.items() if ends[0] == self._rank}
        endings, counts = zip(*self._comm.allgather((ending, sent)), strict=True)
        for ends, count in (item for part in counts for item in part.items()):
            if ends[1] == self._rank:
                wire = self._wire(*ends)
                while wire.received < count:
                    received = wire.receive()
                    if received is not None and ends[2] == RESULTS:
                        fresh.extend(received[0])
        for wire in self._wires.values():
            wait_until(lambda wire=wire: wire.under_way() == 0)
        self._comm.Free()
        return list(endings)

    def _check_alike(self, state: Any) -> None:
        own = fingerprint(state)
        wait_until(self._comm.Ibarrier().Test)
        prints = self._comm.allgather(own)
        others = [rank for rank, seen in enumerate(prints) if seen != prints[0]]
        if others:
            self._comm.Free()
            raise ValueError(
                f"engine mpi: {', '.join(map(rank_name, others))}: other weights or generators "
                f"than in rank 0 at the start of a run; expected the same program, settings and "
                f"checkpoint, and the same version of NumPy, everywhere"
            )

    def _wire(self, source: int, dest: int, tag: int) -> Wire:
        ends = (source, dest, tag)
        if ends not in self._wires:
            self._wires[ends] = Wire(self._comm, *ends)
        return self._wires[ends]


def _portable(error: BaseException | None, rank: int) -> BaseException | None:
    """Return the error with notes on where it happened, in a form that can be sent."""
    if error is None:
        return None
    if isinstance(error, GeneratorExit):
        return RuntimeError(f"{rank_name(rank)} has left the run")
    notes = [f"in {rank_name(rank)}", "".join(traceback.format_exception(error)).rstrip()]
    error.__notes__ = [*getattr(error, "__notes__", []), *notes]
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
        error.__notes__ = notes
    return error
