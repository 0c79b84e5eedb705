"""What each operation of a module, and each message, costs in seconds: measured here, or made up.

Costs are measured one module at a time, or all modules at once. The difference is what the
workers take from each other (the interpreter's lock, caches, memory), which no count of
operations shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from sgdni._util.blas import blas_threads
from sgdni._util.checks import check_count
from sgdni._util.shared import shared_zeros
from sgdni.networks import Network
from sgdni.parallel.workers import TEAMS
from sgdni.parallel.workers.channel import arrays_in
from sgdni.schedules import Schedule

WARM_UP = 3  # repeats that are not counted
MESSAGE_BYTES = 1 << 16  # room for everything in a message but its arrays


@dataclass(frozen=True)
class ModuleCost:
    """Seconds for one minibatch: forward (the lowest module's with fetching the minibatch); learn
    (backward and update, without the gradient for the module below); target (that gradient);
    predict and fit of the module's own SG model. And the bytes of its parameters, which are those
    of the gradients that data-parallel workers exchange.
    """

    forward: float
    learn: float
    target: float = 0.0
    predict: float = 0.0
    fit: float = 0.0
    nbytes: float = 0.0


@dataclass(frozen=True)
class LinkCost:
    """Seconds that a message takes of its sender and of its receiver, and `wake`: what passes
    besides until a receiver who waits has noticed it. And the bytes of its arrays."""

    send: float = 0.0
    receive: float = 0.0
    wake: float = 0.0
    nbytes: float = 0.0


@dataclass(frozen=True)
class Links:
    """The messages of a schedule: up (h with labels), and down (delta, or a target; like h)."""

    up: LinkCost = LinkCost()
    down: LinkCost = LinkCost()


FREE = Links()


def measure_costs(network: Network, batches: Iterator[tuple[np.ndarray, np.ndarray]],
                  workers: str | None = None, *, together: bool = True, repeats: int = 60,
                  threads: int = 1) -> list[ModuleCost]:
    """Time every module's moves on minibatches, which changes its weights: measure on a spare one.

    Means over `repeats` without the first few, which warm up, and the slowest twentieth, which
    others interrupted. The plain mean for fits, since some of them solve for new weights; for a
    target the median of differences.

    Parameters
    ----------
    network : Network
    batches : iterator of (x, y), without end
    workers : "threads" or "processes", one for each module with one BLAS thread; None for all
        modules in one
    together : the workers all at the same time, or else one after the other, the others waiting
    repeats : more than the few for warming up
    threads : of BLAS, when all modules are in one worker

    Raises
    ------
    ValueError
        For too few repeats; besides, whatever an operation raises.
    """
    check_count("repeats", repeats, WARM_UP + 1)
    operations = _moves(network, batches)
    times = [shared_zeros((len(named), repeats)) for named in operations]
    done = shared_zeros((len(operations),), np.int64)

    def once(i: int) -> None:
        for k, run in enumerate(operations[i].values()):
            started = time.perf_counter()
            run()
            if done[i] < repeats:
                times[i][k, done[i]] = time.perf_counter() - started
        done[i] += 1

    modules = range(len(operations))
    if workers is None:
        with blas_threads(threads):
            for _ in range(repeats):  # module by module, so that caches are as cold as in training
                for i in modules:
                    once(i)
    else:
        team = TEAMS[workers]()
        turn = [team.channel(1, 0.0, MESSAGE_BYTES) for _ in modules]

        def loaded(i: int, emit: Callable) -> None:
            # Everyone goes on until the slowest has enough, so that all are measured under load.
            while not team.stopping and (done < repeats).any():
                once(i)

        def waiting(i: int, emit: Callable) -> None:
            # Each wakes up for its turn, as in locked training.
            for k in range(repeats):
                if (i, k) != (0, 0):
                    turn[i].get()
                once(i)
                if i + 1 < len(turn) or k + 1 < repeats:
                    turn[(i + 1) % len(turn)].put("yours")

        _run(team, [partial(loaded if together else waiting, i) for i in modules])
    sizes = [sum(p.nbytes for p in module.params.values()) for module in network.modules]
    return [_cost(dict(zip(named, t, strict=True)), nbytes)
            for named, t, nbytes in zip(operations, times, sizes, strict=True)]


def measure_link(message: tuple, workers: str, latency: float = 0.0, repeats: int = 60) -> LinkCost:
    """Time a message between two workers, who send it to and fro.

    `latency` is simulated and not counted; waiting for it makes a receiver wake up later.
    """
    check_count("repeats", repeats, WARM_UP + 1)
    team, times = TEAMS[workers](), shared_zeros((3, repeats))
    nbytes = sum(a.nbytes for a in arrays_in(message))
    to, fro, late, back = (team.channel(1, t, MESSAGE_BYTES + nbytes)
                           for t in (0.0, 0.0, latency, latency))

    def here(emit: Callable) -> None:
        for k in range(repeats):
            started = time.perf_counter()
            to.put(message)
            times[0, k] = time.perf_counter() - started
            fro.get()
        for k in range(repeats):
            started = time.perf_counter()
            late.put(message)
            back.get()
            times[2, k] = (time.perf_counter() - started) / 2 - latency

    def there(emit: Callable) -> None:
        for k in range(repeats):
            time.sleep(0.001)  # until the message is there, so that only taking it is timed
            started = time.perf_counter()
            to.get()
            times[1, k] = time.perf_counter() - started
            fro.put(("taken",))
        for _ in range(repeats):
            back.put(late.get())

    _run(team, [here, there])
    send, receive, way = (float(np.median(t[WARM_UP:])) for t in times)
    return LinkCost(send, receive, max(0.0, way - send - receive), nbytes)


def _run(team, tasks: list[Callable]) -> None:
    """Run tasks that emit nothing and have no state to send back."""
    for _ in team.run(tasks, lambda i: None, lambda i, state: None):
        pass


def _moves(network: Network, batches: Iterator[tuple[np.ndarray, np.ndarray]]
           ) -> list[dict[str, Callable[[], object]]]:
    """Return each module's moves, on fixed copies of their inputs."""
    (x, y), moves, rng = next(batches), Schedule(network), np.random.default_rng(0)
    c, h, everything = network.context(x, y), x, []
    for i, module in enumerate(network.modules):
        h_below, h = h, module.forward(h).copy()
        # Small, so that SGD hardly moves the weights however often the moves are repeated.
        delta = (1e-6 * rng.standard_normal(h.shape)).astype(h.dtype)

        def forward(i=i, h=h_below) -> None:
            if i == 0:
                next(batches)
            h = moves.forward(i, h)
            if i == moves.top:
                moves.loss(h, y)

        mine: dict[str, Callable[[], object]] = {"forward": forward}
        taught = [interface.model.wants_targets for interface in network.interfaces]
        if network.interfaces and i < moves.top:
            mine["predict"] = partial(moves.predict, i, h, c[i])
            if taught[i]:
                mine["fit"] = partial(moves.fit, i, h, c[i], delta)
        mine["learn"] = partial(moves.learn, i, delta, target=False)
        if i > 0 and (not taught or taught[i - 1]):
            mine["learn with target"] = partial(moves.learn, i, delta, target=True)
        everything.append(mine)
    return everything


def _cost(times: dict[str, np.ndarray], nbytes: int) -> ModuleCost:
    times = {name: t[WARM_UP:] for name, t in times.items()}

    def usual(name: str) -> float:
        """Mean without the slowest twentieth."""
        t = np.sort(times[name])
        return float(np.mean(t[: max(1, int(np.ceil(0.95 * len(t))))]))

    target, predict, fit = 0.0, 0.0, 0.0
    if "learn with target" in times:
        target = max(0.0, float(np.median(times["learn with target"] - times["learn"])))
    if "predict" in times:
        predict = usual("predict")
    if "fit" in times:
        fit = float(np.mean(times["fit"]))
    return ModuleCost(usual("forward"), usual("learn"), target, predict, fit, nbytes)
