"""The decoupled schedule: who learns when, what is fitted to what, and what it costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import TINY, blobs

from sgdni.analysis.quality import measure
from sgdni.experiments.products import of_step
from sgdni.runs.methods import METHODS, build_network, build_trainer
from sgdni.schedules import Backprop, Decoupled


def batch(rng, size=16):
    return rng.standard_normal((size, 5)).astype(np.float32), rng.integers(0, 3, size)


def spy_on_fits(network):
    """Record (h, c, target) of every fit instead of fitting."""
    seen = [[] for _ in network.interfaces]
    for calls, interface in zip(seen, network.interfaces, strict=True):
        interface.model.fit = lambda h, c, target, calls=calls: calls.append(
            (h.copy(), None if c is None else c.copy(), target.copy())
        )
    return seen


def test_targets_are_bootstrapped_with_the_weights_before_the_update(rng):
    network = build_network("cdni", replace(TINY, dtype="float64", batch_norm=False), 5, 3, rng)
    for model in (interface.model for interface in network.interfaces):
        model.W[...] = rng.standard_normal(model.W.shape)
    x, y = rng.standard_normal((16, 5)), rng.integers(0, 3, 16)
    c = network.context(x, y)
    expected, h = [], x
    for i, module in enumerate(network.modules):
        h = module.forward(h).copy()
        signal = (network.interfaces[i].predict(h, c[i]).copy() if i < 3
                  else network.loss(h, y)[1])
        expected.append(module.backward(signal).copy())
    seen = spy_on_fits(network)
    Decoupled(network).step(x, y)
    for calls, target in zip(seen, expected[1:], strict=True):
        assert len(calls) == 1
        np.testing.assert_allclose(calls[0][2], target, rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(calls[0][1], np.eye(3)[y])


def test_unconditioned_models_see_no_labels(rng):
    network = build_network("dni", TINY, 5, 3, rng)
    seen = spy_on_fits(network)
    Decoupled(network).step(*batch(rng))
    assert all(calls[0][1] is None for calls in seen)


def test_fit_every_fits_on_every_kth_step(rng):
    network = build_network("cdni", TINY, 5, 3, rng)
    seen = spy_on_fits(network)
    schedule = Decoupled(network, fit_every=3)
    for _ in range(7):
        schedule.step(*batch(rng))
    assert [len(calls) for calls in seen] == [3, 3, 3]


def test_stochastic_updates_change_each_module_about_p_of_the_time(rng):
    network = build_network("cdni", TINY, 5, 3, rng)
    updates = np.zeros(4, int)
    for i, module in enumerate(network.modules):
        def learn(delta, input_gradient=True, i=i):
            updates[i] += 1
        module.learn = learn
    schedule = Decoupled(network, update_probability=0.2, rng=np.random.default_rng(0))
    for _ in range(400):
        schedule.step(*batch(rng))
    assert ((updates > 50) & (updates < 110)).all()  # 80 expected, standard deviation 8
    assert len(set(updates)) > 1  # drawn for each module, not once for all


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_separable_clouds(method):
    data = blobs(np.random.default_rng(5), n_train=480)
    epochs = 40 if METHODS[method].update_probability < 1 else 12
    trainer = build_trainer(method, TINY, data)
    for _ in range(epochs):
        trainer.epoch()
    assert trainer.history[-1].test_accuracy > 0.85
    assert trainer.history[-1].train_loss < trainer.history[0].train_loss


def test_same_seed_same_weights_and_order_for_every_method():
    data = blobs(np.random.default_rng(5))
    trainers = [build_trainer(method, TINY, data) for method in METHODS]
    first = trainers[0]
    orders = {tuple(t.rng.permutation(50)) for t in trainers}
    assert len(orders) == 1
    for other in trainers[1:]:
        for a, b in zip(first.schedule.network.modules, other.schedule.network.modules,
                        strict=True):
            for name in a.params:
                np.testing.assert_array_equal(a.params[name], b.params[name])


@pytest.mark.parametrize("method, fit_every, head", [
    ("backprop", 1, "linear"), ("cdni", 1, "linear"), ("cdni", 4, "linear"),
    ("local-error", 1, "linear"), ("local-error", 4, "hidden"), ("local-loss", 1, "hidden"),
])
def test_counted_products_are_those_computed(rng, monkeypatch, method, fit_every, head):
    """The arithmetic of benchmark.products against the calls of np.matmul in real steps."""
    network = build_network(method, replace(TINY, head=head, head_units=6), 5, 3, rng)
    decoupled = method != "backprop"
    schedule = Decoupled(network, fit_every=fit_every) if decoupled else Backprop(network)
    operations = []
    matmul = np.matmul

    def counting(a, b, out=None):
        operations.append(2 * a.shape[0] * a.shape[1] * b.shape[1])
        return matmul(a, b, out=out)

    monkeypatch.setattr(np, "matmul", counting)
    for _ in range(4):
        schedule.step(*batch(rng))
    expected = of_step(network, 16, decoupled=decoupled, fit_every=fit_every)
    assert sum(operations) == 4 * sum(p.operations for p in expected if not p.solve)


def test_quality_against_the_truth_and_against_the_target(rng):
    """A model that returns the true gradient scores 0 and 1; a zero model scores 1 and 0."""
    network = build_network("cdni", TINY, 5, 3, rng)
    x, y = batch(rng)
    untaught = measure(network, [(x, y)])
    assert [q.relative_error for q in untaught] == [1, 1, 1]
    assert [q.cosine for q in untaught] == [0, 0, 0]
    h = network.modules[2].forward(
        network.modules[1].forward(network.modules[0].forward(x).copy()).copy()
    ).copy()
    _, delta = network.loss(network.modules[3].forward(h), y)
    truth = network.modules[3].backward(delta).copy()
    network.interfaces[2].model.predict = lambda h, c: truth
    top = measure(network, [(x, y)])[2]
    assert top.relative_error == pytest.approx(0, abs=1e-12)
    assert top.cosine == pytest.approx(1)
    assert top.target_error == pytest.approx(0, abs=1e-12)


def test_measuring_quality_changes_nothing(rng):
    network = build_network("cdni", TINY, 5, 3, rng)
    before = {k: v.copy() for k, v in network.state().items()}
    measure(network, [batch(rng)])
    for name, array in network.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_there_is_no_interface_below_the_lowest(rng):
    schedule = Decoupled(build_network("cdni", TINY, 5, 3, rng))
    with pytest.raises(IndexError, match="no interface -1"):
        schedule.fit(-1, None, None, None)


def test_wrong_options_are_refused(rng):
    network = build_network("cdni", TINY, 5, 3, rng)
    with pytest.raises(ValueError, match=r"fit_every.*got 0"):
        Decoupled(network, fit_every=0)
    with pytest.raises(ValueError, match=r"update_probability.*got 0"):
        Decoupled(network, update_probability=0, rng=rng)
    with pytest.raises(ValueError, match="needs a random generator"):
        Decoupled(network, update_probability=0.5)
    with pytest.raises(ValueError, match="expected 3 interfaces"):
        Decoupled(build_network("backprop", TINY, 5, 3, rng))
