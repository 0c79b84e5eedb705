"""Check a loss: each example's gradient, which must not know of the rest of the batch."""

from __future__ import annotations

import numpy as np

from sgdni.gradcheck.differences import compare, require_float64
from sgdni.gradcheck.report import Report
from sgdni.losses import Loss


def check_loss(loss: Loss, h: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Report:
    """Check that delta is the gradient of each example's own loss, undivided by B.

    The losses are summed with random weights v, one each, so the gradient must be v delta. Further
    checks: the loss is deterministic, alters neither argument, and gives half of the batch the
    same losses and gradients as the whole (what is divided by B does not).

    Parameters
    ----------
    h : ndarray (B, n) of float64, B >= 2, or with more axes before n
    y : ndarray
        Labels or targets, as the loss wants them.
    rng : numpy.random.Generator
        Draws v, and the entries to check when there are more than 200.

    Returns
    -------
    Report
        With the variable ``"h"``.

    Raises
    ------
    ValueError
        Unless h is float64 and has at least two rows.
    """
    require_float64({"h": h})
    if len(h) < 2:
        raise ValueError(f"check_loss: expected at least 2 examples, got {len(h)}")
    report = Report(type(loss).__name__)
    h, y = h.copy(), y.copy()
    with report.unaltered("the loss", {"h": h, "y": y}):
        losses, delta = (a.copy() for a in loss(h, y))
    report.expect_array("losses", losses, h.shape[:-1])
    report.expect_array("delta", delta, h.shape)
    if report.violations:
        return report
    again, half = loss(h, y), loss(h[: len(h) // 2], y[: len(h) // 2])
    for name, first, second, part in zip(("losses", "delta"), (losses, delta), again, half,
                                         strict=True):
        report.expect(np.allclose(first, second, rtol=1e-10, atol=0),
                      f"{name}: not deterministic, two values for the same h")
        report.expect(np.allclose(first[: len(part)], part, rtol=1e-10, atol=1e-14),
                      f"{name}: depend on the rest of the batch (divided by B?)")
    v = rng.standard_normal(losses.shape)
    compare(report, lambda: loss(h, y)[0], v, {"h": h}, {"h": v[..., None] * delta}, rng)
    return report
