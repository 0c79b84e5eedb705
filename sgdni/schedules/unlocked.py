"""The complete unlock: no module waits for another, neither above it nor below.

Synthetic gradients undo the update and the backward lock. With a model of its input beside it, a
module need not wait for the modules below, either: it acts when it likes, on minibatches of its
own choice, with a message from below where there is one, or with what its input model makes up.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from sgdni._util.arrays import copied
from sgdni._util.checks import check_range
from sgdni._util.shared import shared_zeros
from sgdni.networks import Network
from sgdni.schedules.divergence import DivergenceGuard
from sgdni.schedules.schedule import Schedule, StepResult
from sgdni.synthetic import SyntheticInput

POLICIES = ("wait", "synthetic", "either")
UP, DOWN = 0, 1  # ways that messages go
Batch = tuple[np.ndarray, np.ndarray]


class Unlocked(Schedule):
    """Modules that act at random, each on its own stream of minibatches (Jaderberg et al. 2016).

    In every tick each module acts with probability `pace`, in random order. It takes what lies in
    its mailboxes, one message from below and one from above, of which a newer one takes the place
    of an older; runs; learns at once from its synthetic gradient; and sends its output up, and the
    gradient of its input down, as a target for the model that predicted it. A checkpoint keeps
    all but what lies in the mailboxes, and the residuals that input models deal out: a run that
    goes on from it does so without them.

    Parameters
    ----------
    network : Network
        With interfaces that have a model of inputs, but for policy "wait".
    view : function x -> z
        What the models of inputs are told of a minibatch.
    rng : numpy.random.Generator
        Draws who acts when, and what is lost.
    policy : "wait", "synthetic" or "either"
        What a module does without a message from below: it waits for one; or never works on one,
        and uses them to teach its input model only; or works on one where there is one.
    pace : float in (0, 1]
    loss_rate : float in [0, 1)
        Share of messages that are lost, up and down.

    Attributes
    ----------
    acted : ndarray (K,) of int
        How often each module has learned.
    sent, lost, overtaken, taken : ndarrays (K - 1, 2) of int
        What became of the messages at each interface, up and down: of those sent some are lost,
        some are overtaken by a newer one, and the rest is taken or still there.

    Raises
    ------
    ValueError
        For options out of range, and interfaces without what the policy needs.
    """

    def __init__(self, network: Network, view: Callable[[np.ndarray], np.ndarray],
                 rng: np.random.Generator, *, policy: str = "either", pace: float = 0.5,
                 loss_rate: float = 0.0, guard: DivergenceGuard | None = None) -> None:
        super().__init__(network, guard)
        if policy not in POLICIES:
            raise ValueError(f"policy: expected one of {', '.join(POLICIES)}, got {policy}")
        check_range("pace", pace, 0, 1, open_low=True)
        check_range("loss_rate", loss_rate, 0, 1, open_high=True)
        if len(network.interfaces) != self.top:
            raise ValueError(f"Unlocked: expected {self.top} interfaces, one below each module but "
                             f"the lowest, got {len(network.interfaces)}")
        if policy != "wait" and any(one.inputs is None for one in network.interfaces):
            raise ValueError(f"policy {policy}: expected interfaces with a model of inputs")
        self.view, self.rng, self.policy = view, rng, policy
        self.pace, self.loss_rate = pace, loss_rate
        # In memory that is shared, for whoever has modules in processes.
        self.acted = shared_zeros((self.top + 1,), np.int64)
        self.sent, self.lost, self.overtaken, self.taken = (
            shared_zeros((self.top, 2), np.int64) for _ in range(4))
        # Of each module but the lowest, the order of its minibatches; and of each, what is lost.
        self._orders, self._luck = (
            [np.random.default_rng(rng.integers(2**63)) for _ in range(modules)]
            for modules in (self.top, self.top + 1))
        # Of interface i: (z, y, c, h) on its way up, and (h, c, target) on its way down.
        self._boxes: list[list[tuple[Any, ...] | None]] = [[None, None] for _ in range(self.top)]

    def run(self, batches: Iterable[Batch]) -> Iterator[StepResult]:
        """Train for as many ticks as there are minibatches; yield the results of the top module.

        The lowest module works on the minibatches given, the others on the same ones in orders of
        their own.
        """
        streams = [self.stream(i, batches) for i in range(self.top + 1)]
        for minibatches in zip(*streams, strict=True):
            yield from self.tick(minibatches)

    def stream(self, i: int, batches: Any) -> Iterable[Batch]:
        """Return module i's minibatches of a pass; their order is drawn by their own `rng`."""
        if i == 0:
            return batches
        own = copy.copy(batches)
        own.rng = self._orders[i - 1]
        return own

    def tick(self, minibatches: Sequence[Batch]) -> Iterator[StepResult]:
        """Let each module act, or not, on its minibatch."""
        acts = self.rng.random(len(minibatches)) < self.pace
        for i in self.rng.permutation(len(minibatches)):
            result = self.act(i, *minibatches[i]) if acts[i] else None
            if result is not None:
                yield result

    def act(self, i: int, x: np.ndarray, y: np.ndarray) -> StepResult | None:
        """Let module i act; x and y are its minibatch if no message is there to work on."""
        message = self._take(i - 1, UP)
        if message is not None and self.policy != "wait":
            z, _, c, h = message
            self._inputs(i - 1).fit(z, c[i - 1], h)
        if message is not None and self.policy != "synthetic":
            z, y, c, below = message
        elif i > 0 and self.policy == "wait":
            return None
        else:
            z, c, below = self.view(x), self.network.context(x, y), x
            if i > 0:
                below = self._inputs(i - 1).predict(z, c[i - 1])
        h, result = self.forward(i, below), None
        if i == self.top:
            result, delta = self.loss(h, y)
        else:
            self._send(i, i, UP, (z, y, c, h))
            if (late := self._take(i, DOWN)) is not None:
                self.fit(i, *late)
            delta = self.predict(i, h, c[i])
        target = self.learn(i, delta, target=i > 0
                            and self.network.interfaces[i - 1].model.wants_targets)
        if target is not None:
            self._send(i, i - 1, DOWN, (below, c[i - 1], target))
        self.acted[i] += 1
        return result

    def _inputs(self, i: int) -> SyntheticInput:
        """Return the model of what passes interface i upwards, for a policy that has one."""
        inputs = self.network.interfaces[i].inputs
        assert inputs is not None  # which __init__ has seen to
        return inputs

    def _send(self, sender: int, i: int, way: int, message: tuple[Any, ...]) -> None:
        self.sent[i, way] += 1
        lost = self.loss_rate > 0 and self._luck[sender].random() < self.loss_rate
        if lost or not self._put(i, way, message):
            self.lost[i, way] += 1

    def _put(self, i: int, way: int, message: tuple[Any, ...]) -> bool:
        """Put a copy into the mailbox, and return whether there was room: always, here."""
        if self._boxes[i][way] is not None:
            self.overtaken[i, way] += 1
        self._boxes[i][way] = copied(message)
        return True

    def _take(self, i: int, way: int) -> tuple[Any, ...] | None:
        """Return what lies in the mailbox, if anything does: once."""
        if i < 0:
            return None
        message, self._boxes[i][way] = self._boxes[i][way], None
        self.taken[i, way] += message is not None
        return message

    def own_state(self) -> dict[str, np.ndarray]:
        return {"acted": self.acted, "sent": self.sent, "lost": self.lost,
                "overtaken": self.overtaken, "taken": self.taken}

    @property
    def generators(self) -> dict[str, np.random.Generator]:
        return {"turns": self.rng, **{f"order{i}": r for i, r in enumerate(self._orders, 1)},
                **{f"luck{i}": r for i, r in enumerate(self._luck)},
                **{f"inputs{i}": one.inputs.rng for i, one in enumerate(self.network.interfaces, 1)
                   if one.inputs is not None and hasattr(one.inputs, "rng")}}
