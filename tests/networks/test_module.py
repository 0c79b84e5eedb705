"""A module: plain backpropagation inside, an update averaged over the batch, its state in view."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.layers import BatchNorm, Dense, ReLU
from sgdni.networks import Module
from sgdni.optimizers import SGD, Adam


def make_module(seed=0, optimizer=None):
    rng = np.random.default_rng(seed)
    layers = [Dense(4, 5, rng, dtype=np.float64), BatchNorm(5, dtype=np.float64), ReLU()]
    return Module(layers, optimizer or SGD(0.1))


def params_after(module, x, delta):
    module.forward(x)
    module.learn(delta)
    return np.concatenate([p.ravel() for p in module.params.values()])


def test_update_does_not_depend_on_the_batch_size(rng):
    """Every example twice: the same batch statistics, the same mean gradient, the same step."""
    x, delta = rng.standard_normal((6, 4)), rng.standard_normal((6, 5))
    once = params_after(make_module(), x, delta)
    twice = params_after(make_module(), np.tile(x, (2, 1)), np.tile(delta, (2, 1)))
    np.testing.assert_allclose(twice, once, rtol=1e-12, atol=1e-14)
    assert not np.allclose(once, params_after(make_module(), x, 2 * delta))


def test_update_by_hand(rng):
    """theta - lr * summed gradient / B."""
    module, x = make_module(), rng.standard_normal((6, 4))
    before = {name: p.copy() for name, p in module.params.items()}
    module.forward(x)
    module.backward(rng.standard_normal((6, 5)))
    summed = {name: g.copy() for name, g in module.grads.items()}
    module.update()
    for name, p in module.params.items():
        np.testing.assert_allclose(p, before[name] - 0.1 * summed[name] / 6, rtol=1e-12)


def test_learn_returns_the_gradient_from_before_the_update(rng):
    x, delta = rng.standard_normal((6, 4)), rng.standard_normal((6, 5))
    module, same = make_module(), make_module()
    for m in module, same:
        m.forward(x)
    np.testing.assert_array_equal(module.learn(delta), same.backward(delta))
    assert np.any(module.params["0.W"] != same.params["0.W"])


def test_without_input_gradient_its_product_is_saved(rng, monkeypatch):
    module = make_module()
    module.forward(rng.standard_normal((6, 4)))
    monkeypatch.setattr(
        Dense, "backward", lambda self, dy: pytest.fail("the input's gradient was computed")
    )
    assert module.backward(rng.standard_normal((6, 5)), input_gradient=False) is None
    assert np.any(module.grads["0.W"])


def test_evaluation_changes_no_state(rng):
    module, x = make_module(), rng.standard_normal((6, 4))
    module.forward(x)
    before = {name: array.copy() for name, array in module.state().items()}
    module.forward(x, training=False)
    assert all(np.array_equal(array, before[name]) for name, array in module.state().items())


def test_state_is_live_and_complete(rng):
    module = make_module(optimizer=Adam(0.1))
    assert set(module.state()) == {
        "params.0.W", "params.0.b", "params.1.gamma", "params.1.beta",
        "buffers.1.mean", "buffers.1.variance", "optimizer.steps",
        *(f"optimizer.{k}.{name}" for k in "mv" for name in ("0.W", "0.b", "1.gamma", "1.beta")),
    }
    module.state()["params.0.W"][...] = 0
    module.state()["params.0.b"][...] = 3
    assert np.all(module.layers[0].forward(rng.standard_normal((2, 4))) == 3)


def test_no_layers_and_a_shared_optimizer_are_refused():
    with pytest.raises(ValueError, match="at least one layer"):
        Module([], SGD(0.1))
    shared = SGD(0.1)
    make_module(optimizer=shared)
    with pytest.raises(ValueError, match="already bound"):
        make_module(optimizer=shared)


def test_gradient_of_another_batch_is_refused(rng):
    module = make_module()
    with pytest.raises(ValueError, match="expected shape none .* got \\(1, 5\\)"):
        module.backward(rng.standard_normal((1, 5)))
    module.forward(rng.standard_normal((6, 4)))
    with pytest.raises(ValueError, match="expected shape \\(6, 5\\) .* got \\(5, 5\\)"):
        module.backward(rng.standard_normal((5, 5)))
