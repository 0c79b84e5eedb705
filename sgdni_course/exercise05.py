"""Checks of the exercises to lesson 5, speed and accuracy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sgdni.timeline import SCHEDULES, ModuleCost, step_seconds
from sgdni_course.answers import ask, compare, well_done

NEVER = np.inf


def check_time_to_target(time_to_target: Callable) -> None:
    """Check ``time_to_target(seconds, accuracy, target) -> (R,)``."""
    seconds = np.cumsum(np.random.default_rng(1).uniform(0.5, 1.5, (4, 6)), axis=1)
    target = 0.75  # exact in binary, so that the second repeat is there exactly
    accuracy = np.array([
        [0.25, 0.50, 0.80, 0.70, 0.85, 0.82],  # there, below again, there
        [0.50, 0.75, 0.72, 0.78, 0.90, 0.91],  # there exactly
        [0.30, 0.40, 0.50, 0.60, 0.70, 0.74],  # never
        [0.80, 0.82, 0.85, 0.86, 0.88, 0.89],  # at the first test
    ])
    there = accuracy >= target
    right = np.array([next((t for t, a in zip(*row, strict=True) if a >= target), NEVER)
                      for row in zip(seconds, accuracy, strict=True)])

    def first(reached: np.ndarray, never: float | np.ndarray = NEVER) -> np.ndarray:
        at = reached.argmax(axis=1)
        return np.where(reached.any(axis=1), seconds[np.arange(len(at)), at], never)

    answer, = ask(time_to_target, seconds, accuracy, target)
    answer = _numbers("time", answer, right)
    assert answer.shape == right.shape or answer.shape != (3,), (
        "your time leaves out the repeat that never got there: its time is infinite")
    never = ~there.any(axis=1)
    assert answer.shape != right.shape or not np.isfinite(answer[never]).any(), (
        "your time is finite for a repeat that never got there: argmax of a row of False is 0, and "
        "its last time is no time to the target either; it is np.inf")
    _compare("time", answer, right, {
        "asks for more than the target: reaching it is enough": first(accuracy > target),
        "is the last time below the target or at the end, as if a curve had to stay above; the "
        "first time counts": _stays(seconds, there),
        "is the time of the best accuracy, not of the first that is good enough":
            np.where(never, NEVER, seconds[np.arange(4), accuracy.argmax(axis=1)]),
        "is the number of the test, not its time": np.where(never, NEVER, there.argmax(axis=1)),
    })
    well_done(time_to_target, "A curve is known only where it was tested: test all alike.")


def check_times_sooner(times_sooner: Callable) -> None:
    """Check ``times_sooner(theirs, ours) -> ratio`` on drifting and on failing repeats."""
    theirs, ours = np.array([2.0, 9.0, 3.0, 4.0, 5.2]), np.array([1.0, 7.5, 2.4, 1.6, 4.0])
    cases = {
        "5 repeats that got there": (theirs, ours),
        "one where ours never got there": (theirs, np.where(ours == 1.0, NEVER, ours)),
        "one where theirs never got there": (np.where(theirs == 5.2, NEVER, theirs), ours),
        "three where neither got there": (np.where(theirs > 3.5, NEVER, theirs),
                                          np.where(theirs > 3.5, NEVER, ours)),
    }
    for name, (a, b) in cases.items():
        ratios = np.array([0.0 if np.isinf(y) else x / y for x, y in zip(a, b, strict=True)])
        got, = ask(times_sooner, a, b)
        both = np.isfinite(a) & np.isfinite(b)
        got = _numbers("ratio", got, np.median(ratios))
        assert not (got.ndim == 0 and np.isnan(got)), (
            f"your ratio ({name}) is not a number: infinite over infinite is 0 here, since ours "
            f"never got there")
        with np.errstate(invalid="ignore"):
            medians = np.median(a) / np.median(b)
        _compare(f"ratio ({name})", got, np.median(ratios), {
            "is upside down: theirs over ours, so that above 1 ours is faster":
                np.median(1 / ratios[both]),
            "is the ratio of the medians; the machine drifts between repeats, so take ratios "
            "within each, and then their median": medians,
            "is the mean: one odd repeat moves it, and one infinite ratio is all of it":
                np.mean(ratios),
            "is one ratio for each repeat: take their median": ratios,
            "leaves out repeats that never got there: a method would be the faster the more often "
            "it fails": np.median(ratios[both]),
            "calls a repeat in which neither got there a tie": np.median(
                np.where(np.isinf(a) & np.isinf(b), 1.0, ratios)),
        })
    well_done(times_sooner, "Medians within repeats, and failures counted.")


def check_break_even_latency(break_even_latency: Callable) -> None:
    """Check ``break_even_latency(theirs, ours, more_steps, claim) -> L`` on two cases."""
    theirs, ours = np.array([4.0, 5.0, 3.0, 2.0]), np.array([6.0, 7.0, 5.0, 2.5])
    more, claim, links = 1.5, 3.0, 3
    right = _bisect(theirs, ours, more, claim)
    got, = ask(break_even_latency, theirs, ours, more, claim)

    def solved(steps: float = more, pace: float = ours.max(), work: float = theirs.sum(),
               ways: float = 2 * links) -> float:
        return (claim * steps * pace - work) / ways

    compare("latency", got, right, {
        "forgets that decoupled training needs more steps": solved(steps=1),
        "takes more steps for an advantage: they make the break-even latency longer":
            solved(steps=1 / more),
        "counts every link once: h up, delta down": solved(ways=links),
        "counts a link too many: K workers have K - 1 between them": solved(ways=2 * (links + 1)),
        "has one link only: there are K - 1": solved(ways=2),
        "adds up the work of decoupled workers, who are at work at the same time: the busiest "
        "sets the pace": solved(pace=ours.sum()),
        "has the mean worker's pace; the busiest sets it": solved(pace=ours.mean()),
        "has the busiest worker of backprop too, where the work adds up": solved(work=theirs.max()),
        "is that of a tie: multiply our time by the claim": (
            more * ours.max() - theirs.sum()) / (2 * links),
        "multiplies their time by the claim; it is ours that must be that many times shorter": (
            more * ours.max() / claim - theirs.sum()) / (2 * links),
    })
    got, = ask(break_even_latency, 9 * theirs, ours, more, claim)
    compare("latency (9 times the work in theirs)", got, 0.0, {
        "is negative: where the claim is true at any latency, return 0": solved(
            work=9 * theirs.sum()),
    })
    well_done(break_even_latency, "With more workers it falls, until they cost too many steps.")


def check_where_it_goes(where_it_goes: Callable) -> None:
    """Check ``where_it_goes(backprop, alone, together, step) -> work, balance, company, waiting``.
    """
    backprop, alone = np.array([2.0, 2.5, 1.0]), np.array([2.75, 3.5, 1.25])
    together, step = np.array([3.75, 3.6, 2.0]), 4.0  # another one is the busiest in company
    work, balance, company, waiting = ask(
        where_it_goes, backprop, alone, together, step, parts="work balance company waiting")
    right = {"work": backprop.sum() / alone.sum(), "balance": alone.mean() / alone.max(),
             "company": alone.max() / together.max(), "waiting": together.max() / step}
    compare("work", work, right["work"], {
        "is upside down: more work makes the factor smaller": 1 / right["work"],
        "compares the busiest workers; that is for balance": backprop.max() / alone.max(),
        "is measured in company; that is for the third factor": backprop.sum() / together.sum(),
        "is one factor for each module: add up first": backprop / alone,
    })
    compare("balance", balance, right["balance"], {
        "is upside down: an uneven cut makes the factor smaller": 1 / right["balance"],
        "is the idlest worker's share, not the mean": alone.min() / alone.max(),
        "is that of backprop's work: the cut has to be even with the SG models":
            backprop.mean() / backprop.max(),
        "is measured in company; that is for the third factor": together.mean() / together.max(),
        "has the whole work, K times the mean": alone.sum() / alone.max(),
    })
    compare("company", company, right["company"], {
        "is upside down: company slows down": 1 / right["company"],
        "compares the sums: who sets the pace?": alone.sum() / together.sum(),
        "is one factor for each worker: who sets the pace?": alone / together,
        "is the mean over the workers: who sets the pace?": np.mean(alone / together),
        "follows the worker who is the busiest alone; in company another one may be, and the "
        "factors must telescope": alone.max() / together[alone.argmax()],
    })
    compare("waiting", waiting, right["waiting"], {
        "is upside down: waiting makes a step longer": 1 / right["waiting"],
        "starts from the work alone, so the company counts twice": alone.max() / step,
        "is the share of time spent waiting; the factor is the share spent at work":
            1 - together.max() / step,
        "has the mean worker; the busiest sets the pace": together.mean() / step,
        "is one factor for each worker: who sets the pace?": together / step,
    })
    well_done(where_it_goes, f"Here 3 workers are {backprop.sum() / step:.2f} times as fast as 1.")


def check_against_the_best(against_the_best: Callable) -> None:
    """Check ``against_the_best(ours, rivals) -> name, ratio``."""
    ours = _method(4, 36_000, 90_000)  # 2.5 s
    rivals = [
        _method(1, 20_000, 60_000, "backprop, one core"),  # 3 s
        _method(4, 9_000, 60_000, "split backprop, slow links"),  # 6.7 s
        _method(2, 28_000, 60_000, "backprop, two cores"),  # 2.1 s: the one
        _method(4, 54_000, 189_000, "skips updates"),  # 3.5 s
        _method(4, 40_000, NEVER, "never there"),
        _method(16, 75_000, 60_000, "backprop, 16 cores"),  # 0.8 s
    ]
    name, ratio = ask(against_the_best, ours, rivals, parts="name ratio")

    def seconds(method: dict) -> float:
        return method["images_to_target"] / method["images_per_second"]

    by_name = {rival["name"]: rival for rival in rivals}
    assert name in by_name, f"your name is {name!r:.40}, which is none of the rivals'"
    hints = {
        "backprop, one core": "used fewer cores than ours, which is allowed, but so did a faster "
                              "one: no more cores than ours",
        "split backprop, slow links": "is the slowest of those that got there: beating it shows "
                                      "little",
        "skips updates": "has the most images per second of the fair ones, but skips work and "
                         "needs more images for it: compare times to the target, also with rivals "
                         "of fewer cores",
        "never there": "never got to the target, at however many images per second",
        "backprop, 16 cores": "had more cores than ours",
    }
    assert name not in hints, f"your rival, {name!r}, {hints[name]}"
    theirs = by_name[name]
    compare("ratio", ratio, seconds(theirs) / seconds(ours), {
        "is upside down: their time over ours, so that above 1 ours is faster":
            seconds(ours) / seconds(theirs),
        "is one of images per second: how long does each take to the target?":
            ours["images_per_second"] / theirs["images_per_second"],
        "is one of images seen: divide by images per second for a time":
            theirs["images_to_target"] / ours["images_to_target"],
        "is a difference in seconds": seconds(theirs) - seconds(ours),
    })
    well_done(against_the_best,
              f"{seconds(rivals[1]) / seconds(ours):.1f} times as fast, or {ratio:.2f}: the same "
              f"method.")


def _method(cores: int, images_per_second: float, images: float, name: str | None = None) -> dict:
    figures = {"cores": cores, "images_per_second": float(images_per_second),
               "images_to_target": float(images)}
    return figures if name is None else {"name": name, **figures}


def _numbers(name: str, got: object, right: np.ndarray) -> np.ndarray:
    """Return the answer as an array, or say by way of `compare` why it is none."""
    try:
        return np.asarray(got, float)
    except (TypeError, ValueError):
        compare(name, got, right)
        raise


def _compare(name: str, got: np.ndarray, right: np.ndarray, usual: dict) -> None:
    """Compare what is never negative but may be infinite, which stands as -1 meanwhile."""
    def finite(values: np.ndarray) -> np.ndarray:
        return np.where(np.isposinf(values), -1.0, values)

    hints = {hint: finite(wrong) for hint, wrong in usual.items()}
    if got.shape == np.shape(right) and (np.isposinf(got) != np.isposinf(right)).any():
        hints["is infinite where it should not be, or finite where it should be infinite"] = (
            finite(got))
    compare(name, finite(got), finite(right), hints)


def _stays(seconds: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return the first time after which each repeat stays at the target."""
    stays = there[:, ::-1].cumprod(axis=1)[:, ::-1].astype(bool)
    at = stays.argmax(axis=1)
    return np.where(stays.any(axis=1), seconds[np.arange(len(at)), at], NEVER)


def _bisect(theirs: np.ndarray, ours: np.ndarray, more_steps: float, claim: float) -> float:
    """Return the latency at which the timeline itself makes the claim true."""
    split, own = ([ModuleCost(0.0, float(t)) for t in work] for work in (theirs, ours))

    def ratio(latency: float) -> float:
        steps = 8
        slow = step_seconds(SCHEDULES["model-parallel backprop"](split, steps, latency=latency),
                            steps)
        return slow / (more_steps * fast)

    fast = step_seconds(SCHEDULES["decoupled"](own, 60), 60)
    low, high = 0.0, 100.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if ratio(middle) < claim else (low, middle)
    return high
