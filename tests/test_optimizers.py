"""Optimisers by hand; test_torch_agreement.py follows them over several steps."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.optimizers import SGD, Adam


def stepped(optimizer, theta, *gradients, scale=1.0):
    """Return theta after one step for each gradient."""
    params = {"w": np.array([theta], float)}
    optimizer.bind(params)
    for g in gradients:
        optimizer.step({"w": np.array([g], float)}, scale)
    return params["w"][0]


def test_sgd_by_hand():
    assert stepped(SGD(0.1), 1.0, 2.0) == pytest.approx(1 - 0.1 * 2)
    assert stepped(SGD(0.1), 1.0, 2.0, scale=0.25) == pytest.approx(1 - 0.1 * 0.5)
    assert stepped(SGD(0.1, weight_decay=0.5), 3.0, 2.0, scale=0.25) == pytest.approx(
        3 - 0.1 * (0.5 + 0.5 * 3)
    )


def test_momentum_by_hand():
    # v = 2, then 0.9 * 2 + 1 = 2.8
    assert stepped(SGD(0.1, momentum=0.9), 1.0, 2.0, 1.0) == pytest.approx(1 - 0.1 * (2 + 2.8))


@pytest.mark.parametrize("g", [5.0, -1e-3])
def test_first_step_of_adam_is_the_learning_rate_whatever_the_gradient(g):
    assert stepped(Adam(0.1, eps=1e-12), 1.0, g) == pytest.approx(1 - 0.1 * np.sign(g))


def test_second_step_of_adam_by_hand():
    m, v = 0.5 * 1 + 0.5 * 3, 0.75 * 0.25 * 4 + 0.25 * 9  # after gradients 2 and 3
    second = (m / (1 - 0.5**2)) / (np.sqrt(v / (1 - 0.75**2)) + 0.5)
    expected = 1 - 0.1 * 2 / (2 + 0.5) - 0.1 * second
    adam = Adam(0.1, beta1=0.5, beta2=0.75, eps=0.5)
    assert stepped(adam, 1.0, 2.0, 3.0) == pytest.approx(expected, rel=1e-12)


def test_eps_is_added_to_the_corrected_root():
    assert stepped(Adam(0.1, eps=3.0), 1.0, 2.0) == pytest.approx(1 - 0.1 * 2 / (2 + 3))


@pytest.mark.parametrize("make", [
    lambda: SGD(0.1, momentum=0.9, weight_decay=0.1), lambda: Adam(0.1, weight_decay=0.1),
], ids=["SGD", "Adam"])
def test_parameters_change_in_place(make, rng):
    W, g = rng.standard_normal((3, 2)).astype(np.float32), np.ones((3, 2), np.float32)
    params, before = {"W": W}, W.copy()
    optimizer = make()
    optimizer.bind(params)
    optimizer.step({"W": g})
    assert params["W"] is W and W.dtype == np.float32 and np.all(W != before)
    assert all(a.dtype in (np.float32, np.int64) for a in optimizer.state.values())


def test_learning_rate_may_change_between_steps():
    for make in SGD, Adam:
        optimizer, params = make(0.1), {"w": np.zeros(1)}
        optimizer.bind(params)
        optimizer.lr = 7.0
        optimizer.step({"w": np.ones(1)})
        assert params["w"][0] == pytest.approx(-7)


def test_state_is_all_that_a_step_depends_on(rng):
    """Copied into another optimiser, it goes on in the same way: what a checkpoint needs."""
    gradients = rng.standard_normal((5, 3))
    for make in lambda: SGD(0.1, momentum=0.9), lambda: Adam(0.1):
        first, second = make(), make()
        a, b = {"w": np.zeros(3)}, {"w": np.zeros(3)}
        first.bind(a)
        second.bind(b)
        for g in gradients[:3]:
            first.step({"w": g.copy()})
        b["w"][...] = a["w"]
        for name, array in second.state.items():
            array[...] = first.state[name]
        for g in gradients[3:]:
            first.step({"w": g.copy()})
            second.step({"w": g.copy()})
        assert np.array_equal(a["w"], b["w"])


def test_one_optimizer_serves_one_set_of_parameters():
    optimizer = SGD(0.1)
    with pytest.raises(ValueError, match="SGD: bind it"):
        optimizer.step({"w": np.ones(1)})
    optimizer.bind({"w": np.zeros(1)})
    with pytest.raises(ValueError, match="SGD: already bound"):
        optimizer.bind({"w": np.zeros(1)})


@pytest.mark.parametrize("make, complaint", [
    (lambda: SGD(0), "learning rate: expected a finite number above 0, got 0"),
    (lambda: SGD(float("nan")), "learning rate: .* got nan"),
    (lambda: SGD(0.1, momentum=1), r"momentum: expected a number in \[0, 1\), got 1"),
    (lambda: SGD(0.1, weight_decay=-1), "weight decay: .* got -1"),
    (lambda: Adam(0.1, beta1=1), "beta1: .* got 1"),
    (lambda: Adam(0.1, beta2=-0.1), "beta2: .* got -0.1"),
    (lambda: Adam(0.1, eps=0), "eps: .* got 0"),
])
def test_options_out_of_range_are_refused(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()
