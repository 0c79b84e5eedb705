"""Two networks at different clock rates, of which the slow one teaches the fast one.

Network A works at every tick, network B at every T-th, on a message from A: its state. Each has a
loss of its own, but what B can do depends on what A remembers, so A has to learn from B's loss
too. B's gradient exists only when B has run. Who waits for it can learn only once in T ticks; an
SG model at A's state lets A learn at every tick (Jaderberg et al. 2016, on systems of networks).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sgdni.data.tallies import Tally
from sgdni.networks import Network
from sgdni.schedules.divergence import DivergenceGuard
from sgdni.schedules.schedule import Schedule, StepResult


class ClocksResult(NamedTuple):
    """Results of the two networks in one episode."""

    a: StepResult
    b: StepResult


class Clocks(Schedule):
    """A, B, and what passes between them; subclasses say when A learns and from what.

    Parameters
    ----------
    a : Network
        The fast one: a recurrent module, (digits, state) to (outputs, state), and a read-out of
        its last output. An interface, where there is one, is in time: at the state.
    b : Network
        The slow one: one module, that reads A's state.
    """

    def __init__(self, a: Network, b: Network, guard: DivergenceGuard | None = None) -> None:
        super().__init__(a, guard)
        self.b = Schedule(b, guard)  # B's four moves

    # Two networks have two results, where every other schedule has one.
    def step(self, x: np.ndarray, y: Tally) -> ClocksResult:  # type: ignore[override]
        """Train on B episodes of T ticks: x (T, B, n_in)."""
        raise NotImplementedError

    def rest(self, x: np.ndarray) -> np.ndarray:
        """Return A's state before the first tick: (B, m), zero."""
        return np.zeros((x.shape[1], self.network.modules[0].layers[0].n_state), x.dtype)

    def own_loss(self, outputs: np.ndarray, odd: np.ndarray) -> tuple[StepResult, np.ndarray]:
        """Let A's read-out answer and learn; return the gradient of the outputs (T, B, n).

        Zero but for the last tick, when A is asked.
        """
        result, delta = self.loss(self.forward(1, outputs[-1]), odd)
        d_outputs = np.zeros_like(outputs)
        d_outputs[-1] = self.learn(1, delta, target=True)
        return result, d_outputs

    def slow_tick(self, message: np.ndarray, threes: np.ndarray) -> tuple[StepResult, np.ndarray]:
        """Let B run and learn; return what it sends down: its loss's gradient by the message."""
        result, delta = self.b.loss(self.b.forward(0, message), threes)
        return result, self.b.learn(0, delta, target=True)

    def answers(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the logits of A and of B for episodes (T, B, n_in); nothing is learned."""
        core, read_out = self.network.modules
        outputs, state = core.forward((x, self.rest(x)), training=False)
        return read_out.forward(outputs[-1], training=False), self.b.network.forward(state)

    def own_state(self) -> dict[str, np.ndarray]:
        return {f"b.{name}": array for name, array in self.b.state().items()}


class TwoClocks(Clocks):
    """A learns at every tick, from what an SG model says of all the losses still to come.

    After tick t that is delta^_t = M(h_t, c_t). As in Truncated, with windows of one tick, the
    gradient of the state *before* a tick is the target of what was predicted there (bootstrapped).
    After the last tick only B's loss is still to come: the target of what was predicted there is
    the gradient that B sends down when it has run, which A does not wait for.

    `a` needs an interface, whose context is a function of (x, y) that returns (T, B, n_context).
    ValueError without either.
    """

    def __init__(self, a: Network, b: Network, guard: DivergenceGuard | None = None) -> None:
        super().__init__(a, b, guard)
        if len(a.interfaces) != 1:
            raise ValueError(f"TwoClocks: expected one interface, at A's state, got "
                             f"{len(a.interfaces)}")

    def step(self, x: np.ndarray, y: Tally) -> ClocksResult:  # type: ignore[override]
        c, h = self.network.context(x, y)[0], self.rest(x)
        if c is None:
            raise ValueError("TwoClocks: expected a context from the interface, got None")
        for t in range(len(x)):
            h_before, (outputs, h) = h.copy(), self.forward(0, (x[t : t + 1], h))
            own = np.zeros_like(outputs)
            if t == len(x) - 1:
                result, own = self.own_loss(outputs, y.odd)
            later = self.predict(0, h, c[t])
            _, target = self.learn(0, (own, later), target=False)  # the state's comes for nothing
            if t > 0:
                self.fit(0, h_before, c[t - 1], target)
        b_result, target = self.slow_tick(h, y.threes)
        self.fit(0, h, c[-1], target)
        return ClocksResult(result, b_result)


class Waiting(Clocks):
    """A learns once in T ticks, by backpropagation through all of them, when B has run.

    Parameters
    ----------
    listens : bool
        Whether A takes what B sends down (joint backpropagation), or learns from its own loss only.
    """

    def __init__(self, a: Network, b: Network, *, listens: bool = True,
                 guard: DivergenceGuard | None = None) -> None:
        super().__init__(a, b, guard)
        self.listens = listens

    def step(self, x: np.ndarray, y: Tally) -> ClocksResult:  # type: ignore[override]
        outputs, h = self.forward(0, (x, self.rest(x)))
        result, own = self.own_loss(outputs, y.odd)
        b_result, delta = self.slow_tick(h, y.threes)
        self.learn(0, (own, delta if self.listens else np.zeros_like(h)), target=False)
        return ClocksResult(result, b_result)


def tick_context(x: np.ndarray, y: Tally) -> np.ndarray:
    """Return which tick it is, one-hot: (T, B, T)."""
    ticks = np.eye(len(x), dtype=x.dtype)[:, None]
    return np.broadcast_to(ticks, (len(x), x.shape[1], len(x)))


def label_and_tick(x: np.ndarray, y: Tally) -> np.ndarray:
    """Return both losses' labels and which tick it is, one-hot: (T, B, 2 (T + 1) + T).

    The context of cDNI: known in training, and given to the SG model alone.
    """
    counts = np.eye(len(x) + 1, dtype=x.dtype)
    labels = np.concatenate([counts[y.threes], counts[y.odd]], axis=-1)
    return np.concatenate([np.broadcast_to(labels, (len(x), *labels.shape)), tick_context(x, y)],
                          axis=-1)


def tally_and_tick(n_classes: int) -> Callable[[np.ndarray, Tally], np.ndarray]:
    """Return how often each digit was read so far, and the tick: (T, B, n_classes + T).

    What A should have kept, so that a model linear in it and in h sees by how much A is wrong.
    Nothing of digits that are still to come; known in training, and to the SG model alone.
    """
    def context(x: np.ndarray, y: Tally) -> np.ndarray:
        read = np.eye(n_classes, dtype=x.dtype)[y.labels].cumsum(axis=0)
        return np.concatenate([read, tick_context(x, y)], axis=-1)
    return context
