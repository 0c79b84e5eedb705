"""Check an SG model: what the schedules expect of it, and the gradient it follows, if any."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sgdni.gradcheck.differences import MAX_ENTRIES, STEP, TOLERANCE, compare, require_float64
from sgdni.gradcheck.report import Report
from sgdni.synthetic import SyntheticGradient

FITS = 30  # of one minibatch, after which its error has to be smaller


def check_synthetic(sg: SyntheticGradient, h: np.ndarray, c: np.ndarray | None,
                    target: np.ndarray, rng: np.random.Generator, *,
                    max_entries: int = MAX_ENTRIES, step: float = STEP,
                    tolerance: float = TOLERANCE) -> Report:
    """Check the promises of an SG model on one minibatch.

    Predictions have the shape and dtype of h, repeat, and depend on their own example only;
    neither `predict` nor `learn_locally` nor `fit` alters its arguments; `learn_locally` leaves
    the prediction alone that is in use, and what it changes is all in `state`; fitting the
    minibatch over and over brings predictions nearer to the target; what `state` returns is live.
    For a model fitted by gradient steps, `gradients` are compared with finite differences of its
    predictions.

    Parameters
    ----------
    sg : SyntheticGradient
        Built with ``dtype=np.float64``. Its parameters get random values for the comparison, since
        they are often zero at first. All that `state` returns is put back in the end.
    h, target : ndarray (B, ...) of float64, of one shape
    c : ndarray (B, n_context) of float64, or None
    rng : numpy.random.Generator
        Draws those values, and the entries to check when there are more than `max_entries`.
    step, tolerance : float
        Of the differences, and the largest relative error that passes.

    Returns
    -------
    Report
        With the variables that `gradients` names; ``"fit"`` stands for a model that follows none.

    Raises
    ------
    ValueError
        Unless the arrays are float64.
    """
    arguments = {"h": h, "target": target} | ({} if c is None else {"c": c})
    require_float64(arguments)
    report = Report(type(sg).__name__, tolerance)
    restore = _keep(sg)

    def unaltered(who: str, call: Callable) -> object:
        before = {name: array.copy() for name, array in arguments.items()}
        result = call()
        for name, array in arguments.items():
            if not np.array_equal(array, before[name]):
                report.violations.append(f"{who} altered {name}")
                array[...] = before[name]
        return result

    try:
        found = unaltered("gradients", lambda: sg.gradients(h, c, target)) or {}
        require_float64({name: p for name, (p, _) in found.items()})
        for parameter, _ in found.values():
            parameter[...] = rng.standard_normal(parameter.shape)
        _check_predictions(report, sg, h, c, unaltered)
        if found and not report.violations:
            _compare_gradients(report, sg, h, c, target, unaltered, rng, step, max_entries)
        if not report.violations:
            _check_local_learning(report, sg, h, c, unaltered)
        restore()
        if not report.violations:
            _check_fit(report, sg, h, c, target, unaltered)
    finally:
        restore()
    return report


def _keep(sg: SyntheticGradient) -> Callable[[], None]:
    """Copy all that `state` returns; calling the answer puts it back."""
    kept = {name: array.copy() for name, array in sg.state().items()}

    def restore() -> None:
        for name, array in sg.state().items():
            array[...] = kept[name]
    return restore


def _check_predictions(report: Report, sg: SyntheticGradient, h: np.ndarray,
                       c: np.ndarray | None, unaltered: Callable) -> None:
    first = unaltered("predict", lambda: sg.predict(h, c))
    if not isinstance(first, np.ndarray) or (first.shape, first.dtype) != (h.shape, h.dtype):
        got = f"{first.shape} {first.dtype}" if isinstance(first, np.ndarray) else type(first)
        report.violations.append(f"predict: expected {h.shape} float64, got {got}")
        return
    first, some = first.copy(), slice(0, (len(h) + 1) // 2)
    if not np.allclose(first, sg.predict(h, c), rtol=1e-12, atol=1e-12):
        report.violations.append("predict is not deterministic: two answers to one question")
    part = sg.predict(h[some], None if c is None else c[some])
    if not np.allclose(first[some], part, rtol=1e-10, atol=1e-12):
        report.violations.append("predictions depend on the other examples of the batch")
    if np.any(first):
        others = {"h": (2 * h, c)} | ({} if c is None else {"c": (h, np.roll(c, 1, axis=1))})
        for name, arguments in others.items():
            if np.allclose(first, sg.predict(*arguments), rtol=1e-10, atol=1e-12):
                report.violations.append(f"predict ignores {name}")


def _compare_gradients(report: Report, sg: SyntheticGradient, h: np.ndarray,
                       c: np.ndarray | None, target: np.ndarray, unaltered: Callable,
                       rng: np.random.Generator, step: float, max_entries: int) -> None:
    def gradients() -> dict:
        found = unaltered("gradients", lambda: sg.gradients(h, c, target))
        return {name: (p, np.array(g)) for name, (p, g) in found.items()}

    first, second = gradients(), gradients()
    for name, (parameter, gradient) in first.items():
        if gradient.shape != parameter.shape:
            report.violations.append(
                f"{name}: expected a gradient of shape {parameter.shape}, got {gradient.shape}")
        elif not np.allclose(gradient, second[name][1], rtol=1e-10):
            report.violations.append(f"{name}: gradients twice give two gradients: write it anew")
    if report.violations:
        return

    def half_squares() -> np.ndarray:
        errors = (sg.predict(h, c) - target).reshape(len(h), -1)
        return np.sum(errors**2, axis=1) / 2

    compare(report, half_squares, np.ones(len(h)), {name: p for name, (p, _) in first.items()},
            {name: g for name, (_, g) in first.items()}, rng, step=step, max_entries=max_entries)


def _check_local_learning(report: Report, sg: SyntheticGradient, h: np.ndarray,
                          c: np.ndarray | None, unaltered: Callable) -> None:
    restore, first = _keep(sg), sg.predict(h, c).copy()
    for _ in range(3):
        delta = sg.predict(h, c)
        in_use = delta.copy()
        unaltered("learn_locally", lambda: sg.learn_locally(h, c))
        if not np.array_equal(delta, in_use):
            report.violations.append("learn_locally altered the prediction that is in use")
            return
    restore()
    if not np.allclose(first, sg.predict(h, c), rtol=1e-12, atol=1e-12):
        report.violations.append(
            "state lacks something that learn_locally changes: a checkpoint would lose it")


def _check_fit(report: Report, sg: SyntheticGradient, h: np.ndarray, c: np.ndarray | None,
               target: np.ndarray, unaltered: Callable) -> None:
    def error() -> float:
        return float(np.sum((sg.predict(h, c) - target) ** 2))

    before, state = error(), {name: array.copy() for name, array in sg.state().items()}
    for _ in range(FITS):
        unaltered("fit", lambda: sg.fit(h, c, target))
    if not error() < before:
        report.violations.append(
            f"fit: {FITS} times the same minibatch brought predictions no nearer to the target")
    elif all(np.array_equal(array, state[name]) for name, array in sg.state().items()):
        report.violations.append("state holds nothing that fit changes: a checkpoint would lose it")
    if not report.checked:
        report.checked["fit"], report.errors["fit"] = target.size, 0.0
