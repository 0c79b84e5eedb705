"""Checks of the exercises to lesson 2, the locks: right answers are schedules played through."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sgdni.timeline import SCHEDULES, ModuleCost, idle_shares, step_seconds
from sgdni.timeline.balance import balanced_cuts, merged
from sgdni_course.answers import ask, compare, well_done

STEPS = 120  # of a schedule; even, and a multiple of every k here


def check_model_parallel(model_parallel: Callable) -> None:
    """Check ``model_parallel(forward, backward, latency) -> step, idle``."""
    rng = np.random.default_rng(1)
    forward, backward = rng.uniform(1, 2, 4), rng.uniform(2, 4, 4)
    latency, work, links = 0.7, forward + backward, 3
    costs = [ModuleCost(f, b) for f, b in zip(forward, backward, strict=True)]
    played = SCHEDULES["model-parallel backprop"](costs, STEPS, latency=latency)
    right = step_seconds(played, STEPS)
    step, idle = ask(model_parallel, forward, backward, latency, parts="step idle")
    compare("step", step, right, {
        "lacks the latency: a minibatch waits on every link": work.sum(),
        "counts every link once: h crosses it on the way up, delta on the way down":
            work.sum() + links * latency,
        "counts a link too many: K workers in a row have K - 1 between them":
            work.sum() + 2 * (links + 1) * latency,
        "has one link's latency only: there are K - 1 links": work.sum() + 2 * latency,
        "is the slowest worker's work plus latency, as if the others were at work meanwhile; in "
        "backprop one waits for the other, and the work adds up": work.max() + 2 * links * latency,
        "is the slowest worker's work alone: that is decoupled training": work.max(),
        "lacks the way back: backward takes time too": forward.sum() + 2 * links * latency,
    })
    compare("idle", idle, idle_shares(played, STEPS), {
        "is the share of time that each worker is busy; idle is the rest": work / right,
        "is in seconds: divide by the step for a share": right - work,
        "is the mean over the workers: each one has its own share": 1 - np.mean(work) / right,
        "forgets that workers wait for messages too: divide by the whole step, with the latency":
            1 - work / work.sum(),
        "counts forward only as work": 1 - forward / right,
    })
    well_done(model_parallel, "The shares of being busy add up to less than one worker.")


def check_decoupled_step(decoupled_step: Callable) -> None:
    """Check ``decoupled_step(forward, learn, target, predict, fit, k) -> step``."""
    rng, k = np.random.default_rng(2), 4
    forward, learn, target, predict, fit = rng.uniform(1, 2, (5, 4))
    forward[1] += 3  # the slowest, whatever is left out
    target[0] = predict[-1] = fit[-1] = 0
    costs = [ModuleCost(*c) for c in zip(forward, learn, target, predict, fit, strict=True)]
    right = step_seconds(SCHEDULES["decoupled"](costs, STEPS, fit_every=k), STEPS)
    plain, rare = forward + learn + predict, target + fit
    step, = ask(decoupled_step, forward, learn, target, predict, fit, k)
    compare("step", step, right, {
        "fits on every step: target and fit come every k-th step only, so on average a k-th of "
        "them counts": (plain + rare).max(),
        "has the target on every step: who needs it when nobody is fitted?":
            (plain + target + fit / k).max(),
        "has the fit on every step; it comes every k-th only": (plain + fit + target / k).max(),
        "predicts on every k-th step only: without a prediction there is no update":
            (forward + learn + (predict + rare) / k).max(),
        "lacks the prediction": (forward + learn + rare / k).max(),
        "lacks the target that is computed for the module below": (plain + fit / k).max(),
        "lacks the fit": (plain + target / k).max(),
        "is the sum over the workers: they work at the same time": (plain + rare / k).sum(),
        "is the mean over the workers: the fast ones wait for the slowest":
            (plain + rare / k).mean(),
        "is one time for each worker: which of them sets the pace?": plain + rare / k,
        "has the k-th part of everything": ((plain + rare) / k).max(),
        "is a step of plain backprop on the slowest worker, without the SG model":
            (forward + learn + target).max(),
    })
    well_done(decoupled_step, "A maximum where backprop has a sum, and no latency in it.")


def check_queue_size(queue_size: Callable) -> None:
    """Check ``queue_size(latency, step) -> size``."""
    cases = [(21.0, 8.0), (5.0, 8.0), (32.0, 8.0), (33.0, 8.0), (9.0, 2.0)]
    latency, step = np.array(cases).T
    right = np.array([_least_size(*case) for case in cases], float)
    answers = [ask(queue_size, *case)[0] for case in cases]
    exact, whole = latency / step, np.ceil(latency / step)
    compare(f"size for (latency, step) in {cases}", answers, right, {
        "is not rounded: a queue has room for whole minibatches": exact,
        "is rounded down, so that the queue is full before the first message has arrived":
            np.floor(exact),
        "is rounded down, so that the queue is full before the first message has arrived (and "
        "then raised to 1)": np.maximum(np.floor(exact), 1),
        "is rounded to the nearest: with less than latency / step the sender waits":
            np.round(exact),
        "is rounded to the nearest: with less than latency / step the sender waits (and then "
        "raised to 1)": np.maximum(np.round(exact), 1),
        "is one too many where the latency is a multiple of the step: room comes just in time":
            np.floor(exact) + 1,
        "is one too many: those on the way are counted already": whole + 1,
        "counts the way back: nobody waits for the target, and it takes no room in this queue":
            np.ceil(2 * exact),
        "is upside down: a long latency needs a large queue": np.ceil(1 / exact),
    })
    none, = ask(queue_size, 0.0, 8.0)
    compare("size for latency 0", none, 1.0, {
        "is no queue at all: a message needs room for itself": 0.0,
    })
    well_done(queue_size, "size * step >= latency, and some slack on a real machine.")


def check_best_cut(best_cut: Callable) -> None:
    """Check ``best_cut(forward, learn, target, predict, fit, k) -> cut, step`` on some networks."""
    networks, k = [_layers(seed) for seed in range(6)], 2
    right_cuts, right = np.array([_best(layers, k) for layers in networks]).T
    answers = [ask(best_cut, *layers, k, parts="cut step") for layers in networks]
    cuts, steps = zip(*answers, strict=True)

    def usual(which: Callable = min, **changes: bool) -> list[float]:
        return [which(_steps(*layers, k, **changes)) for layers in networks]

    compare("step (6 networks)", steps, right, {
        "is that of the worst cut": usual(max),
        "is the work of both workers together: they work at the same time, so take the larger of "
        "the two": usual(slower=sum),
        "is that of the faster worker; the slower one sets the pace": usual(slower=min),
        "is that of plain backprop in both workers: the lower one has an SG model, and the target "
        "for it comes every k-th step only": usual(model=False, cross_rarely=False),
        "leaves out the SG model of the lower worker, predict and fit": usual(model=False),
        "has the fit on every step; it comes every k-th only": usual(fit_rarely=False),
        "has the target for the lower worker on every step; it comes every k-th only":
            usual(cross_rarely=False),
        "leaves out gradients inside the modules: only the one that crosses the interface comes "
        "every k-th step": usual(inside_rarely=True),
        "takes the SG model of the layer above the interface: it stands on top of layer "
        "number cut, predict[cut - 1]": usual(model_at=0),
    })
    compare("cut (6 networks)", cuts, right_cuts, {
        "counts from 0: when the lower worker has one layer, cut is 1": right_cuts - 1,
        "is one too high: cut is the number of layers of the lower worker": right_cuts + 1,
        "is the number of layers of the upper worker": len(networks[0][0]) - right_cuts,
    })
    well_done(best_cut, "sgdni.timeline.balance.balanced_cuts does this for any number of workers.")


def _best(layers: np.ndarray, k: int) -> tuple[int, float]:
    """Return the best cut and the time of a step that the timeline gives for it."""
    costs = [ModuleCost(*c) for c in zip(*layers, strict=True)]
    cuts = balanced_cuts(costs, 2, fit_every=k)
    played = SCHEDULES["decoupled"](merged(costs, cuts), STEPS, fit_every=k)
    return cuts[0], step_seconds(played, STEPS)


def _least_size(latency: float, step: float) -> int:
    """Return the smallest size with which two workers lose no time, found by trying."""
    costs = [ModuleCost(step / 2, step / 2)] * 2
    size = 1
    while step_seconds(SCHEDULES["decoupled"](costs, STEPS, latency=latency, queue_size=size),
                       STEPS) > step * (1 + 1e-9):
        size += 1
    return size


def _layers(seed: int) -> np.ndarray:
    """Return forward, learn, target, predict, fit (5, 9); the lowest layers cost most."""
    rng = np.random.default_rng(seed)
    layers = rng.uniform(0.5, 2.5, (5, 9))
    layers[:2, :2] *= 2
    layers[3:] *= 2
    layers[2, 0] = 0
    return layers


def _steps(forward: np.ndarray, learn: np.ndarray, target: np.ndarray, predict: np.ndarray,
           fit: np.ndarray, k: int, *, slower: Callable = max, model: bool = True,
           fit_rarely: bool = True, cross_rarely: bool = True, inside_rarely: bool = False,
           model_at: int = -1) -> list[float]:
    """Return the time of a step for every cut, with a mistake."""
    steps, inside = [], target / k if inside_rarely else target
    for cut in range(1, len(forward)):
        lower = (forward + learn + inside)[:cut].sum()
        if model:
            lower += predict[cut + model_at] + fit[cut + model_at] / (k if fit_rarely else 1)
        upper = (forward + learn)[cut:].sum() + inside[cut + 1:].sum()
        upper += target[cut] / (k if cross_rarely else 1)
        steps.append(slower((lower, upper)))
    return steps
