"""Checks of the exercises to lesson 6, asynchronous for real."""

from __future__ import annotations

import queue
from collections.abc import Callable

import numpy as np

from sgdni.layers import Dense, ReLU
from sgdni.networks import Module
from sgdni.optimizers import SGD
from sgdni.schedules import Interval
from sgdni.synthetic import LeastSquaresFit, LinearSG
from sgdni.timeline import SCHEDULES, ModuleCost, step_seconds
from sgdni_course.answers import ask, compare, well_done

STEPS = 6


def check_update_latency(update_latency: Callable) -> None:
    """Check ``update_latency(intervals, worker) -> seconds``, made-up runs of two workers."""
    for worker in (1, 0):  # the bottom one never queues
        rng = np.random.default_rng(1 + worker)
        intervals, arrived, began, updated, busy = _made_up_run(rng, worker)
        mine = [i for i in intervals if i.worker == worker]
        latency, = ask(update_latency, intervals, worker)
        compare("latency", latency, updated - arrived, {
            "begins at the forward pass, which is how long the module is locked: if the minibatch "
            "had to queue, it arrived earlier": updated - began,
            "is the time at work, the sum of the intervals: from arrival to update there are "
            "pauses, too": busy,
            "is the waiting in the queue alone: it ends with the update": began - arrived,
            "is when the update ended, on the clock of the run: subtract the arrival": updated,
            "mixes the workers: keep only the intervals of `worker`":
                [i.end - i.start for i in intervals],
            "has one number for each interval, not for each minibatch":
                [i.end - i.start for i in mine],
        })
    well_done(update_latency, "For the bottom worker this is also the time it is locked.")


def check_staleness(staleness: Callable) -> None:
    """Check ``staleness(intervals, worker, fit_every) -> minibatches``."""
    fitted_at = {0: np.array([3, 4, 6, 9, 9]), 1: np.array([2, 2, 5, 7, 10])}
    intervals = [Interval(worker, int(step), kind, 0.0, 1.0)
                 for worker, steps in fitted_at.items() for step in range(11)
                 for kind in ("forward", *["fit"] * int((steps == step).sum()), "predict")]
    for worker, fit_every in ((0, 1), (1, 1), (0, 2)):
        at, n = fitted_at[worker], np.arange(5)
        stale, = ask(staleness, intervals, worker, fit_every)
        compare("staleness", stale, at - fit_every * n, {
            "takes the n-th target for that of minibatch n: with fit_every only every k-th "
            "minibatch has one": at - n,
            "counts targets from 1: the first is that of minibatch 0": at - fit_every * (n + 1),
            "is the minibatch at which each target was fitted: subtract the one it belongs to": at,
            "is the distance between one fit and the next, not between a target's minibatch and "
            "its fit": np.diff(at),
            "is divided by fit_every: count minibatches, not targets":
                (at - fit_every * n) / fit_every,
            "has the fits of both workers in it: keep only those of `worker`":
                np.concatenate(list(fitted_at.values())) - fit_every * np.arange(10),
            "belongs to the other worker": fitted_at[1 - worker] - fit_every * n,
        })
    well_done(staleness, "With the modules taking turns and fit_every = 1 every entry would be 1.")


def check_work(work: Callable) -> None:
    """Check ``work(batches, module, model, up, targets)`` step by step, without threads."""
    journal: list[tuple] = []
    module, model, targets = _Module(journal), _Model(journal), _Targets()
    up = _Up(journal, targets)
    batches = [(np.full((2, 1), float(k)), k) for k in range(STEPS)]
    work(batches, module, model, up, targets)
    done = [entry[0] for entry in journal]
    assert done.count("forward") == STEPS, (
        f"your work ran forward {done.count('forward')} times for {STEPS} minibatches"
    )
    sent = [message for message in up.sent if message is not None]
    assert len(sent) == STEPS, f"your work sent {len(sent)} messages up for {STEPS} minibatches"
    assert [c for _, c in sent] == list(range(STEPS)), (
        "your work sent the wrong c: each message is (h, c) of one minibatch"
    )
    assert all(np.all(h == k) for k, (h, _) in enumerate(sent)), (
        "your work sent h itself, and the next forward pass has written over it while it waited in "
        "the queue: send a copy, h.copy()"
    )
    assert up.sent[-1] is None, (
        "your work never says that it is done: without None at the end the worker above waits for "
        "ever"
    )
    assert done.count("learn") == STEPS, (
        f"your module learned {done.count('learn')} times from {STEPS} minibatches: it learns from "
        "every one, whether a target has come or not"
    )
    by_step = [[entry[0] for entry in journal if entry[1] == k] for k in range(STEPS)]
    assert all(mine.index("send") < mine.index("learn") for mine in by_step), (
        "your work learns before it sends h, and the module above waits meanwhile: send first"
    )
    assert "fit" in done, "your work never fits the SG model, though targets have come"
    assert all(mine.index("fit") < mine.index("predict") for mine in by_step if "fit" in mine), (
        "your work predicts before it fits the targets that have come: fit first, and the "
        "prediction is that much fresher"
    )
    fitted = [entry[2] for entry in journal if entry[0] == "fit"]
    came = up.answered
    assert fitted != came[: len(fitted)] or len(fitted) == len(came), (
        f"your work fitted {len(fitted)} of the {len(came)} targets that came: sometimes several "
        f"have come at once, so go on until queue.Empty"
    )
    assert fitted == came, f"your work fitted the targets of minibatches {fitted}, not {came}"
    learned = [entry[2] for entry in journal if entry[0] == "learn"]
    assert all(isinstance(d, str) and d == f"delta^ {k}" for k, d in enumerate(learned)), (
        "your module learned from something else than the SG model's prediction for this minibatch"
    )
    well_done(work, "Nothing in it waits for an answer: the update and backward locks are gone.")


def check_minibatch_seconds(minibatch_seconds: Callable) -> None:
    """Check ``minibatch_seconds(costs, latency, queue_size) -> model_parallel, decoupled``."""
    rng = np.random.default_rng(4)
    # Bound by a worker, by the bottom worker's SG model, and by the links.
    for latency, size, fit in ((2e-3, 4, 1e-3), (2e-3, 4, 9e-3), (160e-3, 4, 1e-3)):
        forward, learn, target = rng.uniform(1e-3, 4e-3, (3, 3))
        costs = [ModuleCost(forward[0], learn[0], 0.0, 0.7e-3, fit),
                 ModuleCost(forward[1], learn[1], target[1], 0.6e-3, 0.8e-3),
                 ModuleCost(forward[2], learn[2], target[2])]
        right = [step_seconds(SCHEDULES[name](costs, 64, latency=latency, **options), 64)
                 for name, options in (("model-parallel backprop", {}),
                                       ("decoupled", {"queue_size": size}))]
        without_sg = [c.forward + c.learn + c.target for c in costs]
        sg = [c.predict + c.fit for c in costs]
        busy = [w + s for w, s in zip(without_sg, sg, strict=True)]
        locked, decoupled = ask(minibatch_seconds, costs, latency, size,
                                parts="model_parallel decoupled")
        compare("model_parallel", locked, right[0], {
            "counts one message on each link, or both on one link only: 3 modules have 2 links, "
            "and on each h goes up and delta comes down": right[0] - 2 * latency,
            "counts one link more than there are: 3 modules have 2 between them":
                right[0] + 2 * latency,
            "lacks the links": sum(without_sg),
            "has SG models in it: backprop needs none": right[0] + sum(sg),
            "is the busiest worker's time: with backprop the workers take turns, so add them up":
                max(without_sg) + 4 * latency,
            "lacks the targets: with backprop they are the deltas that go down the links":
                right[0] - sum(c.target for c in costs),
        })
        bound = latency / size
        compare("decoupled", decoupled, right[1], {
            "is the sum over the workers: they work at once, and the busiest one decides":
                max(sum(busy), bound),
            "lacks the fit of the SG models: the worker below does it": max(
                *(w + c.predict for w, c in zip(without_sg, costs, strict=True)), bound),
            "lacks the SG models: they are work, too": max(*without_sg, bound),
            "lacks the links: only `queue_size` minibatches pass in one latency": max(busy),
            "has the whole latency in it: `queue_size` minibatches are on the way at once":
                max(*busy, latency),
            "has a way up and a way down in it: nobody waits for the way down":
                max(*busy, 2 * bound),
            "adds the links to the work: they go on at the same time, so take the larger":
                max(busy) + bound,
            "adds the latency to the work: a message travels while the workers work":
                max(busy) + latency,
        })
    well_done(minibatch_seconds, "The simulated schedules agree with your two lines.")


def bottom_module() -> Module:
    """Return a small bottom module, 5 inputs and 4 outputs, for a worker to train."""
    return Module([Dense(5, 4, np.random.default_rng(0), dtype=np.float64), ReLU()], SGD(0.1))


def sg_model() -> LinearSG:
    """Return an SG model for `bottom_module`, conditioned on three classes."""
    return LinearSG(4, 3, LeastSquaresFit(), np.float64)


def _made_up_run(rng: np.random.Generator, worker: int) -> tuple:
    """Return intervals of two workers, and `worker`'s times: (arrived, began, updated, busy)."""
    intervals, times = [], []
    for w in (0, 1):
        at = 0.1 * w
        for step in range(STEPS):
            arrived = at = at + rng.uniform(1, 2)
            if w == 1 and step % 2:  # this one had to queue
                at += rng.uniform(1, 2)
                intervals.append(Interval(w, step, "queued", arrived, at))
            began, busy = at, at - arrived
            for kind in ("forward", *(("fit", "predict") if w == 0 else ()), "backward"):
                seconds = rng.uniform(1, 2)
                intervals.append(Interval(w, step, kind, at, at + seconds))
                busy += seconds
                at += seconds + rng.uniform(0.1, 0.3)
            if w == worker:
                times.append((arrived, began, intervals[-1].end, busy))
    return intervals, *np.array(times).T


class _Module:
    """Writes its h into the same memory each time, as a real one, and says what it was asked."""

    def __init__(self, journal: list[tuple]) -> None:
        self.journal, self.step, self.h = journal, -1, np.empty((2, 1))

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.step += 1
        self.journal.append(("forward", self.step))
        self.h[...] = x
        return self.h

    def learn(self, delta: object, input_gradient: bool = False) -> None:
        self.journal.append(("learn", self.step, delta))


class _Model:
    def __init__(self, journal: list[tuple]) -> None:
        self.journal = journal

    def predict(self, h: np.ndarray, c: int) -> str:
        self.journal.append(("predict", c))
        return f"delta^ {c}"

    def fit(self, h: np.ndarray, c: int, target: int) -> None:
        at = next(entry[1] for entry in reversed(self.journal) if entry[0] == "forward")
        self.journal.append(("fit", at, target))


class _Targets(queue.Queue):
    """A queue that says so where another one would wait."""

    def get(self, block: bool = True, timeout: float | None = None) -> tuple:
        assert not block or self.qsize(), (
            "your work waits for a target that has not come: that is the backward lock again. Take "
            "it with targets.get_nowait(), and catch queue.Empty"
        )
        return super().get(block=False)


class _Up(queue.Queue):
    """What goes up; the module above answers some minibatches later, and two at once."""

    def __init__(self, journal: list[tuple], targets: queue.Queue) -> None:
        super().__init__()
        self.journal, self.targets = journal, targets
        self.sent: list = []
        self.answered: list[int] = []

    def put(self, message: tuple | None, block: bool = True, timeout: float | None = None) -> None:
        self.sent.append(message)
        if message is None:
            return
        assert isinstance(message, tuple) and len(message) == 2, (
            f"your work sent {type(message).__name__} up, expected (h, c)"
        )
        k = len(self.sent) - 1
        self.journal.append(("send", k))
        for late in {2: [0, 1], 5: [2, 3, 4]}.get(k, []):
            h, c = self.sent[late]
            self.answered.append(late)
            self.targets.put((h, c, late))
