"""The gradient checker itself: it catches what is wrong, for the right reason, and says so."""

from __future__ import annotations

import numpy as np
import pytest
import wrong_layers
from wrong_cases import WRONG

from sgdni.gradcheck import Failure, check_layer, check_loss, check_synthetic
from sgdni.layers import BatchNorm, Dense, Layer, ReLU
from sgdni.losses import MeanSquaredError
from sgdni.networks import Module
from sgdni.optimizers import SGD
from sgdni.synthetic import LeastSquaresFit, LinearSG


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.case.name)
def test_wrong_code_is_caught_for_the_right_reason(wrong, rng):
    with np.errstate(all="ignore"):
        report = wrong.case.run(rng)
    assert not report.passed
    assert {failure.variable for failure in report.failures} == wrong.variables
    if wrong.violation is None:
        assert not report.violations
    else:
        assert any(wrong.violation in text for text in report.violations), report.violations


def test_an_array_that_nobody_trains_is_found_in_a_module_and_a_constant_is_none(rng):
    class Constant(Layer):
        def __init__(self, name):
            super().__init__()
            setattr(self, name, np.full(4, 0.7))
            self._name = name

        def forward(self, x, training=True):
            return getattr(self, self._name) * x

        def backward(self, dy):
            return getattr(self, self._name) * dy

    x = rng.standard_normal((6, 4))
    assert check_layer(Module([Constant("_scale")], SGD(0.1)), x, rng).passed
    for wrong in (Constant("scale"), Module([Constant("scale")], SGD(0.1))):
        [violation] = check_layer(wrong, x, rng).violations
        assert violation.startswith("scale: an array outside of params")


def test_the_parts_of_the_wrong_batch_norms_add_up_to_the_right_one(rng):
    layer = wrong_layers.BatchNormPart(4, dtype=np.float64)
    assert check_layer(layer, rng.standard_normal((7, 4)), rng).passed


def test_cotangent_of_ones_is_blind_where_a_random_one_sees(rng):
    class Ones(np.random.Generator):
        def standard_normal(self, shape):
            return np.ones(shape)

    x = rng.standard_normal((6, 4))
    layer = wrong_layers.SoftmaxLayerMean()
    assert check_layer(layer, x, Ones(np.random.PCG64(0))).passed
    report = check_layer(layer, x, rng)
    assert len(report.failures) == x.size
    assert check_layer(wrong_layers.SoftmaxLayer(), x, rng).passed


def test_one_wrong_entry_of_many_is_found(rng):
    class OneEntry(ReLU):
        def backward(self, dy):
            dx = super().backward(dy)
            dx[2, 1] *= 1 + 1e-4
            return dx

    x = 1 + rng.random((5, 3))
    report = check_layer(OneEntry(), x, rng)
    assert [(f.variable, f.index) for f in report.failures] == [("x", (2, 1))]
    assert report.failures[0].error == pytest.approx(5e-5, rel=1e-3)


def test_failure_report_names_variable_index_and_both_values(rng):
    failure = Failure("W", (2, 1), 0.25, -3.5, 1.0)
    assert str(failure) == "W[2, 1]: analytic +0.25, numeric -3.5, relative error 1.0e+00"
    report = check_layer(wrong_layers.TanhOfX(), rng.standard_normal((5, 3)), rng)
    worst = max(report.failures, key=lambda f: abs(f.analytic - f.numeric))
    assert str(worst) in str(report) and "TanhOfX: FAILED" in str(report)
    with pytest.raises(AssertionError) as raised:
        report.raise_if_failed()
    assert str(raised.value) == str(report)


def test_passing_report_says_so_and_raises_nothing(rng):
    report = check_layer(Dense(3, 2, rng, dtype=np.float64), rng.standard_normal((5, 3)), rng)
    report.raise_if_failed()
    assert str(report).startswith("Dense: passed")
    assert report.checked == {"x": 15, "W": 6, "b": 2}
    assert 0 < max(report.errors.values()) < 1e-6


def test_float32_is_refused_and_the_reason_given(rng):
    x = rng.standard_normal((5, 3))
    with pytest.raises(ValueError, match="x in float64, got float32.*roundoff"):
        check_layer(ReLU(), x.astype(np.float32), rng)
    with pytest.raises(ValueError, match="W in float64, got float32"):
        check_layer(Dense(3, 2, rng), x, rng)
    with pytest.raises(ValueError, match="h in float64, got float32"):
        check_loss(MeanSquaredError(), x.astype(np.float32), x, rng)


def test_kink_is_reported_and_does_not_fail(rng):
    x = rng.standard_normal((5, 3))
    x[1, 2] = 0
    report = check_layer(ReLU(), x, rng)
    assert report.passed
    assert [(kink.variable, kink.index) for kink in report.kinks] == [("x", (1, 2))]
    assert report.kinks[0].left == 0 != report.kinks[0].right
    assert "x[1, 2]" in str(report) and "kink" in str(report)


def test_too_many_kinks_fail(rng):
    x = rng.standard_normal((5, 3))
    x[0, :2] = 0  # 2 of 15 entries
    report = check_layer(ReLU(), x, rng)
    assert not report.passed and not report.failures and len(report.kinks) == 2
    assert "too many" in str(report)


def test_kink_does_not_excuse_a_value_outside_the_one_sided_derivatives(rng):
    class Wild(ReLU):
        def forward(self, x, training=True):
            self._zero = x == 0
            return super().forward(x, training)

        def backward(self, dy):
            return super().backward(dy) + 3 * dy * self._zero

    x = rng.standard_normal((5, 3))
    x[1, 2] = 0
    report = check_layer(Wild(), x, rng)
    assert [(f.variable, f.index) for f in report.failures] == [("x", (1, 2))]


def test_jump_is_not_taken_for_roundoff(rng):
    class Floor(Layer):
        def forward(self, x, training=True):
            return np.floor(x)

        def backward(self, dy):
            return np.zeros_like(dy)

    assert not check_layer(Floor(), np.ones((5, 3)), rng).passed


def test_gradient_of_exactly_zero_is_not_lost_in_roundoff(rng):
    """A bias before batch normalisation has none, and is measured as roundoff."""
    layers = [Dense(4, 3, rng, dtype=np.float64), BatchNorm(3, dtype=np.float64)]
    report = check_layer(Module(layers, SGD(0.1)), 0.01 * rng.standard_normal((6, 4)), rng)
    assert np.abs(layers[0].grads["b"]).max() < 1e-9
    assert report.passed and report.errors["0.b"] > 0


def test_check_leaves_the_layer_as_it_was(rng):
    layers = [Dense(4, 3, rng, dtype=np.float64), BatchNorm(3, dtype=np.float64), ReLU()]
    module, x = Module(layers, SGD(0.1)), rng.standard_normal((6, 4))
    before = {name: array.copy() for name, array in module.state().items()}
    x_before = x.copy()
    check_layer(module, x, rng)
    assert np.array_equal(x, x_before)
    for name, array in module.state().items():
        assert np.array_equal(array, before[name]), name


def test_fresh_biases_and_gains_are_filled_for_the_check(rng):
    """With gamma = 1 its absence could not be seen."""
    fresh = wrong_layers.BatchNormNoGamma(4, dtype=np.float64)
    assert not check_layer(fresh, rng.standard_normal((7, 4)), rng).passed
    assert np.all(fresh.params["gamma"] == 1) and np.all(fresh.params["beta"] == 0)


def test_large_variables_are_sampled(rng, monkeypatch):
    monkeypatch.setattr("sgdni.gradcheck.differences.MAX_ENTRIES", 25)
    layer = Dense(30, 20, rng, dtype=np.float64)
    report = check_layer(layer, rng.standard_normal((3, 30)), rng)
    assert report.checked == {"x": 25, "W": 25, "b": 20}


def test_a_layer_must_take_what_modules_tell_it(rng):
    class Deaf(ReLU):
        def forward(self, x):
            return super().forward(x)

    with pytest.raises(TypeError, match="positional argument"):
        check_layer(Deaf(), rng.standard_normal((5, 3)), rng)


def test_same_seed_same_report(rng):
    layer, x = Dense(4, 3, rng, dtype=np.float64), rng.standard_normal((5, 4))
    first, second = (check_layer(layer, x, np.random.default_rng(7)) for _ in range(2))
    assert first.errors == second.errors


def test_least_squares_fit_follows_no_gradient_and_keeps_its_promises(rng):
    h = rng.standard_normal((5, 3))
    report = check_synthetic(LinearSG(3, 0, LeastSquaresFit(), np.float64), h, None, h, rng)
    assert report.passed and set(report.checked) == {"fit"}
