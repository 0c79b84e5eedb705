"""What every module did when, and what its weights were on the way: recorded while it trains.

For measured timelines beside predicted ones, for the time from an input's arrival to the update,
and for learning curves finer than an epoch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sgdni._util.checks import check_count
from sgdni._util.shared import shared_zeros
from sgdni.networks import Module


@dataclass(frozen=True)
class Interval:
    """Worker `worker` (0 at the bottom) does `kind` for minibatch `step` from start to end (s).

    kind : "queued" (the input is there, the worker is not), "forward", "predict", "backward"
        (with the update), or "fit" (of an older minibatch; `step` is the one its worker is at); on
        a timeline without a forward lock "predict input" and "fit input", too.
    """

    worker: int
    step: int
    kind: str
    start: float
    end: float


@dataclass
class Track:
    """What one worker did, and how many minibatches it has begun and is done with."""

    intervals: list[Interval] = field(default_factory=list)
    begun: int = 0
    done: int = 0


class NoRecorder:
    """Records nothing: what schedules have unless told otherwise."""

    began: float = 0.0

    def forget(self, worker: int) -> None:
        """Forget what `worker` did in the runs before, in its own process."""

    def note(self, worker: int, kind: str, start: float) -> None:
        """Say that `worker` has done `kind` since `start`, by time.perf_counter()."""

    def extend(self, worker: int) -> None:
        """Say that what `worker` noted last has gone on until now."""

    def finished(self, worker: int) -> None:
        """Say that `worker` is done with a minibatch."""

    def state_of(self, worker: int) -> Track | None:
        """Return what a worker in another process has to send back."""
        return None

    def take_state(self, worker: int, state: Any) -> None:
        """Take over what `state_of` returned in another process."""


class Recorder(NoRecorder):
    """Records one run after another; `begin` forgets the runs before.

    Over MPI it records intervals only: ranks share no memory for snapshots.

    Parameters
    ----------
    modules : of the network that is trained
    snapshot_every : int, optional
        Copy each module's parameters and running statistics after every so many minibatches.
    most : int
        Snapshots for which there is room; later ones are not taken.

    Attributes
    ----------
    began : float
        When `begin` was called, by time.perf_counter().
    """

    def __init__(self, modules: Sequence[Module], snapshot_every: int | None = None,
                 most: int = 0) -> None:
        check_count("most", most, 0)
        if snapshot_every is not None:
            check_count("snapshot_every", snapshot_every)
        self.snapshot_every, self.most = snapshot_every, most
        self._modules = modules
        # In memory that forked processes share, so that a snapshot costs one copy.
        self._copies = [[shared_zeros((most, *array.shape), array.dtype) for array in _kept(m)]
                        for m in modules]
        self._times = [shared_zeros((most,)) for _ in modules]
        self.begin()

    def begin(self) -> None:
        """Forget what was recorded and start the clock."""
        self._tracks = [Track() for _ in self._modules]
        for times in self._times:
            times[:] = np.nan
        self.began = time.perf_counter()

    def note(self, worker: int, kind: str, start: float) -> None:
        track = self._tracks[worker]
        # A module may have several minibatches under way; it learns from them in order.
        step = track.begun if kind in ("queued", "forward") else track.done
        track.intervals.append(Interval(worker, step, kind, start, time.perf_counter()))
        track.begun += kind == "forward"

    def extend(self, worker: int) -> None:
        intervals = self._tracks[worker].intervals
        intervals[-1] = replace(intervals[-1], end=time.perf_counter())

    def forget(self, worker: int) -> None:
        self._tracks[worker] = Track()

    def finished(self, worker: int) -> None:
        track = self._tracks[worker]
        track.done += 1
        if self.snapshot_every and track.done % self.snapshot_every == 0:
            k = track.done // self.snapshot_every - 1
            if k < self.most:
                self._times[worker][k] = time.perf_counter()
                for copy, array in zip(self._copies[worker], _kept(self._modules[worker]),
                                       strict=True):
                    copy[k] = array

    def state_of(self, worker: int) -> Track:
        return self._tracks[worker]

    def take_state(self, worker: int, state: Track) -> None:
        self._tracks[worker] = state

    @property
    def intervals(self) -> list[Interval]:
        """All intervals, by worker, in order."""
        return [interval for track in self._tracks for interval in track.intervals]

    def snapshots(self) -> list[float]:
        """Return, for each snapshot, the seconds from `begin` until the last module had taken it.

        The k-th holds every module as it was after (k + 1) `snapshot_every` minibatches.
        """
        seconds = np.max(self._times, axis=0) - self.began
        return [float(s) for s in seconds if np.isfinite(s)]

    def load(self, k: int, modules: Sequence[Module]) -> None:
        """Copy the k-th snapshot into modules of the same shapes."""
        for copies, module in zip(self._copies, modules, strict=True):
            for ours, array in zip(copies, _kept(module), strict=True):
                array[...] = ours[k]

    def update_latencies(self, begins: tuple[str, ...] = ("queued", "forward")
                         ) -> list[list[float]]:
        """Return, by worker, the seconds from each input's arrival until the weights' update."""
        every = []
        for track in self._tracks:  # in reverse, so that the first of several beginnings stays
            since = {i.step: i.start for i in reversed(track.intervals) if i.kind in begins}
            every.append([i.end - since[i.step] for i in track.intervals
                          if i.kind == "backward" and i.step in since])
        return every

    def locked_seconds(self) -> list[list[float]]:
        """Return the same from the start of the forward pass on: without waiting in the queue."""
        return self.update_latencies(("forward",))


def _kept(module: Module) -> list[np.ndarray]:
    """Return what a snapshot holds of a module, live."""
    return [*module.params.values(), *module.buffers.values()]
