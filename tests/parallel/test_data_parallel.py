"""Data-parallel backprop is backprop: the same weights after every step, in every worker."""

from __future__ import annotations

import math
import multiprocessing
import os
import time

import numpy as np
import pytest
from helpers import blobs, tiny_network

from sgdni import SGD, BatchNorm, Dense, Layer, Module, Network, SoftmaxCrossEntropy
from sgdni.data import Examples
from sgdni.parallel import DataParallel
from sgdni.parallel.workers import TEAMS
from sgdni.schedules import Backprop, DivergenceError, Recorder
from sgdni.training import Trainer
from sgdni.training.batches import Minibatches

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="processes are forked")
PLAIN = {"batch_norm": False, "dtype": "float64"}


def batches(count=6, size=8):
    rng = np.random.default_rng(0)
    return [(rng.standard_normal((size, 5)), rng.integers(0, 3, size)) for _ in range(count)]


def trainer(make, **changes):
    data = blobs(np.random.default_rng(0), n_train=100)
    network = tiny_network("backprop", **{**PLAIN, **changes})
    return Trainer(make(network), data, batch_size=16, rng=np.random.default_rng(1),
                   dtype=network.modules[0].params["0.W"].dtype)


@pytest.mark.parametrize("replicas", [1, 2, 3])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_it_is_backprop_on_the_whole_minibatch(replicas, optimizer, weight_decay):
    """8 rows over 3 workers are shares of 2, 3 and 3: their gradients still add up."""
    options = PLAIN | {"optimizer": optimizer, "weight_decay": weight_decay}
    one, many = (tiny_network("backprop", **options) for _ in range(2))
    expected = list(Backprop(one).run(batches()))
    schedule = DataParallel(many, replicas=replicas)
    for ours, theirs in zip(schedule.run(batches()), expected, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-12)
        assert ours.accuracy == theirs.accuracy
    for name, array in one.state().items():
        np.testing.assert_allclose(many.state()[name], array, rtol=1e-12, atol=1e-14,
                                   err_msg=name)
    assert multiprocessing.active_children() == []


def dense(layers, steps=0, optimizer=SGD, **options):
    """Return a network of one module, and minibatches: of windows (T, B, 5) if there are steps."""
    rng = np.random.default_rng(3)
    network = Network([Module([layer(rng) for layer in layers], optimizer(0.1), **options)],
                      SoftmaxCrossEntropy())
    shape = (steps, 8) if steps else (8,)
    return network, [(rng.standard_normal((*shape, 5)), rng.integers(0, 3, shape))
                     for _ in range(5)]


def plain(rng):
    return Dense(5, 3, rng, dtype=float)


def assert_as_backprop(make, replicas):
    one, many = Backprop(make()[0]), DataParallel(make()[0], replicas=replicas)
    expected, results = list(one.run(make()[1])), list(many.run(make()[1]))
    assert [r.loss for r in results] == pytest.approx([r.loss for r in expected], rel=1e-12)
    for name, array in one.state().items():
        np.testing.assert_allclose(many.state()[name], array, rtol=1e-12, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("replicas", [2, 3])
def test_windows_are_cut_along_the_axis_that_counts_examples(replicas):
    assert_as_backprop(lambda: dense([plain], steps=6, batch_axis=1), replicas)


class NewGradients(Dense):
    """Makes gradient arrays anew, as layers may."""

    def backward_params(self, dy):
        self.grads = {"W": self._x.T @ dy, "b": dy.sum(axis=0)}


def test_gradients_that_a_layer_has_made_anew_are_taken():
    assert_as_backprop(lambda: dense([lambda rng: NewGradients(5, 3, rng, dtype=float)]), 2)


class Counted(SGD):
    """An optimiser of one's own: its rate falls with what it counts."""

    def bind(self, params):
        super().bind(params)
        self.state["passed"] = np.zeros(2)

    def begin(self):
        self.state["passed"] += 1, 2

    def _change(self, p, g, scale):
        super()._change(p, g, scale / self.state["passed"][0])


def test_all_that_an_optimiser_counts_comes_back():
    assert_as_backprop(lambda: dense([plain], optimizer=Counted), 2)


class Statistics(Layer):
    """Counts minibatches, and keeps a mean, an extreme that nothing has reached and a flag."""

    def __init__(self, rng):
        super().__init__()
        self.buffers = {"count": np.zeros((), np.int64), "mean": np.zeros(5),
                        "least": np.full(5, np.inf), "seen": np.zeros((), bool)}

    def forward(self, x, training=True):
        if training:
            self.buffers["count"] += 1
            self.buffers["mean"][...] = x.mean(axis=0)
            self.buffers["seen"][...] = True
        return x.copy()

    def backward(self, dy):
        return dy.copy()


def test_statistics_of_all_kinds_come_back():
    assert_as_backprop(lambda: dense([Statistics, plain]), 2)


def test_modules_that_do_not_fit_are_refused():
    (one, _), (other, _) = dense([plain], batch_axis=1), dense([plain])
    both = Network([*one.modules, *other.modules], one.loss)
    with pytest.raises(ValueError, match=r"modules of one batch_axis, got \[0, 1\]"):
        DataParallel(both, replicas=2)
    mixed, _ = dense([plain, lambda rng: BatchNorm(3)])
    with pytest.raises(ValueError, match="parameters of one dtype, got float64 and float32"):
        DataParallel(mixed, replicas=2)


class Keeps(Dense):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.transposed = self.params["W"].T


class KeepsGradient(Dense):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.inner = {"dW": self.grads["W"]}


@pytest.mark.parametrize("kind, what", [(Keeps, "parameter 0.W"), (KeepsGradient, "gradient 0.W")])
def test_a_layer_that_would_go_on_with_old_arrays_is_refused(kind, what):
    network, given = dense([lambda rng: kind(5, 3, rng, dtype=float)])
    with pytest.raises(ValueError, match=f"{kind.__name__}: .* keeps {what} elsewhere too"):
        list(DataParallel(network, replicas=2).run(given))


def test_epochs_go_on_in_processes_that_stay():
    one, many = trainer(Backprop), trainer(lambda n: DataParallel(n, replicas=2))
    workers = set()
    for _ in range(3):
        a, b = one.epoch(), many.epoch()
        assert a.test_loss == pytest.approx(b.test_loss, rel=1e-12)
        workers |= {child.pid for child in multiprocessing.active_children()}
    assert len(workers) == 2
    assert one.rng.bit_generator.state == many.rng.bit_generator.state
    many.schedule.dismiss()


def test_with_batch_normalisation_it_learns_too_and_averages_the_statistics():
    many = trainer(lambda n: DataParallel(n, replicas=2), batch_norm=True,
                   dtype="float32")
    for _ in range(30):
        record = many.epoch()
    assert record.test_accuracy > 0.9
    statistics = [b for m in many.schedule.network.modules for b in m.buffers.values()]
    assert all(np.isfinite(b).all() and np.any(b != np.round(b)) for b in statistics)
    many.schedule.dismiss()


def test_snapshots_hold_the_weights_of_a_whole_step():
    schedule = DataParallel(tiny_network("backprop", **PLAIN), replicas=2)
    schedule.recorder = Recorder(schedule.network.modules, snapshot_every=2, most=3)
    list(schedule.run(batches(6)))
    one = tiny_network("backprop", **PLAIN)
    list(Backprop(one).run(batches(4)))
    assert len(schedule.recorder.snapshots()) == 3
    spare = tiny_network("backprop", **PLAIN).modules
    schedule.recorder.load(1, spare)
    for ours, theirs in zip(spare, one.modules, strict=True):
        for name, p in theirs.params.items():
            np.testing.assert_allclose(ours.params[name], p, rtol=1e-12, atol=1e-14)
    assert [len(track) for track in schedule.recorder.update_latencies()] == [6] * 4


def test_a_recorder_begins_anew_in_processes_that_stay():
    many = trainer(lambda n: DataParallel(n, replicas=2))
    recorder = Recorder(many.schedule.network.modules, snapshot_every=3, most=2)
    many.schedule.recorder = recorder
    for _ in range(3):
        recorder.begin()
        many.epoch()
        assert len(recorder.snapshots()) == 2
        assert [len(track) for track in recorder.update_latencies()] == [6] * 4
    many.dismiss()


def test_a_ring_of_slow_links_is_waited_for():
    """2 (K - 1) messages of the latency, and 2 (K - 1) / K of the gradients over the bandwidth."""
    schedule = DataParallel(tiny_network("backprop", **PLAIN), replicas=2, latency=5e-3,
                            bandwidth=1e5)
    nbytes = sum(p.nbytes for m in schedule.network.modules for p in m.params.values())
    at_least = 5 * (2 * 5e-3 + nbytes / 1e5)
    started = time.perf_counter()
    list(schedule.run(batches(5)))
    assert time.perf_counter() - started > at_least
    three = DataParallel(tiny_network("backprop", **PLAIN), replicas=3, bandwidth=1e5)
    assert sum(map(three._ring_seconds, range(4))) == pytest.approx(4 / 3 * nbytes / 1e5)


@pytest.mark.parametrize("how, kind, words", [
    ("raise", RuntimeError, "broken on purpose"), ("die", RuntimeError, "process of worker . died"),
    ("nan", DivergenceError, "activations of module 2"),
])
def test_a_worker_that_fails_ends_all(how, kind, words):
    network = tiny_network("backprop", **PLAIN)
    forward, parent = network.modules[1].forward, os.getpid()

    def broken(x, training=True):
        if os.getpid() == parent or training is False:
            return forward(x, training)
        if how == "die":
            os._exit(3)
        if how == "nan":
            return forward(x) * math.nan
        raise RuntimeError("broken on purpose")

    network.modules[1].forward = broken
    with np.errstate(invalid="ignore"), pytest.raises(kind, match=words):
        list(DataParallel(network, replicas=2).run(batches()))
    assert multiprocessing.active_children() == []


def test_minibatches_that_only_one_can_read_are_refused():
    schedule = DataParallel(tiny_network("backprop", **PLAIN), replicas=2)
    with pytest.raises(ValueError, match="every worker can read"):
        list(schedule.run(iter(batches())))
    with pytest.raises(ValueError, match="one array x, which can be cut, got a tuple of 2"):
        list(schedule.run([((x, x), y) for x, y in batches()]))
    windows = DataParallel(dense([plain], batch_axis=1)[0], replicas=2)
    with pytest.raises(ValueError, match="batch_axis 1, got Minibatches, .* along axis 0"):
        list(windows.run(Minibatches(Examples(np.zeros((9, 5)), np.zeros(9, int)), 4,
                                     np.random.default_rng(0))))
    with pytest.raises(ValueError, match="replicas"):
        DataParallel(tiny_network("backprop"), replicas=0)
    with pytest.raises(ValueError, match="expected workers processes or mpi, got threads"):
        DataParallel(tiny_network("backprop"), replicas=2, workers="threads")


def test_what_is_refused_costs_no_team(monkeypatch):
    monkeypatch.setitem(TEAMS, "processes", None)  # over MPI each one holds a communicator
    with pytest.raises(ValueError, match="every worker can read"):
        list(DataParallel(tiny_network("backprop", **PLAIN), replicas=2).run(iter(batches())))


def test_minibatches_with_fewer_rows_than_workers_are_refused():
    schedule = DataParallel(tiny_network("backprop", **PLAIN), replicas=3)
    with pytest.raises(ValueError, match="at least 3 rows, one for each worker, got 2"):
        list(schedule.run(batches(2) + batches(1, size=2)))
    few = trainer(lambda n: DataParallel(n, replicas=17))
    with pytest.raises(ValueError, match="at least 17 rows, one for each worker, got 16"):
        few.epoch()
