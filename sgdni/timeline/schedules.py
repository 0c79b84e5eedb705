"""Who computes what when, as a list of intervals, for every way of training.

Each function plays a schedule through for given costs: an operation starts when its worker is
free and its messages are there. One module runs on one worker. A message is under way for
`latency` seconds, after the messages before it and its own bytes have passed at `bandwidth`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from sgdni.schedules import Interval
from sgdni.timeline.costs import FREE, LinkCost, Links, ModuleCost


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


class _Link:
    """One way between two workers."""

    def __init__(self, cost: LinkCost, latency: float, bandwidth: float) -> None:
        self.cost, self.latency, self.bandwidth, self.free = cost, latency, bandwidth, 0.0

    def send(self, at: float, share: float = 1.0) -> float:
        """Send a share of a message; return when a receiver who waits has it."""
        self.free = max(self.free, at) + share * self.cost.nbytes / self.bandwidth
        return self.free + self.latency + self.cost.wake


def locked(costs: Sequence[ModuleCost], steps: int, *, latency: float = 0.0,
           bandwidth: float = math.inf, links: Links = FREE) -> list[Interval]:
    """Backpropagation in one worker: everything in turn; there are no links to cost anything."""
    workers = _Workers(1)
    for step in range(steps):
        for cost in costs:
            workers.run(0, step, "forward", cost.forward)
        for cost in reversed(costs):
            workers.run(0, step, "backward", cost.learn + cost.target)
    return workers.intervals


def pipelined(costs: Sequence[ModuleCost], steps: int, *, latency: float = 0.0,
              bandwidth: float = math.inf, links: Links = FREE, micro_batches: int = 4
              ) -> list[Interval]:
    """Backpropagation split over workers, each minibatch in micro-batches that follow each other.

    All micro-batches run forward, then all backward, and the weights change after the last (GPipe,
    Huang et al. 2019). Taken at its best: an m-th of a minibatch costs an m-th of the time, and so
    does its message. With one micro-batch it is plain model-parallel backpropagation.
    """
    workers, last, share = _Workers(len(costs)), len(costs) - 1, 1 / micro_batches
    up, down = ([_Link(cost, latency, bandwidth) for _ in range(last)]
                for cost in (links.up, links.down))
    for step in range(steps):
        at = [0.0] * micro_batches
        for i, cost in enumerate(costs):
            seconds = cost.forward + links.up.receive * (i > 0) + links.up.send * (i < last)
            for m in range(micro_batches):
                at[m] = workers.run(i, step, "forward", seconds * share, at[m])
                if i < last:  # the top worker has its delta at once
                    at[m] = up[i].send(at[m], share)
        for i in range(last, -1, -1):
            seconds = costs[i].learn + costs[i].target
            seconds += links.down.receive * (i < last) + links.down.send * (i > 0)
            for m in reversed(range(micro_batches)):
                at[m] = workers.run(i, step, "backward", seconds * share, at[m])
                if i > 0:
                    at[m] = down[i - 1].send(at[m], share)
    return workers.intervals


def data_parallel(costs: Sequence[ModuleCost], steps: int, *, latency: float = 0.0,
                  bandwidth: float = math.inf, links: Links = FREE) -> list[Interval]:
    """Backpropagation on K workers, as many as modules, each with a K-th of every minibatch.

    Then all add up their gradients on a ring, which takes 2 (K - 1) messages of a K-th of them
    (see DataParallel). A module's gradients leave while those below it are computed. Taken at its
    best: a K-th of a minibatch costs a K-th of the time, and adding costs nothing.
    """
    count, start = len(costs), 0.0
    workers, messages = _Workers(count), 2 * (count - 1)
    for step in range(steps):
        passed = 0.0
        for k in range(count):
            for cost in costs:
                workers.run(k, step, "forward", cost.forward / count, start)
            for cost in reversed(costs):
                done = workers.run(k, step, "backward", (cost.learn + cost.target) / count)
                if k == 0:  # all workers do the same at the same time
                    passed = max(passed, done) + messages * cost.nbytes / count / bandwidth
        start = passed + messages * latency
    return workers.intervals


def delayed(costs: Sequence[ModuleCost], steps: int, *, latency: float = 0.0,
            bandwidth: float = math.inf, links: Links = FREE, queue_size: int = 4
            ) -> list[Interval]:
    """Each module goes on with the next minibatch, and back to one when its gradient comes.

    At most `queue_size` minibatches are under way above a module for each module there (see
    Delayed). A gradient that is there goes first.
    """
    last = len(costs) - 1
    workers = _Workers(len(costs))
    up, down = ([_Link(cost, latency, bandwidth) for _ in range(last)]
                for cost in (links.up, links.down))
    inputs = [deque([(0.0, step) for step in range(steps)]), *(deque() for _ in range(last))]
    gradients: list[deque[tuple[float, int]]] = [deque() for _ in costs]
    under_way = [0] * len(costs)

    def next_move(i: int) -> tuple[float, str]:
        """Return when worker i can do something, and what."""
        free, begins = workers.free[i], {}
        if gradients[i]:
            begins["backward"] = max(free, gradients[i][0][0])
        if inputs[i] and (i == last or under_way[i] < queue_size * (last - i)):
            begins["forward"] = max(free, inputs[i][0][0])
        # Of moves that can begin at the same time the gradient's comes first.
        return min(((at, kind) for kind, at in begins.items()), default=(math.inf, ""))

    def backward(i: int, step: int, ready: float) -> None:
        seconds = costs[i].learn + costs[i].target
        seconds += links.down.receive * (i < last) + links.down.send * (i > 0)
        done = workers.run(i, step, "backward", seconds, ready)
        if i > 0:
            gradients[i - 1].append((down[i - 1].send(done), step))

    while True:
        # Whoever is first sends nothing that would have come earlier to anybody.
        (at, kind), i = min((next_move(i), i) for i in range(len(costs)))
        if at == math.inf:
            return workers.intervals
        if kind == "backward":
            ready, step = gradients[i].popleft()
            under_way[i] -= 1
            backward(i, step, ready)
            continue
        ready, step = inputs[i].popleft()
        seconds = costs[i].forward + links.up.receive * (i > 0) + links.up.send * (i < last)
        done = workers.run(i, step, "forward", seconds, ready)
        if i == last:
            backward(i, step, done)
        else:
            under_way[i] += 1
            inputs[i + 1].append((up[i].send(done), step))


def decoupled(costs: Sequence[ModuleCost], steps: int, *, latency: float = 0.0,
              bandwidth: float = math.inf, links: Links = FREE, fit_every: int = 1,
              queue_size: int = 4, forward_lock: bool = True) -> list[Interval]:
    """Synthetic gradients: a worker waits for its input and for room in the next one's queue.

    Targets come back as messages and are fitted when they are there. Without the forward lock
    (synthetic inputs too) nobody waits for anything: a worker makes its input up, and of the real
    ones that have come since it last looked, and of the targets, the newest teaches (see
    UnlockedAsynchronous). Input models are taken to cost as much as the SG models.
    """
    workers, last = _Workers(len(costs)), len(costs) - 1
    up, down = ([_Link(cost, latency, bandwidth) for _ in range(last)]
                for cost in (links.up, replace(links.down, wake=0)))  # nobody waits for a target
    arrived = [[0.0] * steps for _ in costs]  # when the input of a step is there
    taken = [[0.0] * steps for _ in costs]  # when it is taken from the queue
    # When what nobody has fitted to yet arrives.
    inputs, targets = ([deque[float]() for _ in costs] for _ in range(2))
    for step in range(steps):
        fits = step % fit_every == 0
        for i, cost in enumerate(costs):
            ready = arrived[i][step] if forward_lock else 0.0
            taken[i][step] = max(workers.free[i], ready)
            if not forward_lock and i > 0:
                if came := _come(inputs[i], workers.free[i]):
                    workers.run(i, step, "fit input",
                                costs[i - 1].fit + came * links.up.receive)
                workers.run(i, step, "predict input", costs[i - 1].predict)
            seconds = cost.forward + links.up.send * (i < last and (forward_lock or fits))
            seconds += links.up.receive * (i > 0 and forward_lock)
            sent = workers.run(i, step, "forward", seconds, ready)
            if i < last:
                if forward_lock and step >= queue_size:
                    sent = max(sent, taken[i + 1][step - queue_size])  # waits for room
                    workers.free[i] = sent
                if forward_lock:
                    arrived[i + 1][step] = up[i].send(sent)
                elif fits:
                    inputs[i + 1].append(up[i].send(sent))
                while came := _come(targets[i], workers.free[i], most=1 if forward_lock else None):
                    workers.run(i, step, "fit", cost.fit + came * links.down.receive)
                    if not forward_lock:
                        break
                workers.run(i, step, "predict", cost.predict)
            seconds = cost.learn
            if fits and i > 0:
                seconds += cost.target + links.down.send
            end = workers.run(i, step, "backward", seconds)
            if fits and i > 0:
                targets[i - 1].append(down[i - 1].send(end))
    return workers.intervals


def _come(arrivals: deque[float], now: float, most: int | None = None) -> int:
    """Take the messages that are there, at most so many; return their number."""
    count = 0
    while arrivals and arrivals[0] <= now and count != most:
        arrivals.popleft()
        count += 1
    return count


SCHEDULES: dict[str, Callable[..., list[Interval]]] = {
    "locked backprop": locked,
    "model-parallel backprop": partial(pipelined, micro_batches=1),
    "pipelined backprop": pipelined,
    "data-parallel backprop": data_parallel,
    "delayed gradients": delayed,
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
