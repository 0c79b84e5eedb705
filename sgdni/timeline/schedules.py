"""Who computes what when, as a list of intervals, for every way of training.

Each function plays a schedule through for given costs: an operation starts when its worker is
free and its messages are there. One module runs on one worker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sgdni.timeline.costs import ModuleCost


@dataclass(frozen=True)
class Interval:
    """Worker `worker` (0 at the bottom) does `kind` for minibatch `step` from start to end."""

    worker: int
    step: int
    kind: str
    start: float
    end: float


class _Workers:
    """Clocks of the workers, and what they did."""

    def __init__(self, count: int) -> None:
        self.free = [0.0] * count
        self.intervals: list[Interval] = []

    def run(self, worker: int, step: int, kind: str, seconds: float, ready: float = 0.0) -> float:
        """Do something once the worker is free and `ready` has come; return when it ends."""
        start = max(self.free[worker], ready)
        self.free[worker] = end = start + seconds
        if seconds > 0:
            self.intervals.append(Interval(worker, step, kind, start, end))
        return end


def locked(costs: Sequence[ModuleCost], steps: int, *, latency: float = 0.0) -> list[Interval]:
    """Backpropagation in one worker: everything in turn, no links."""
    workers = _Workers(1)
    for step in range(steps):
        for cost in costs:
            workers.run(0, step, "forward", cost.forward)
        for cost in reversed(costs):
            workers.run(0, step, "backward", cost.learn + cost.target)
    return workers.intervals


def model_parallel(costs: Sequence[ModuleCost], steps: int, *, latency: float = 0.0
                   ) -> list[Interval]:
    """Backpropagation split over workers, one minibatch under way."""
    workers = _Workers(len(costs))
    for step in range(steps):
        ready = 0.0
        for i, cost in enumerate(costs):
            ready = workers.run(i, step, "forward", cost.forward + cost.overhead, ready) + latency
        ready -= latency  # the top worker has delta at once
        for i in range(len(costs) - 1, -1, -1):
            seconds = costs[i].learn + costs[i].target + costs[i].overhead
            ready = workers.run(i, step, "backward", seconds, ready) + latency
    return workers.intervals


def pipelined(costs: Sequence[ModuleCost], steps: int, *, latency: float = 0.0,
              micro_batches: int = 4) -> list[Interval]:
    """Backpropagation split over workers, each minibatch in micro-batches that follow each other.

    All micro-batches run forward, then all backward, and the weights change after the last (GPipe,
    Huang et al. 2019). Taken at its best: an m-th of a minibatch costs an m-th of the time.
    """
    workers, last = _Workers(len(costs)), len(costs) - 1
    for step in range(steps):
        at = [0.0] * micro_batches
        for i, cost in enumerate(costs):
            for m in range(micro_batches):
                seconds = cost.forward / micro_batches + cost.overhead
                at[m] = workers.run(i, step, "forward", seconds, at[m])
                at[m] += latency if i < last else 0.0
        for i in range(last, -1, -1):
            for m in reversed(range(micro_batches)):
                seconds = (costs[i].learn + costs[i].target) / micro_batches + costs[i].overhead
                at[m] = workers.run(i, step, "backward", seconds, at[m]) + latency
    return workers.intervals


def decoupled(costs: Sequence[ModuleCost], steps: int, *, latency: float = 0.0,
              fit_every: int = 1, depth: int = 4, forward_lock: bool = True) -> list[Interval]:
    """Synthetic gradients: a worker waits for its input and for room in the next one's queue.

    Targets come back as messages and are fitted when they are there. Without the forward lock
    (synthetic inputs too) nobody waits for anything; the input models are taken to cost as much
    as the SG models.
    """
    workers, last = _Workers(len(costs)), len(costs) - 1
    arrived = [[0.0] * steps for _ in costs]  # when the input of a step is there
    taken = [[0.0] * steps for _ in costs]  # when it is taken from the queue
    targets: list[list[float]] = [[] for _ in costs]  # when targets arrive, not yet fitted
    for step in range(steps):
        fits = step % fit_every == 0
        for i, cost in enumerate(costs):
            ready = arrived[i][step] if forward_lock else 0.0
            taken[i][step] = max(workers.free[i], ready)
            if not forward_lock and i > 0:
                below = costs[i - 1]
                workers.run(i, step, "predict", below.predict)
                if fits:
                    workers.run(i, step, "fit", below.fit)
            sent = workers.run(i, step, "forward", cost.forward + cost.overhead, ready)
            if i < last:
                if forward_lock and step >= depth:
                    sent = max(sent, taken[i + 1][step - depth])  # waits for room
                    workers.free[i] = sent
                arrived[i + 1][step] = sent + latency
                while targets[i] and targets[i][0] <= workers.free[i]:
                    targets[i].pop(0)
                    workers.run(i, step, "fit", cost.fit)
                workers.run(i, step, "predict", cost.predict)
            seconds = cost.learn + (cost.target if fits else 0.0)
            end = workers.run(i, step, "backward", seconds)
            if i > 0 and fits:
                targets[i - 1].append(end + latency)
    return workers.intervals


def unlocked(costs: Sequence[ModuleCost], steps: int, *, latency: float = 0.0,
             fit_every: int = 1) -> list[Interval]:
    """Synthetic gradients and synthetic inputs: no lock is left."""
    return decoupled(costs, steps, latency=latency, fit_every=fit_every, forward_lock=False)


SCHEDULES: dict[str, Callable[..., list[Interval]]] = {
    "locked backprop": locked,
    "model-parallel backprop": model_parallel,
    "pipelined backprop": pipelined,
    "decoupled": decoupled,
    "fully unlocked": unlocked,
}


def step_seconds(intervals: Sequence[Interval], steps: int) -> float:
    """Return the time between minibatches once the pipeline is full: over the second half."""
    ends = [0.0] * steps
    for interval in intervals:
        ends[interval.step] = max(ends[interval.step], interval.end)
    half = steps // 2
    return (ends[-1] - ends[half - 1]) / (steps - half)
