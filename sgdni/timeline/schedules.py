"""Who computes what when, as a list of intervals, for every way of training.

Each function plays a schedule through for given costs: an operation starts when its worker is
free and its messages are there. One module runs on one worker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from sgdni.schedules import Interval
from sgdni.timeline.costs import FREE, Links, ModuleCost


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


def locked(costs: Sequence[ModuleCost], steps: int, *, latency: float = 0.0,
           links: Links = FREE) -> list[Interval]:
    """Backpropagation in one worker: everything in turn; there are no links to cost anything."""
    workers = _Workers(1)
    for step in range(steps):
        for cost in costs:
            workers.run(0, step, "forward", cost.forward)
        for cost in reversed(costs):
            workers.run(0, step, "backward", cost.learn + cost.target)
    return workers.intervals


def pipelined(costs: Sequence[ModuleCost], steps: int, *, latency: float = 0.0,
              links: Links = FREE, micro_batches: int = 4) -> list[Interval]:
    """Backpropagation split over workers, each minibatch in micro-batches that follow each other.

    All micro-batches run forward, then all backward, and the weights change after the last (GPipe,
    Huang et al. 2019). Taken at its best: an m-th of a minibatch costs an m-th of the time, and so
    does its message. With one micro-batch it is plain model-parallel backpropagation.
    """
    workers, last = _Workers(len(costs)), len(costs) - 1
    up, down = ((link, latency + link.wake) for link in (links.up, links.down))
    for step in range(steps):
        at = [0.0] * micro_batches
        for i, cost in enumerate(costs):
            for m in range(micro_batches):
                seconds = cost.forward + up[0].receive * (i > 0) + up[0].send * (i < last)
                at[m] = workers.run(i, step, "forward", seconds / micro_batches, at[m])
                at[m] += up[1] * (i < last)  # the top worker has its delta at once
        for i in range(last, -1, -1):
            for m in reversed(range(micro_batches)):
                seconds = costs[i].learn + costs[i].target
                seconds += down[0].receive * (i < last) + down[0].send * (i > 0)
                at[m] = workers.run(i, step, "backward", seconds / micro_batches, at[m])
                at[m] += down[1]
    return workers.intervals


def decoupled(costs: Sequence[ModuleCost], steps: int, *, latency: float = 0.0,
              links: Links = FREE, fit_every: int = 1, queue_size: int = 4,
              forward_lock: bool = True) -> list[Interval]:
    """Synthetic gradients: a worker waits for its input and for room in the next one's queue.

    Targets come back as messages and are fitted when they are there. Without the forward lock
    (synthetic inputs too) nobody waits for anything; the input models are taken to cost as much
    as the SG models.
    """
    workers, last = _Workers(len(costs)), len(costs) - 1
    arrived = [[0.0] * steps for _ in costs]  # when the input of a step is there
    taken = [[0.0] * steps for _ in costs]  # when it is taken from the queue
    targets: list[deque[float]] = [deque() for _ in costs]  # when they arrive, not yet fitted
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
            seconds = cost.forward + links.up.receive * (i > 0) + links.up.send * (i < last)
            sent = workers.run(i, step, "forward", seconds, ready)
            if i < last:
                if forward_lock and step >= queue_size:
                    sent = max(sent, taken[i + 1][step - queue_size])  # waits for room
                    workers.free[i] = sent
                arrived[i + 1][step] = sent + latency + links.up.wake
                while targets[i] and targets[i][0] <= workers.free[i]:
                    targets[i].popleft()
                    workers.run(i, step, "fit", cost.fit + links.down.receive)
                workers.run(i, step, "predict", cost.predict)
            seconds = cost.learn
            if fits and i > 0:
                seconds += cost.target + links.down.send
            end = workers.run(i, step, "backward", seconds)
            if fits and i > 0:
                targets[i - 1].append(end + latency)
    return workers.intervals


SCHEDULES: dict[str, Callable[..., list[Interval]]] = {
    "locked backprop": locked,
    "model-parallel backprop": partial(pipelined, micro_batches=1),
    "pipelined backprop": pipelined,
    "decoupled": decoupled,
    "fully unlocked": partial(decoupled, forward_lock=False),
}


def step_seconds(intervals: Sequence[Interval], steps: int) -> float:
    """Return the time between minibatches once the pipeline is full: over the second half."""
    ends = [0.0] * steps
    for interval in intervals:
        if interval.step < steps:  # targets fitted after the last step are at no step
            ends[interval.step] = max(ends[interval.step], interval.end)
    half = steps // 2
    return (ends[-1] - ends[half - 1]) / (steps - half)


def idle_shares(intervals: Sequence[Interval], steps: int) -> list[float]:
    """Return, by worker, the share of its time that it waits, once the pipeline is full."""
    half, shares = steps // 2, []
    for worker in range(1 + max(i.worker for i in intervals)):
        mine = [i for i in intervals
                if i.worker == worker and i.step < steps and i.kind != "queued"]
        start = max((i.end for i in mine if i.step < half), default=0.0)
        late = [i for i in mine if i.step >= half]
        busy = sum(i.end - i.start for i in late)
        shares.append(1 - busy / (max(i.end for i in late) - start))
    return shares
