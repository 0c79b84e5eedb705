"""What a schedule is: who computes what when, for one minibatch after another.

A schedule knows modules and SG models; the epoch loop above it knows only `run` and `state`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from sgdni.network import Network
from sgdni.training.divergence import DivergenceGuard
from sgdni.training.recorder import NoRecorder


@dataclass(frozen=True)
class StepResult:
    """Mean loss of one minibatch, and the share of it that was classified right (or NaN)."""

    loss: float
    accuracy: float


class Schedule:
    """Trains a network on minibatches (x, y). Subclasses say in which order.

    Parameters
    ----------
    network : Network
    guard : DivergenceGuard, optional
        Stops training when numbers explode.

    Attributes
    ----------
    recorder : NoRecorder
        Put a Recorder here to see what every module did when.
    """

    def __init__(self, network: Network, guard: DivergenceGuard | None = None) -> None:
        self.network = network
        self.guard = guard or DivergenceGuard()
        self.recorder = NoRecorder()

    def step(self, x: np.ndarray, y: np.ndarray) -> StepResult:
        """Train on one minibatch: x (B, n_0), y (B,) labels or (B, n_K) values."""
        raise NotImplementedError

    def run(self, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[StepResult]:
        """Train on minibatches in turn, yielding each one's result."""
        for x, y in batches:
            yield self.step(x, y)

    def state(self) -> dict[str, np.ndarray]:
        """Every array that training changes, live, for checkpoints."""
        return {**self.network.state(),
                **{f"schedule.{name}": array for name, array in self.own_state().items()}}

    def own_state(self) -> dict[str, np.ndarray]:
        """Arrays of the schedule itself, live."""
        return {}

    @property
    def generators(self) -> dict[str, np.random.Generator]:
        """The random generators the schedule draws from, for checkpoints."""
        return {}

    def loss_and_delta(self, h: np.ndarray, y: np.ndarray) -> tuple[StepResult, np.ndarray]:
        """Return the result at the network's end, and the true delta_K (B, n_K)."""
        losses, delta = self.network.loss(h, y)
        loss, accuracy = float(losses.sum()) / len(h), float("nan")
        if y.ndim == 1:  # labels, not values
            accuracy = np.count_nonzero(h.argmax(axis=1) == y) / len(h)
        self.guard.check_loss(loss)
        return StepResult(loss, accuracy), delta
