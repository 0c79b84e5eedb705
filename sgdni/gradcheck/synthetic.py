"""Check an SG model: what the schedules expect of it, and the gradient it follows, if any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from sgdni.gradcheck.differences import compare, require_float64
from sgdni.gradcheck.report import Report
from sgdni.synthetic import SyntheticGradient

FITS = 30  # of one minibatch, after which its error has to be smaller


def check_synthetic(sg: SyntheticGradient, h: np.ndarray, c: np.ndarray | None,
                    target: np.ndarray, rng: np.random.Generator) -> Report:
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
        Draws those values, and the entries to check when there are more than 200.

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
    report = Report(type(sg).__name__)
    checks = _Checks(report, sg, h, c, target, arguments)
    with _restored(sg):
        parameters = {name: p for name, (p, _) in checks.gradients().items()}
        require_float64(parameters)
        with _restored(sg):
            for p in parameters.values():
                p[...] = rng.standard_normal(p.shape)
            checks.check_predictions()
            if parameters and not report.violations:
                checks.compare_gradients(rng)
            if not report.violations:
                checks.check_local_learning()
        if not report.violations:
            checks.check_fit()
    return report


@contextmanager
def _restored(sg: SyntheticGradient) -> Iterator[None]:
    kept = {name: array.copy() for name, array in sg.state().items()}
    try:
        yield
    finally:
        for name, array in sg.state().items():
            array[...] = kept[name]


@dataclass
class _Checks:
    report: Report
    sg: SyntheticGradient
    h: np.ndarray
    c: np.ndarray | None
    target: np.ndarray
    arguments: dict[str, np.ndarray]  # h, c and target by name

    def gradients(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return parameters and copies of their gradients; nothing for a model without."""
        with self.report.unaltered("gradients", self.arguments):
            found = self.sg.gradients(self.h, self.c, self.target) or {}
        return {name: (p, np.array(g)) for name, (p, g) in found.items()}

    def errors(self) -> np.ndarray:
        """Return half the squared error of each example's prediction, (B,)."""
        errors = (self.sg.predict(self.h, self.c) - self.target).reshape(len(self.h), -1)
        return np.sum(errors**2, axis=1) / 2

    def check_predictions(self) -> None:
        expect, h, c = self.report.expect, self.h, self.c
        with self.report.unaltered("predict", self.arguments):
            first = self.sg.predict(h, c)
        if not self.report.expect_array("predict", first, h.shape):
            return
        first, some = first.copy(), slice(0, (len(h) + 1) // 2)
        expect(np.allclose(first, self.sg.predict(h, c), rtol=1e-12, atol=1e-12),
               "predict is not deterministic: two answers to one question")
        part = self.sg.predict(h[some], None if c is None else c[some])
        expect(np.allclose(first[some], part, rtol=1e-10, atol=1e-12),
               "predictions depend on the other examples of the batch")

    def compare_gradients(self, rng: np.random.Generator) -> None:
        first, second = self.gradients(), self.gradients()
        for name, (p, gradient) in first.items():
            if self.report.expect_array(f"gradient of {name}", gradient, p.shape):
                self.report.expect(np.allclose(gradient, second[name][1], rtol=1e-10),
                                   f"{name}: gradients twice give two gradients: write it anew")
        if not self.report.violations:
            compare(self.report, self.errors, np.ones(len(self.h)),
                    {name: p for name, (p, _) in first.items()},
                    {name: g for name, (_, g) in first.items()}, rng)

    def check_local_learning(self) -> None:
        expect, sg, h, c = self.report.expect, self.sg, self.h, self.c
        first = sg.predict(h, c).copy()
        with _restored(sg):
            for _ in range(3):
                delta = sg.predict(h, c)
                in_use = delta.copy()
                with self.report.unaltered("learn_locally", self.arguments):
                    sg.learn_locally(h, c)
                expect(np.array_equal(delta, in_use),
                       "learn_locally altered the prediction that is in use")
        if not self.report.violations:
            expect(np.allclose(first, sg.predict(h, c), rtol=1e-12, atol=1e-12),
                   "state lacks something that learn_locally changes: a checkpoint would lose it")

    def check_fit(self) -> None:
        expect, sg, c = self.report.expect, self.sg, self.c
        before, state = self.errors().sum(), {name: a.copy() for name, a in sg.state().items()}
        for _ in range(FITS):
            with self.report.unaltered("fit", self.arguments):
                sg.fit(self.h, c, self.target)
        nearer = self.errors().sum() < before
        expect(nearer, f"fit: {FITS} times the same minibatch brought predictions no nearer to "
                       f"the target")
        changed = any(not np.array_equal(array, state[name]) for name, array in sg.state().items())
        expect(changed or not nearer,
               "state holds nothing that fit changes: a checkpoint would lose it")
        if c is not None:
            turned = sg.predict(self.h, np.roll(c, 1, axis=1)).copy()
            expect(not np.allclose(sg.predict(self.h, c), turned, rtol=1e-10, atol=1e-12),
                   "predict ignores the context that the model asks for")
        if not self.report.checked:
            self.report.checked["fit"], self.report.errors["fit"] = self.target.size, 0.0
