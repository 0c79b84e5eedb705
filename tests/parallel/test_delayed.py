"""Delayed gradients: true ones, of the minibatch they belong to, so many steps late."""

from __future__ import annotations

import multiprocessing
import threading

import numpy as np
import pytest
from helpers import assert_same_state, blobs, minibatches, tiny_network

from sgdni import SGD, Dense, Module, Network, SoftmaxCrossEntropy, Tanh
from sgdni.parallel import Delayed
from sgdni.schedules import Backprop, DivergenceError, Recorder
from sgdni.training import Trainer

WORKERS = ["threads", pytest.param("processes", marks=pytest.mark.skipif(
    "sys.platform != 'linux'", reason="processes are forked: Linux only"))]


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("cuts", [(), (2,)])
def test_with_one_minibatch_under_way_it_is_backprop(workers, cuts):
    one, late = (tiny_network("backprop", cuts=cuts) for _ in range(2))
    backprop, delayed = Backprop(one), Delayed(late, workers=workers, queue_size=1)
    assert list(backprop.run(minibatches(8))) == list(delayed.run(minibatches(8)))
    assert_same_state(backprop, delayed)


def by_hand(network, batches, late):
    """Two modules; the lower one learns from step t's gradient before it runs step t + late."""
    lower, upper = network.modules
    waiting = []

    def learn():
        x, delta = waiting.pop(0)
        buffers = {name: b.copy() for name, b in lower.buffers.items()}
        lower.forward(x)  # the same activations again, but for the weights: see below
        lower.learn(delta)
        for name, b in buffers.items():
            lower.buffers[name][...] = b

    for x, y in batches:
        if len(waiting) == late:
            learn()
        h = lower.forward(x).copy()
        upper.forward(h)
        _, delta = network.loss(upper.forward(h), y)
        waiting.append((x, upper.learn(delta).copy()))
    while waiting:
        learn()


@pytest.mark.parametrize("workers", WORKERS)
def test_the_kept_activations_are_those_of_their_minibatch(workers):
    """Where the lower module is linear, activations do not depend on its weights: exact by hand."""
    def network():
        rng = np.random.default_rng(3)
        return Network([Module([Dense(5, 4, rng)], SGD(0.1, 0.9)),
                        Module([Tanh(), Dense(4, 3, rng)], SGD(0.1, 0.9))], SoftmaxCrossEntropy())

    ours, theirs = network(), network()
    list(Delayed(ours, workers=workers, queue_size=3, deterministic=True).run(minibatches(9)))
    by_hand(theirs, minibatches(9), 3)
    for name, array in theirs.state().items():
        np.testing.assert_allclose(ours.state()[name], array, rtol=1e-5, atol=1e-6)


def test_activations_are_kept_not_made_again():
    """With tanh in the lower module, backward through new activations would differ."""
    networks = [tiny_network("backprop", cuts=(2,), activation="tanh", batch_norm=False)
                for _ in range(2)]
    list(Delayed(networks[0], queue_size=3, deterministic=True).run(minibatches(9)))
    by_hand(networks[1], minibatches(9), 3)
    ours, theirs = (n.modules[0].params["0.W"] for n in networks)
    assert not np.allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_lateness_adds_up_over_the_modules_above():
    schedule = Delayed(tiny_network("backprop"), queue_size=2, deterministic=True)
    schedule.recorder = Recorder(schedule.network.modules)
    list(schedule.run(minibatches(20)))
    for i in range(4):
        kinds = [interval.kind for interval in schedule.recorder.intervals
                 if interval.worker == i and interval.kind != "queued"]
        assert kinds.index("backward") == max(1, 2 * (3 - i))  # so many forward passes before


@pytest.mark.parametrize("workers", WORKERS)
def test_every_minibatch_has_its_result_and_the_modules_are_the_old_ones(workers):
    network = tiny_network("backprop")
    modules = list(network.modules)
    schedule = Delayed(network, workers=workers, queue_size=4, latency=1e-3)
    assert len(list(schedule.run(minibatches(30)))) == 30
    assert all(a is b for a, b in zip(network.modules, modules, strict=True))
    assert multiprocessing.active_children() == []


def test_it_learns():
    data = blobs(np.random.default_rng(0), n_train=480)
    schedule = Delayed(tiny_network("backprop"), queue_size=3)
    trainer = Trainer(schedule, data, batch_size=16, rng=np.random.default_rng(0))
    for _ in range(8):
        trainer.epoch()
    assert trainer.history[-1].test_accuracy > 0.9


@pytest.mark.parametrize("workers", WORKERS)
def test_what_breaks_ends_all_and_is_named(workers):
    network = tiny_network("backprop")
    network.modules[2].params["0.W"][0, 0] = np.nan
    trainer = Trainer(Delayed(network, workers=workers), blobs(np.random.default_rng(0)),
                      batch_size=16, rng=np.random.default_rng(0))
    with np.errstate(invalid="ignore"), pytest.raises(DivergenceError, match="of module 3 "):
        trainer.epoch()
    assert [t for t in threading.enumerate() if t.name.startswith("sgdni")] == []
    assert multiprocessing.active_children() == []
