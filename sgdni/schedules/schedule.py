"""What a schedule is: who computes what when, for one minibatch after another.

Every schedule is made of the same four moves of the field: `forward`, `predict`, `learn` and `fit`,
with `loss` at the top. They alone know of timing, guards and recording, so that a schedule's own
code is its algorithm and nothing else. The epoch loop above knows only `run` and `state`.

Where time belongs, in every schedule and in the timeline: the loss is part of the top module's
forward; messages between workers are part of no move.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from sgdni._util.arrays import Arrays
from sgdni.networks import Network
from sgdni.schedules.divergence import DivergenceGuard
from sgdni.schedules.recorder import NoRecorder


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
    top : int
        Index of the module that sees the loss.
    recorder : NoRecorder
        Put a Recorder here to see what every module did when.
    """

    def __init__(self, network: Network, guard: DivergenceGuard | None = None) -> None:
        self.network = network
        self.top = len(network.modules) - 1
        self.guard = guard or DivergenceGuard()
        self.recorder = NoRecorder()

    def step(self, x: Arrays, y: Arrays) -> StepResult:
        """Train on one minibatch: as a rule x (B, n_0), y (B,) labels or (B, n_K) values."""
        raise NotImplementedError

    def run(self, batches: Iterable[tuple[Arrays, Arrays]]) -> Iterator[StepResult]:
        """Train on minibatches in turn, yielding each one's result."""
        for x, y in batches:
            yield self.step(x, y)

    # The moves. Modules and interfaces are counted from 0 at the bottom.

    def forward(self, i: int, h: Arrays) -> Arrays:
        """Return module i's output h_i for its input; valid until its next forward."""
        started = perf_counter()
        h = self.network.modules[i].forward(h)
        self.guard.check(i + 1, "activations", h)
        self.recorder.note(i, "forward", started)
        return h

    def loss(self, h: np.ndarray, y: np.ndarray) -> tuple[StepResult, np.ndarray]:
        """Return the result at the network's end, and the true delta of the top module."""
        losses, delta = self.network.loss(h, y)
        asked, accuracy = losses.size, float("nan")
        if y.ndim == h.ndim - 1:  # labels, not values; below 0 there is none (see ignore_index)
            asked = max(1, int(np.count_nonzero(y >= 0)))
            accuracy = np.count_nonzero(h.argmax(axis=-1) == y) / asked
        loss = float(losses.sum()) / asked
        self.guard.check_loss(loss)
        self.recorder.extend(self.top)
        return StepResult(loss, accuracy), delta

    def predict(self, i: int, h: np.ndarray, c: np.ndarray | None) -> np.ndarray:
        """Return the synthetic gradient delta^_i at interface i, for h_i and its context.

        For a minibatch that module i learns from: so the interface's model learns from it too
        what needs no target.
        """
        started = perf_counter()
        interface = self.network.interfaces[i]
        delta = interface.predict(h, c)
        interface.learn_locally(h, c)
        self.recorder.note(i, "predict", started)
        return delta

    def learn(self, i: int, delta: Arrays | None, *, target: bool) -> Arrays:
        """Update module i from delta_i and return delta_{i-1}, the gradient of its input.

        That is the target of whoever has predicted it. Without ``target`` it is not computed,
        which saves a product, and None is returned in its place. A delta of None says that the
        module sits this minibatch out.
        """
        below = None
        if delta is not None:
            started = perf_counter()
            self.guard.check(i + 1, "gradients", delta)
            below = self.network.modules[i].learn(delta, input_gradient=target)
            self.recorder.note(i, "backward", started)
        self.recorder.finished(i)
        return below

    def fit(self, i: int, h: np.ndarray, c: np.ndarray | None, target: np.ndarray) -> None:
        """Move interface i's model towards what it should have predicted for h_i."""
        if i < 0:  # which Python would take for the last one
            raise IndexError(f"fit: no interface {i}; the lowest is 0")
        started = perf_counter()
        self.network.interfaces[i].fit(h, c, target)
        self.recorder.note(i, "fit", started)

    def dismiss(self) -> None:
        """End the workers that wait for another run, if this schedule has any."""

    # What a checkpoint keeps.

    def state(self) -> dict[str, np.ndarray]:
        """Every array that training changes, live."""
        return {**self.network.state(),
                **{f"schedule.{name}": array for name, array in self.own_state().items()}}

    def own_state(self) -> dict[str, np.ndarray]:
        """Arrays of the schedule itself, live."""
        return {}

    @property
    def generators(self) -> dict[str, np.random.Generator]:
        """The random generators the schedule draws from."""
        return {}
