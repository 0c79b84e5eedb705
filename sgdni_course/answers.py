"""Compare a student's answer with the right one, and with the wrong ones that are usual.

A check calls the student's function with :func:`ask`, looks at every part of what comes back with
:func:`compare`, and ends with :func:`well_done`. All inputs are seeded and in float64, so a right
answer agrees to rounding and a wrong one that is recognised is recognised for certain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

TOLERANCE = 1e-9


def ask(function: Callable, *inputs: np.ndarray, parts: str = "") -> tuple:
    """Call the student's function on copies of the inputs and return a tuple of what it returns.

    Parameters
    ----------
    function : callable
        The student's. NotImplementedError from a stub passes through, as any other error.
    inputs : arrays, or anything else
    parts : str
        Names of what it must return, separated by spaces. One name, or none: a single value.

    Raises
    ------
    AssertionError
        When it returns None or the wrong number of values, or alters an input array.
    """
    name, given = function.__name__, [np.copy(a) if isinstance(a, np.ndarray) else a
                                      for a in inputs]
    answer = function(*given)
    assert answer is not None, f"{name} returned None. Is there a return at its end?"
    for i, (before, after) in enumerate(zip(inputs, given, strict=True), start=1):
        if isinstance(before, np.ndarray):
            assert np.array_equal(before, after, equal_nan=True), (
                f"{name} altered its argument number {i}: work on a copy "
                f"(y = x * mask, not x *= mask)"
            )
    wanted = parts.split()
    if len(wanted) < 2:
        return (answer,)
    assert isinstance(answer, tuple) and len(answer) == len(wanted), (
        f"{name} must return {len(wanted)} values, {', '.join(wanted)}; it returned "
        + (f"{len(answer)}" if isinstance(answer, tuple) else f"one {type(answer).__name__}")
    )
    return answer


def compare(name: str, got: np.ndarray, right: np.ndarray,
            usual: Mapping[str, np.ndarray] | None = None) -> None:
    """Accept `got` if it is `right`; recognise the usual wrong answers and give their hints.

    Parameters
    ----------
    name : str
        What the student calls it, such as ``"dW"``; every message starts with it.
    got, right : arrays, or numbers
    usual : mapping of hint to wrong array
        What each usual mistake would have given, most likely first. A hint goes on after "your dW":
        ``"lacks the sum over the batch"``. A wrong sign, a constant factor, a wrong shape, and NaN
        are recognised without being listed.

    Raises
    ------
    AssertionError
        With the hint, or else with the largest relative error.
    """
    assert got is not None, f"your {name} is None"
    try:
        got = np.asarray(got, float)
    except (TypeError, ValueError):
        raise AssertionError(f"your {name} is no array of numbers but {got!r:.60}") from None
    right = np.asarray(right, float)
    if _same(got, right):
        return
    for hint, wrong in (usual or {}).items():
        assert not _same(got, np.asarray(wrong, float)), f"your {name} {hint}"
    assert got.shape == right.shape, (
        f"your {name} has shape {got.shape}, expected {right.shape}"
    )
    assert np.isfinite(got).all(), (
        f"your {name} has {int((~np.isfinite(got)).sum())} entries that are not finite numbers"
    )
    assert not _same(got, -right), f"your {name} has the wrong sign"
    factor = np.vdot(right, got) / np.vdot(right, right) if right.any() else 0.0
    assert not (factor and _same(got, factor * right)), (
        f"your {name} is {factor:.4g} times what it should be, in every entry"
    )
    # Relative to the size of the whole array too: an entry near zero says little by itself.
    error = np.abs(got - right) / np.maximum(np.abs(right), 1e-3 * np.abs(right).max(initial=1e-9))
    worst = tuple(int(i) for i in np.unravel_index(error.argmax(), error.shape))
    raise AssertionError(
        f"your {name} is wrong: relative error {error[worst]:.1e} at index {worst}, where it is "
        f"{got[worst]:.6g} and should be {right[worst]:.6g}"
    )


def well_done(function: Callable, remark: str = "") -> None:
    """Print the line that ends a check."""
    print(f"{function.__name__}: right. {remark}".strip())


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(
        np.max(np.abs(a - b), initial=0) <= TOLERANCE * np.max(np.abs(b), initial=1e-3)
    )
