"""Check a linear SG model fitted by gradient steps: its prediction, and the gradient it follows."""

from __future__ import annotations

import numpy as np

from sgdni.gradcheck.differences import MAX_ENTRIES, STEP, TOLERANCE, compare, require_float64
from sgdni.gradcheck.report import Report
from sgdni.synthetic import LinearSG


def check_synthetic(sg: LinearSG, h: np.ndarray, c: np.ndarray | None, target: np.ndarray,
                    rng: np.random.Generator, *, max_entries: int = MAX_ENTRIES,
                    step: float = STEP, tolerance: float = TOLERANCE) -> Report:
    """Check that predict is h A + c C + b, and that the fit follows the right gradient.

    That is the gradient of sum(||f W - target||^2) / 2 with respect to W, in its blocks A, C, b.

    Parameters
    ----------
    sg : LinearSG
        Built with ``dtype=np.float64`` and a fit that has a method ``gradient(F, target)``. W is
        filled with random values for the check, since it is zero at first, and then put back.
    h, target : ndarray (B, n) of float64
    c : ndarray (B, classes) of float64, or None
    rng : numpy.random.Generator
        Draws those values, and the entries to check when there are more than `max_entries`.
    step, tolerance : float
        Of the differences, and the largest relative error that passes.

    Returns
    -------
    Report
        With the variables ``"A"``, ``"C"`` (if conditioned) and ``"b"``.

    Raises
    ------
    ValueError
        Unless the arrays are float64, and for a fit without a gradient, as by least squares.
    """
    arrays = {"h": h, "target": target, "W": sg.W} | ({} if c is None else {"c": c})
    require_float64(arrays)
    fit_name = type(sg.fit_method).__name__
    gradient = getattr(sg.fit_method, "gradient", None)
    if gradient is None:
        raise ValueError(
            f"check_synthetic: {fit_name} follows no gradient, so there is none to check; "
            f"fit a problem with a known solution instead"
        )
    report = Report(f"{type(sg).__name__} fitted by {fit_name}", tolerance)
    initial = sg.W.copy()
    try:
        sg.W[...] = rng.standard_normal(sg.W.shape)
        before = {name: array.copy() for name, array in arrays.items()}
        expected = h @ sg.A + sg.b + (0 if c is None else c @ sg.C)
        for _ in range(2):  # the second shows what the first left behind
            if not np.allclose(sg.predict(h, c), expected, rtol=1e-12, atol=1e-12):
                report.violations.append("predict is not h A + c C + b")
                break
        F = sg.features(h, c).copy()
        first = np.array(gradient(F, target))
        second = np.array(gradient(F, target))
        report.violations += [
            f"predict or gradient altered {name}"
            for name, array in arrays.items() if not np.array_equal(array, before[name])
        ]
        if first.shape != sg.W.shape:
            report.violations.append(f"gradient: expected shape {sg.W.shape}, got {first.shape}")
        elif not np.allclose(first, second, rtol=1e-10):
            report.violations.append("gradient twice gives two gradients: write it anew")
        if not report.violations:
            rows = {"A": slice(0, sg.n), "C": slice(sg.n, -1), "b": slice(-1, None)}
            if c is None:
                del rows["C"]
            compare(report, lambda: np.sum((F @ sg.W - target) ** 2, axis=1) / 2,
                    np.ones(len(F)), {k: sg.W[r] for k, r in rows.items()},
                    {k: first[r] for k, r in rows.items()}, rng,
                    step=step, max_entries=max_entries)
    finally:
        sg.W[...] = initial
    return report
