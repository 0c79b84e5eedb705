"""Delayed gradients: true ones, of the minibatch they belong to, so many steps late."""

from __future__ import annotations

import multiprocessing
import threading
import time
from copy import deepcopy

import numpy as np
import pytest
from helpers import assert_same_state, blobs, minibatches, tiny_network

from sgdni import (
    SGD,
    Dense,
    Layer,
    Module,
    Network,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    check_layer,
)
from sgdni.data import Examples
from sgdni.parallel import Delayed
from sgdni.schedules import Backprop, DivergenceError, Recorder
from sgdni.training import Trainer
from sgdni.training.batches import Minibatches

WORKERS = ["threads", pytest.param("processes", marks=pytest.mark.skipif(
    "sys.platform != 'linux'", reason="processes are forked: Linux only"))]


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("cuts", [(), (2,)])
def test_with_one_minibatch_under_way_it_is_backprop(workers, cuts):
    one, late = (tiny_network("backprop", cuts=cuts) for _ in range(2))
    backprop, delayed = Backprop(one), Delayed(late, workers=workers, queue_size=1)
    assert list(backprop.run(minibatches(8))) == list(delayed.run(minibatches(8)))
    assert_same_state(backprop, delayed)


class DictTanh(Layer):
    """Keeps its forward pass in a dict of its own, as many a layer does."""

    def __init__(self):
        super().__init__()
        self._memory = {}

    def forward(self, x, training=True):
        self._memory["y"] = np.tanh(x)
        return self._memory["y"]

    def backward(self, dy):
        return dy * (1 - self._memory["y"] ** 2)


class Block(Layer):
    """Made of two layers, whose parameters are its own."""

    def __init__(self, rng):
        super().__init__()
        self.inner = [Dense(5, 6, rng, dtype=float), Tanh()]
        self.params, self.grads = self.inner[0].params, self.inner[0].grads

    def forward(self, x, training=True):
        return self.inner[1].forward(self.inner[0].forward(x))

    def backward(self, dy):
        return self.inner[0].backward(self.inner[1].backward(dy))


class Fork(Layer):
    """Two arrays out of one, in arrays that the next minibatch overwrites."""

    def forward(self, x, training=True):
        self._x = x
        return (np.tanh(x, out=self.scratch("a", x.shape, x.dtype)),
                np.sin(x, out=self.scratch("b", x.shape, x.dtype)))

    def backward(self, dy):
        return dy[0] * (1 - np.tanh(self._x) ** 2) + dy[1] * np.cos(self._x)


class Join(Layer):
    """And one out of two."""

    def forward(self, x, training=True):
        self._x = x
        return x[0] * x[1]

    def backward(self, dy):
        return tuple(np.multiply(dy, part, out=self.scratch(name, dy.shape, dy.dtype))
                     for name, part in zip("ab", reversed(self._x), strict=True))


class Sluggish(Dense):
    def forward(self, x, training=True):
        time.sleep(0.003)  # so that what comes from above waits, and may be overwritten
        return super().forward(x, training)


@pytest.mark.parametrize("make", [lambda rng: DictTanh(), Block])
def test_layers_of_ones_own_pass_the_check_of_twins(make, rng):
    check_layer(make(rng), rng.standard_normal((6, 5)), rng).raise_if_failed()


LOWER = {
    "tanh": lambda rng: [Dense(5, 6, rng, dtype=float), Tanh()],
    "relu": lambda rng: [Dense(5, 6, rng, dtype=float), ReLU()],
    "sigmoid": lambda rng: [Dense(5, 6, rng, dtype=float), Sigmoid()],
    "with a dict": lambda rng: [Dense(5, 6, rng, dtype=float), DictTanh()],
    "of layers": lambda rng: [Block(rng)],
    "two arrays": lambda rng: [Sluggish(5, 6, rng, dtype=float), Fork()],
}


def two_modules(lower):
    rng = np.random.default_rng(3)
    join = [Join()] if lower == "two arrays" else []
    return Network([Module(LOWER[lower](rng), SGD(0.3, 0.9)),
                    Module([*join, Dense(6, 3, rng, dtype=float)], SGD(0.3, 0.9))],
                   SoftmaxCrossEntropy())


def one_buffer(steps=12):
    """Minibatches as a trainer has them: each overwrites the one before."""
    rng = np.random.default_rng(0)
    examples = Examples(rng.standard_normal((40, 5)), rng.integers(0, 3, 40))
    return Minibatches(examples, 8, np.random.default_rng(1), np.float64, steps)


def by_hand(network, batches, late):
    """The lower of two modules learns from step t's gradient before it runs step t + late: with
    the activations of step t, which a copy of it has kept, and the weights of then."""
    lower, upper = network.modules
    waiting = []

    def learn():
        kept, delta = waiting.pop(0)
        for name, p in lower.params.items():
            kept.params[name][...] = p
        kept.backward(delta, input_gradient=False)
        lower.optimizer.step(kept.grads, scale=1 / 8)

    for x, y in batches:
        if len(waiting) == late:
            learn()
        h = deepcopy(lower.forward(x))
        _, delta = network.loss(upper.forward(h), y)
        waiting.append((deepcopy(lower), deepcopy(upper.learn(delta))))
    while waiting:
        learn()


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("lower", LOWER)
def test_a_gradient_meets_the_activations_of_its_minibatch_and_todays_weights(workers, lower):
    ours, theirs = two_modules(lower), two_modules(lower)
    schedule = Delayed(ours, workers=workers, queue_size=3, deterministic=True)
    list(schedule.run(one_buffer()))
    by_hand(theirs, one_buffer(), 3)
    for name, array in theirs.state().items():
        np.testing.assert_allclose(ours.state()[name], array, rtol=1e-10, atol=1e-13, err_msg=name)
    schedule.dismiss()


def test_gradients_are_applied_when_they_come_and_not_when_they_must_be():
    """There is room for all minibatches, so nothing but the gradients' arrival makes one learn."""
    schedule = Delayed(tiny_network("backprop", cuts=(1, 2)), queue_size=30)
    schedule.recorder = Recorder(schedule.network.modules)

    def source():
        for batch in minibatches(30):
            time.sleep(0.003)
            yield batch

    list(schedule.run(source()))
    for i in range(2):
        kinds = [interval.kind for interval in schedule.recorder.intervals
                 if interval.worker == i and interval.kind != "queued"]
        assert kinds.index("backward") < 30


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
