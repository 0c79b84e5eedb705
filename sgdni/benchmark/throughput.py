"""Seconds per step and update latency of several schedules, taking turns, on one minibatch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from sgdni.blas import blas_threads
from sgdni.module import Module
from sgdni.training import Schedule


@dataclass
class Trial:
    """A schedule under measurement.

    step_seconds : one figure a turn.
    update_latencies : for every module, bottom to top, the seconds from the start of its forward
        pass to the end of its update, one median a turn: the update and backward locks, measured.
    """

    schedule: Schedule
    blas_threads: int = 1
    step_seconds: list[float] = field(default_factory=list)
    update_latencies: list[list[float]] = field(default_factory=list)


def measure(trials: Mapping[str, Trial], x: np.ndarray, y: np.ndarray, *, turns: int, steps: int,
            on_turn: Callable[[str], None] | None = None) -> None:
    """Let every trial train `steps` steps on the minibatch (x, y), `turns` times in turn.

    One more turn comes first, to warm up. Filling and draining the pipeline counts as it does in
    an epoch of as many steps.
    """
    clocks = {name: [_Clock(m) for m in trial.schedule.network.modules]
              for name, trial in trials.items()}
    for turn in range(turns + 1):
        for name, trial in trials.items():
            if on_turn is not None:
                on_turn(name)
            with blas_threads(trial.blas_threads), np.errstate(all="ignore"):
                started = time.perf_counter()
                for _ in trial.schedule.run([(x, y)] * steps):
                    pass
                seconds = time.perf_counter() - started
            latencies = [clock.take() for clock in clocks[name]]
            if turn > 0:
                trial.step_seconds.append(seconds / steps)
                trial.update_latencies.append(latencies)


class _Clock:
    """Times a module from the start of forward to the end of update."""

    def __init__(self, module: Module) -> None:
        self._seconds: list[float] = []
        forward, update = module.forward, module.update
        started = 0.0

        def timed_forward(x: np.ndarray, training: bool = True) -> np.ndarray:
            nonlocal started
            started = time.perf_counter()
            return forward(x, training)

        def timed_update() -> None:
            update()
            self._seconds.append(time.perf_counter() - started)

        module.forward, module.update = timed_forward, timed_update

    def take(self) -> float:
        """Return the median since the last call."""
        median = float(np.median(self._seconds)) if self._seconds else float("nan")
        self._seconds.clear()
        return median
