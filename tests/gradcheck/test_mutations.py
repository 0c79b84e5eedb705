"""The checks have teeth: break any one line of a backward pass, and one of them fails.

A test here fails when a mutant survives, that is when no check of its class notices it. Either
the checks have a hole, or the mutant computes the same: then it belongs in EQUIVALENT.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from cases import CASES, IMAGES, LAYERS, LOSSES, MODULES, RECURRENT, SYNTHETIC, Case
from mutants import Mutant, mutants

from sgdni.layers import (
    LSTM,
    RNN,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    MaxPool2D,
    ReLU,
    Sigmoid,
    Tanh,
    Unflatten,
)
from sgdni.layers.pooling import Pool2D
from sgdni.layers.recurrent import Recurrent
from sgdni.losses import MeanSquaredError, SoftmaxCrossEntropy
from sgdni.networks import Module
from sgdni.synthetic import GradientFit, Head, HiddenHead, LinearHead, LinearSG, LocalErrorSG

# Mutants that compute the same as the original, each with the reason.
ALLOCATES = "then matmul is given out=None and allocates: slower, with the same result"
TIMES_ONE = "then G, which is 1, is multiplied by W: slower, with the same result"
EQUIVALENT = {
    "LinearSG.predict: self._delta = np.empty((len(h), self.n), self.dtype) -> pass": ALLOCATES,
    "LinearSG.predict: if self._delta is None or len(self._delta) != len(h): -> pass": ALLOCATES,
    "LinearSG.predict: if self._delta is None or len(self._delta) != len(h): -> "
    "if not (self._delta is None or len(self._delta) != len(h)):": ALLOCATES,
    "LocalErrorSG.predict: self._delta = np.empty((len(h), self.head.n), self.dtype) -> pass":
        ALLOCATES,
    "LocalErrorSG.predict: if self._delta is None or len(self._delta) != len(h): -> pass":
        ALLOCATES,
    "LocalErrorSG.predict: if self._delta is None or len(self._delta) != len(h): -> "
    "if not (self._delta is None or len(self._delta) != len(h)):": ALLOCATES,
    "LocalErrorSG.P: if self.rho == np.inf: -> pass": TIMES_ONE,
    "LocalErrorSG.P: return self.head.W -> pass": TIMES_ONE,
    "LocalErrorSG.predict: self._seen = h -> pass": "then the head computes its signal again",
    "AvgPool2D._share: d_member += share -> d_member -= share":
        "then it changes the sign along both axes",
    "SoftmaxCrossEntropy.__call__: y = np.where(y == self.ignore_index, 0, y) -> "
    "y = np.where(y == self.ignore_index, 1, y)": "any class stands in where no label is",
}

HIDDEN_HEAD = next(case for case in SYNTHETIC if case.name == "LocalErrorSG, hidden head")


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


def inherited_check_fails(cases: list[Case], cls: type) -> bool:
    """As above, for what several layers inherit: each put together with the mutant."""
    for case in cases:
        rng = np.random.default_rng(1)
        layer, x = case.make(rng)
        inner = getattr(layer, "layers", [layer])[0]
        if isinstance(inner, cls.__base__):
            inner.__class__ = type(cls.__name__, (cls, type(inner)), {})
            if not case.check(layer, x, rng).passed:
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


def head_steps_wrongly(cls: type) -> bool:
    """Two steps of the mutant, with momentum, against the layers' own gradients."""
    rng = np.random.default_rng(1)
    right = HiddenHead(4, 3, rng, m=6, dtype=np.float64)
    for p in right.params.values():
        p[...] = rng.standard_normal(p.shape)
    mutant = deepcopy(right)
    mutant.__class__ = cls
    velocity = {name: np.zeros_like(p) for name, p in right.params.items()}
    for _ in range(2):
        h, c = rng.standard_normal((7, 4)), np.eye(3)[rng.integers(0, 3, 7)]
        z = h
        for layer in right.layers:
            z = layer.forward(z)
        delta = SoftmaxCrossEntropy()(z, c.argmax(axis=1))[1]
        for layer in right.layers[:0:-1]:
            delta = layer.backward(delta)
        right.layers[0].backward(delta)
        if not np.allclose(mutant.signal(h, c), delta, rtol=1e-12, atol=1e-14):
            return True
        mutant.learn()
        for i, layer in enumerate(right.layers):
            for name, p in layer.params.items():
                v = velocity[f"{i}.{name}"]
                v[...] = 0.9 * v + 0.1 * layer.grads[name] / 7
                p -= v
                if not np.allclose(mutant.params[f"{i}.{name}"], p, rtol=1e-12):
                    return True
    return False


def local_error_goes_wrong(cls: type) -> bool:
    """Three minibatches, of two sizes, against the minimum found by stacking up rows."""
    rng = np.random.default_rng(1)
    model, *_ = HIDDEN_HEAD.make(rng)
    model = LocalErrorSG(model.head, rho=0.5)
    own = deepcopy(model.head)
    model.__class__ = cls
    rows, targets = np.zeros((0, 6)), np.zeros((0, 4))
    for size in (9, 9, 5):
        h, c = rng.standard_normal((size, 4)), np.eye(3)[rng.integers(0, 3, size)]
        target = rng.standard_normal((size, 4))
        model.predict(h, c)
        model.learn_locally(h, c)
        own.signal(h, c)
        own.learn()
        model.fit(h, c, target)
        rows = np.vstack([np.sqrt(0.9) * rows, own.signal(h, c)])
        targets = np.vstack([np.sqrt(0.9) * targets, target])
        k = np.sqrt(0.5 * np.mean(np.diag(rows.T @ rows)))
        P = np.linalg.lstsq(np.vstack([rows, k * np.eye(6)]), np.vstack([targets, k * own.W]),
                            rcond=None)[0]
        if not np.allclose(model.predict(h, c), own.signal(h, c) @ P, rtol=1e-9, atol=1e-12):
            return True
        model._P[...] = model._square[...] = 1e9
    return follows_its_head_wrongly(cls)


def follows_its_head_wrongly(cls: type) -> bool:
    """An infinite rho; a head without error, which teaches nothing; a fit before the step."""
    rng = np.random.default_rng(1)
    (model, h, c, target), (other, *_) = (HIDDEN_HEAD.make(rng) for _ in range(2))
    model = cls(model.head, rho=np.inf)
    model.fit(h, c, target)
    wrong = not (np.array_equal(model.G, np.eye(6)) and np.array_equal(model.P, model.head.W))
    right = cls(LinearHead(4, 3, rng, task="regression", dtype=np.float64))
    right.fit(h, np.zeros((7, 3)), target)
    wrong |= right.A.any() or not np.array_equal(right.G, np.eye(3))
    other = cls(other.head)
    by_hand = deepcopy(other.head)
    for step in range(4):
        if step in (0, 2):
            other.predict(h, c)
        if step == 0:
            other.fit(2 * h, c, target)
        other.learn_locally(h, c)
        by_hand.signal(h, c)
        by_hand.learn()
    return bool(wrong) or not np.array_equal(other.head.W, by_hand.W)


def ignored_rows_count(cls: type) -> bool:
    """Rows without a label have no loss and no gradient; the others have those of a set alone."""
    h, y = np.random.default_rng(1).standard_normal((4, 3)), np.array([0, -1, 2, -1])
    losses, delta = cls(ignore_index=-1)(h, y)
    alone = SoftmaxCrossEntropy()(h[y >= 0], y[y >= 0])
    return (losses[y < 0].any() or delta[y < 0].any()
            or not np.array_equal(losses[y >= 0], alone[0])
            or not np.array_equal(delta[y >= 0], alone[1]))


TARGETS = [
    *(Target(cls, ("forward", "backward", "backward_params"), gradient_check_fails)
      for cls in (Dense, ReLU, Tanh, Sigmoid, BatchNorm, Conv2D, Flatten, Unflatten)),
    *(Target(cls, ("_share",), gradient_check_fails) for cls in (MaxPool2D, AvgPool2D)),
    Target(Pool2D, ("forward", "backward"), partial(inherited_check_fails, IMAGES)),
    *(Target(cls, ("forward", "_back_through_time"), gradient_check_fails)
      for cls in (RNN, LSTM)),
    Target(Recurrent, ("backward", "backward_params"), partial(inherited_check_fails, RECURRENT)),
    Target(MeanSquaredError, ("__call__",),
           lambda cls: gradient_check_fails(cls) or squared_error_is_wrong(cls)),
    Target(SoftmaxCrossEntropy, ("__call__",),
           lambda cls: gradient_check_fails(cls) or extreme_logits_go_wrong(cls)
           or ignored_rows_count(cls)),
    Target(GradientFit, ("gradient",), gradient_check_fails),
    Target(GradientFit, ("update",), fit_steps_wrongly),
    Target(LinearSG, ("predict", "features"),
           lambda cls: gradient_check_fails(cls) or prediction_is_not_linear(cls)),
    Target(Head, ("signal", "learn"), head_steps_wrongly),
    Target(LocalErrorSG, ("predict", "learn_locally", "fit", "_solve", "P"),
           lambda cls: gradient_check_fails(cls) or local_error_goes_wrong(cls)),
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
    cases = LAYERS + IMAGES + RECURRENT + LOSSES
    assert {type(case.make(np.random.default_rng(0))[0]) for case in cases} <= covered
    assert covered == {target.cls for target in TARGETS}
    # no two of them share a name, or one would be left out
    assert len(MUTANTS) == sum(len(mutants(t.cls, *t.methods)) for t in TARGETS)
