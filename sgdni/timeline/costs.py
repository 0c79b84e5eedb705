"""What each operation of a module costs, in seconds: measured here, or made up for a thought.

Costs are measured both one module at a time and all modules at once. The difference is what the
workers take from each other (the interpreter's lock, caches, memory), which no count of
operations shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sgdni.blas import blas_threads
from sgdni.checks import check_count
from sgdni.network import Network
from sgdni.training.workers import Threads

WARM_UP = 3  # repeats that are not counted


@dataclass(frozen=True)
class ModuleCost:
    """Seconds for one minibatch: forward; learn (backward and update, without the gradient for
    the module below); target (that gradient); predict and fit of the module's own SG model.

    overhead : what else a step of a worker costs (messages, the loop).
    """

    forward: float
    learn: float
    target: float = 0.0
    predict: float = 0.0
    fit: float = 0.0
    overhead: float = 0.0


def even_split(total: ModuleCost, workers: int) -> list[ModuleCost]:
    """Cut a network of given total cost into `workers` modules of equal cost.

    `total` holds forward, learn and target of the whole network, and predict and fit of one SG
    model, which an interface costs however thin the modules between are cut.
    """
    one = ModuleCost(total.forward / workers, total.learn / workers, total.target / workers,
                     total.predict, total.fit, total.overhead)
    top = replace(one, predict=0.0, fit=0.0)
    bottom = replace(one, target=0.0)
    if workers == 1:
        return [replace(top, target=0.0)]
    return [bottom, *([one] * (workers - 2)), top]


def measure_costs(network: Network, x: np.ndarray, y: np.ndarray, *, together: bool,
                  repeats: int = 60) -> list[ModuleCost]:
    """Time every module's operations on the minibatch (x, y): means over `repeats`.

    Means, since some fits solve for new weights and most do not; without the first few, which
    warm up, and the slowest twentieth, which others interrupted. `together` runs all modules at
    the same time, a thread and a BLAS thread each; otherwise one after the other. Weights change
    while this runs: measure on a network that you can spare. Raises ValueError for too few
    repeats, and whatever an operation raises.
    """
    check_count("repeats", repeats, WARM_UP + 1)
    operations = _operations(network, x, y)
    times: list[dict[str, list[float]]] = [{name: [] for name in named} for named in operations]

    def work(i: int, go_on: Callable[[], bool]) -> None:
        while go_on():
            for name, run in operations[i].items():
                started = time.perf_counter()
                run()
                times[i][name].append(time.perf_counter() - started)

    def wants_more(i: int) -> bool:
        return len(times[i]["learn"]) < repeats

    modules = range(len(operations))
    with blas_threads(1):
        if not together:
            for i in modules:
                work(i, lambda i=i: wants_more(i))
        else:
            # Everyone goes on until the slowest has enough, so that all are measured under load.
            team = Threads()
            tasks = [
                lambda emit, i=i: work(
                    i, lambda: not team.stopping and any(map(wants_more, modules)))
                for i in modules
            ]
            for _ in team.run(tasks):
                pass
    return [_cost(t) for t in times]


def _operations(network: Network, x: np.ndarray, y: np.ndarray
                ) -> list[dict[str, Callable[[], object]]]:
    """Return each module's operations on fixed copies of its inputs."""
    c = network.context(y, x.dtype)
    rng = np.random.default_rng(0)
    everything = []
    for i, module in enumerate(network.modules):
        h_below, h = x, module.forward(x).copy()
        top = i == len(network.modules) - 1
        # Small, so that SGD hardly moves the weights however often the operations are repeated.
        delta = (1e-6 * rng.standard_normal(h.shape)).astype(h.dtype)

        def forward(m=module, a=h_below, h=h, top=top) -> None:
            out = m.forward(a)
            np.vdot(out, out)  # the divergence guard
            if top:
                network.loss(out, y)
            else:
                out.copy()  # the message up

        operations: dict[str, Callable[[], object]] = {"forward": forward}
        if network.synthetic and not top:
            model = network.synthetic[i]
            operations["predict"] = lambda m=model, h=h: m.predict(h, c)
            operations["fit"] = lambda m=model, h=h, d=delta: m.fit(h, c, d)
        operations["learn"] = lambda m=module, d=delta: m.learn(d, input_gradient=False)
        if i > 0:
            operations["learn with target"] = lambda m=module, d=delta: m.learn(d).copy()
        everything.append(operations)
        x = h
    return everything


def _cost(times: dict[str, Sequence[float]]) -> ModuleCost:
    mean = {name: float(np.mean(_without_slowest(t[WARM_UP:]))) for name, t in times.items()}
    target = mean["learn with target"] - mean["learn"] if "learn with target" in mean else 0.0
    return ModuleCost(mean["forward"], mean["learn"], max(target, 0.0), mean.get("predict", 0.0),
                      mean.get("fit", 0.0))


def _without_slowest(t: Sequence[float]) -> np.ndarray:
    return np.sort(t)[: max(1, int(np.ceil(0.95 * len(t))))]
