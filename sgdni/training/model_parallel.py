"""Locked backpropagation with every module in a thread of its own: the fair rival of DNI.

Modules split over workers (or machines), one minibatch under way: h goes up the links, delta comes
down them, and every worker idles while the others compute. The weights are those of Backprop,
bit for bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from sgdni.blas import blas_threads
from sgdni.checks import check_range
from sgdni.network import Network
from sgdni.training.asynchronous import POLL_SECONDS
from sgdni.training.channel import Channel
from sgdni.training.crew import Crew
from sgdni.training.divergence import DivergenceError, DivergenceGuard
from sgdni.training.schedule import Schedule, StepResult


class ModelParallel(Schedule):
    """Backprop with one thread for each module and links between them.

    Parameters
    ----------
    network, guard : as for Schedule
    latency : float
        Simulated seconds that each message takes between modules, up and down.
    """

    def __init__(self, network: Network, *, latency: float = 0.0,
                 guard: DivergenceGuard | None = None) -> None:
        super().__init__(network, guard)
        check_range("latency", latency, 0, np.inf, open_high=True)
        self.latency = latency

    def step(self, x: np.ndarray, y: np.ndarray) -> StepResult:
        [result] = self.run([(x, y)])
        return result

    def run(self, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[StepResult]:
        interfaces = len(self.network.modules) - 1
        up, down = ([Channel(1, self.latency) for _ in range(interfaces)] for _ in range(2))
        results: deque[StepResult] = deque()
        tasks = [
            lambda i=i: self._work(
                i, batches if i == 0 else iter(up[i - 1].get, None),
                up[i] if i < interfaces else None, down, results,
            )
            for i in range(interfaces + 1)
        ]
        self._crew = Crew(tasks, [*up, *down])
        with blas_threads(1), self._crew as crew:
            done = False
            while not done:
                done = crew.wait(POLL_SECONDS)
                while results:
                    yield results.popleft()
            crew.check()

    def _work(self, i: int, source: Iterable[tuple[np.ndarray, np.ndarray]], up: Channel | None,
              down: list[Channel], results: deque[StepResult]) -> None:
        for done, (h_below, y) in enumerate(source):
            if self._crew.stopping:
                return
            try:
                self._handle(i, h_below, y, up, down, results)
            except DivergenceError as error:
                error.step = done + 1
                raise
        if up is not None:
            up.put(None)

    def _handle(self, i: int, h_below: np.ndarray, y: np.ndarray, up: Channel | None,
                down: list[Channel], results: deque[StepResult]) -> None:
        module = self.network.modules[i]
        h = module.forward(h_below)
        self.guard.check(i + 1, "activations", h)
        if up is not None:
            up.put((h.copy(), y))
            delta = down[i].get()
        else:
            result, delta = self.loss_and_delta(h, y)
        self.guard.check(i + 1, "gradients", delta)
        delta_below = module.learn(delta, input_gradient=i > 0)
        if i > 0:
            down[i - 1].put(delta_below.copy())
        if up is None:
            results.append(result)
