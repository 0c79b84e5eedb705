"""The core of every check: analytic derivatives of sum(v * f) against central differences.

v is a random cotangent. One of all ones would be blind to some errors: a softmax layer's
gradient for it is exactly zero, so a backward pass with a forgotten factor would pass.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sgdni.gradcheck.report import TOLERANCE, Failure, Kink, Report

STEP = 1e-6
MAX_ENTRIES = 200  # checked of any one variable


def require_float64(arrays: dict[str, np.ndarray]) -> None:
    """Refuse anything but float64 arrays. Raises ValueError."""
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype != np.float64:
            raise ValueError(
                f"gradient check: expected {name} in float64, got "
                f"{getattr(array, 'dtype', type(array).__name__)}. With the 7 digits of float32 "
                f"the change over a step of 1e-6 is roundoff; build with dtype=np.float64 (a layer "
                f"without such an argument needs one)"
            )


def compare(report: Report, function: Callable[[], np.ndarray], v: np.ndarray,
            variables: dict[str, np.ndarray], gradients: dict[str, np.ndarray],
            rng: np.random.Generator) -> None:
    """Compare gradients with finite differences, writing what is found into `report`.

    Parameters
    ----------
    function : callable
        Returns f for the variables as they stand; they are changed in place, entry by entry, and
        put back.
    v : ndarray, the shape of f
    variables, gradients : dict of str to ndarray
        Where to differentiate, and the derivatives of sum(v * f) that the code claims.
    rng : numpy.random.Generator
        Draws the entries to check of a variable with too many of them.
    """
    base = function().copy()
    # Relative errors are taken of no less than this: a derivative of 0 is measured as roundoff
    # and passes, and a wrong one is still caught when off by more than ten times that roundoff.
    floor = 10 * _roundoff(function, base, v, variables, rng) / STEP / TOLERANCE
    for name, gradient in gradients.items():
        array = variables[name]
        places = np.arange(array.size)
        if array.size > MAX_ENTRIES:
            places = np.sort(rng.choice(array.size, MAX_ENTRIES, replace=False))
        indices = [tuple(map(int, np.unravel_index(place, array.shape))) for place in places]
        measured = [_differences(function, base, v, array, index) for index in indices]
        left, central, right = np.array(measured, float).reshape(-1, 3).T
        analytic = np.array([gradient[index] for index in indices], float)
        error = np.abs(analytic - central) / np.maximum(np.abs(analytic) + np.abs(central), floor)
        kinks = _at_kinks(analytic, left, central, right, error <= TOLERANCE,
                          room=10 * STEP * np.linalg.norm(v))
        report.checked[name] = len(indices)
        report.errors[name] = float(np.max(error[~kinks], initial=0))
        for i, index in enumerate(indices):
            a, e = float(analytic[i]), float(error[i])
            if kinks[i]:
                report.kinks.append(Kink(name, index, a, float(left[i]), float(right[i])))
            elif not e <= TOLERANCE:  # so that NaN fails
                report.failures.append(Failure(name, index, a, float(central[i]), e))


def _roundoff(function, base, v, variables, rng) -> float:
    """Return how far sum(v * f) strays by rounding, measured by nudging all variables an ulp.

    That finds what a formula cannot: a value much larger than the differences that matter, as
    before batch normalisation, loses digits which count in the end. Never more than 1000 times
    the rounding of f itself, so that a function which jumps does not pass as a noisy one.
    """
    eps = np.finfo(np.float64).eps
    kept = {name: array.copy() for name, array in variables.items()}
    least = eps * (np.linalg.norm(v * base) + STEP * np.linalg.norm(v))
    measured = least
    for _ in range(4):
        for array in variables.values():
            array *= 1 + eps * rng.choice([-1, 1], array.shape)
        measured = max(measured, np.linalg.norm(v * (function() - base)))
        for name, array in variables.items():
            array[...] = kept[name]
    return min(measured, 1000 * least)


def _differences(function, base, v, array, index) -> tuple[float, float, float]:
    """Return the left, central and right difference quotient of sum(v * f) in one entry."""
    here = array[index]
    array[index] = high = here + STEP
    above = function().copy()
    array[index] = low = here - STEP
    below = function()
    array[index] = here
    # The outputs are subtracted before they are summed, which leaves less roundoff; and divided
    # by the step really taken, since here + STEP is rounded.
    return (np.sum(v * (base - below)) / (here - low), np.sum(v * (above - below)) / (high - low),
            np.sum(v * (above - base)) / (high - here))


def _at_kinks(analytic, left, central, right, agrees, room: float) -> np.ndarray:
    """Return where the one-sided quotients differ by more than a smooth function's would.

    A smooth but strongly curved one agrees with the central quotient, unless the jump is large.
    An analytic value outside what the two span is an error all the same, not excused as a kink.
    """
    size = np.maximum(np.abs(left) + np.abs(right), np.mean(np.abs(central)))
    jump = np.abs(right - left)
    slack = room + 1e-3 * jump
    between = ((analytic >= np.minimum(left, right) - slack)
               & (analytic <= np.maximum(left, right) + slack))
    return between & (jump > np.where(agrees, 0.1, 1e-3) * size + room)
