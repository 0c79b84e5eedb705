"""The checks have teeth: break any one line of a backward pass, and one of them fails.

A test here fails when a mutant survives, that is when no check of its class notices it. Either
the checks have a hole, or the mutant computes the same: then it belongs in EQUIVALENT.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import pytest
from cases import CASES, LAYERS, LOSSES, MODULES, SYNTHETIC
from mutants import Mutant, mutants

from sgdni.layers import BatchNorm, Dense, ReLU, Sigmoid, Tanh
from sgdni.losses import MeanSquaredError, SoftmaxCrossEntropy
from sgdni.networks import Module
from sgdni.synthetic import GradientFit, LinearSG

# Mutants that compute the same as the original, each with the reason.
ALLOCATES = "then matmul is given out=None and allocates: slower, with the same result"
EQUIVALENT = {
    "Module.backward: return None -> pass": "the end of a function returns None too",
    "LinearSG.predict: self._delta = np.empty((len(h), self.n), self.dtype) -> pass": ALLOCATES,
    "LinearSG.predict: if self._delta is None or len(self._delta) != len(h): -> pass": ALLOCATES,
    "LinearSG.predict: if self._delta is None or len(self._delta) != len(h): -> "
    "if not (self._delta is None or len(self._delta) != len(h)):": ALLOCATES,
}


@dataclass(frozen=True)
class Target:
    cls: type
    methods: tuple[str, ...]
    notices: Callable[[type], bool]  # does some check fail, or anything raise?


def gradient_check_fails(cls: type) -> bool:
    """Run the class's own cases, the mutant put in its place by changing the object's class."""
    for case in CASES:
        rng = np.random.default_rng(1)
        args = case.make(rng)
        for thing in args[0], getattr(args[0], "fit_method", None):
            if type(thing) is cls.__base__:
                thing.__class__ = cls
                if not case.check(*args, rng).passed:
                    return True
    return False


def extreme_logits_go_wrong(cls: type) -> bool:
    h = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4 - 1, -2e4]])
    losses, delta = cls()(h, np.array([1, 0]))
    right = np.array([[1, -1, 0], [-1 / (1 + np.e), 1 / (1 + np.e), 0]])
    return not (
        np.allclose(losses, [2e4, np.log1p(np.exp(-1))], rtol=1e-12, atol=0)
        and np.allclose(delta, right, rtol=1e-12, atol=1e-15)
    )


def squared_error_is_wrong(cls: type) -> bool:
    losses, delta = cls()(np.array([[1.0, 5.0], [3.0, 4.0]]), np.array([[3.0, 2.0], [3.0, 4.0]]))
    return not (np.array_equal(losses, [6.5, 0]) and np.array_equal(delta, [[-2, 3], [0, 0]]))


def module_learns_wrongly(cls: type) -> bool:
    """One step of the mutant against one by hand: theta - lr * summed gradient / B."""
    rng = np.random.default_rng(1)
    mutant, x = MODULES[2].make(rng)
    right = deepcopy(mutant)
    mutant.__class__ = cls
    delta = rng.standard_normal(right.forward(x).shape)
    delta_below = right.backward(delta.copy())
    mutant.forward(x)
    returned = mutant.learn(delta.copy())
    return not np.allclose(returned, delta_below, rtol=1e-12) or any(
        not np.allclose(mutant.params[name], p - 0.1 * right.grads[name] / len(x), rtol=1e-12)
        for name, p in right.params.items()
    )


def fit_steps_wrongly(cls: type) -> bool:
    rng = np.random.default_rng(1)
    model, h, c, target = SYNTHETIC[1].make(rng)
    before, gradient = model.W.copy(), model.fit_method.gradient(model.features(h, c), target)
    expected = before - 0.1 * gradient / len(h)
    model.fit_method.__class__ = cls
    model.fit(h, c, target)
    return not np.allclose(model.W, expected, rtol=1e-12)


def prediction_is_not_linear(cls: type) -> bool:
    """delta^ = h A + c C + b, for one minibatch after another."""
    rng = np.random.default_rng(1)
    model, h, c, _ = SYNTHETIC[1].make(rng)
    model.__class__ = cls
    return any(not np.allclose(model.predict(s * h, c), s * h @ model.A + c @ model.C + model.b)
               for s in (1, 2))


TARGETS = [
    *(Target(cls, ("forward", "backward", "backward_params"), gradient_check_fails)
      for cls in (Dense, ReLU, Tanh, Sigmoid, BatchNorm)),
    Target(MeanSquaredError, ("__call__",),
           lambda cls: gradient_check_fails(cls) or squared_error_is_wrong(cls)),
    Target(SoftmaxCrossEntropy, ("__call__",),
           lambda cls: gradient_check_fails(cls) or extreme_logits_go_wrong(cls)),
    Target(GradientFit, ("gradient",), gradient_check_fails),
    Target(GradientFit, ("update",), fit_steps_wrongly),
    Target(LinearSG, ("predict", "features"),
           lambda cls: gradient_check_fails(cls) or prediction_is_not_linear(cls)),
    Target(Module, ("backward",), gradient_check_fails),
    Target(Module, ("learn", "update"), module_learns_wrongly),
]
MUTANTS = {
    str(mutant): (target, mutant)
    for target in TARGETS for mutant in mutants(target.cls, *target.methods)
}


def noticed(target: Target, mutant: Mutant) -> bool:
    with np.errstate(all="ignore"):
        try:
            return target.notices(mutant.cls)
        except Exception:
            return True


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(MUTANTS.keys() - EQUIVALENT.keys()), ids=str)
def test_mutant_is_noticed(name):
    target, mutant = MUTANTS[name]
    assert noticed(target, mutant)
    # Where memory is uninitialised, ordinary numbers instead of what happens to be there, so that
    # no mutant is noticed only because of a NaN in it, or missed because of yesterday's result.
    rng = np.random.default_rng(2)

    def scratch(self, name, shape, dtype):
        return rng.standard_normal(shape).astype(dtype)

    if hasattr(mutant.cls, "scratch"):
        mutant.cls.scratch = scratch
        assert noticed(target, mutant)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: f"{t.cls.__name__}.{t.methods[0]}")
def test_original_is_not_noticed(target):
    """Otherwise every mutant would be noticed, and the tests above would say nothing."""
    same = type(target.cls.__name__, (target.cls,), {})
    assert not target.notices(same)


@pytest.mark.parametrize("name", EQUIVALENT, ids=str)
def test_equivalent_mutant_exists_and_changes_nothing(name):
    assert name in MUTANTS, "the line has changed: look at it again"
    assert not noticed(*MUTANTS[name])


def test_everything_with_a_backward_pass_is_broken():
    covered = {target.cls for target, _ in MUTANTS.values()}
    assert {type(case.make(np.random.default_rng(0))[0]) for case in LAYERS + LOSSES} <= covered
    assert covered == {target.cls for target in TARGETS}
    # no two of them share a name, or one would be left out
    assert len(MUTANTS) == sum(len(mutants(t.cls, *t.methods)) for t in TARGETS)
