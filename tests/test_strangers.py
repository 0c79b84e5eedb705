"""Layers, SG models and schedules that the library has never heard of train through its front door.

They stand in support/toys.py: a layer for images, a recurrent layer, two SG models, two schedules.
"""

from __future__ import annotations

import numpy as np
import pytest
from helpers import assert_same_state, blobs
from toys import ChannelMix, ConstantSG, Diagonal, Flatten, Integrator, OneAtATime, TruncatedBptt

from sgdni import (
    SGD,
    Asynchronous,
    Backprop,
    Dataset,
    Decoupled,
    Dense,
    GradientFit,
    Interface,
    LeastSquaresFit,
    LinearSG,
    MeanSquaredError,
    Module,
    Network,
    ReLU,
    SoftmaxCrossEntropy,
    Tanh,
    Trainer,
    check_layer,
    check_synthetic,
)
from sgdni.timeline import measure_costs
from sgdni.training import checkpoint

F64 = np.float64


def images(rng, count=320):
    """Two classes of (2, 3, 3) images: in which channel is the brighter blob?"""
    y = rng.integers(0, 2, count)
    x = rng.random((count, 2, 3, 3)).astype(np.float32)
    x[np.arange(count), y, 1, 1] += 2
    return Dataset("blobs in channels", x[:240], y[:240], x[240:], y[240:], 2, 0.9)


def convolutional(rng, model=None):
    """Three modules with an interface on (B, 3, 3, 3) feature maps and one on rows."""
    modules = [Module([ChannelMix(2, 3, rng), ReLU()], SGD(0.1)),
               Module([Flatten(), Dense(27, 8, rng), Tanh()], SGD(0.1)),
               Module([Dense(8, 2, rng)], SGD(0.1))]
    models = [model or LinearSG(27, 2, LeastSquaresFit()), LinearSG(8, 2, LeastSquaresFit())]
    return Network(modules, SoftmaxCrossEntropy(), [Interface(m) for m in models])


def trained(schedule, data, epochs=8):
    trainer = Trainer(schedule, data, batch_size=16, rng=np.random.default_rng(0))
    for _ in range(epochs):
        trainer.epoch()
    return trainer


def test_a_layer_for_images_is_gradient_checked(rng):
    report = check_layer(ChannelMix(2, 3, rng, F64), rng.standard_normal((4, 2, 3, 3)), rng)
    report.raise_if_failed()
    assert report.checked == {"x": 72, "W": 6}


@pytest.mark.parametrize("make", [
    Backprop, Decoupled, OneAtATime,
    lambda n: Asynchronous(n, queue_size=1, deterministic=True),
    lambda n: Asynchronous(n, queue_size=1, deterministic=True, workers="processes"),
], ids=["backprop", "decoupled", "one at a time", "threads", "processes"])
@pytest.mark.skipif("sys.platform != 'linux'", reason="processes are forked: Linux only")
def test_images_train_through_every_schedule(make):
    data, rng = images(np.random.default_rng(1)), np.random.default_rng(2)
    last = trained(make(convolutional(rng)), data).history[-1]
    assert last.test_accuracy > 0.9
    assert len(last.sg_relative_error) == 2


def test_workers_train_images_as_modules_in_turn():
    data, schedules = images(np.random.default_rng(1)), []
    for make in Decoupled, lambda n: Asynchronous(n, queue_size=1, deterministic=True):
        schedules.append(make(convolutional(np.random.default_rng(2))))
        trained(schedules[-1], data, epochs=2)
    assert_same_state(*schedules)


def streams(rng, steps, streams=16, keep=0.9):
    """Inputs (T, B, 1), and as targets their leaky sums: what came long ago still counts."""
    x = rng.standard_normal((steps, streams, 1))
    y, total = np.empty_like(x), np.zeros((streams, 1))
    for t in range(steps):
        total = keep * total + x[t]
        y[t] = 0.3 * total
    return x, y


def recurrent(rng):
    modules = [Module([Integrator(1, 4, rng, F64)], SGD(0.1), batch_axis=1),
               Module([TimeDense(4, 1, rng)], SGD(0.1), batch_axis=1)]
    return Network(modules, MeanSquaredError(),
                   [Interface(LinearSG(4, 0, LeastSquaresFit(), F64))])


class TimeDense(Dense):
    """A dense layer at every step of a window (T, B, n)."""

    def __init__(self, n_in, n_out, rng):
        super().__init__(n_in, n_out, rng, gain=0.5, dtype=F64)

    def forward(self, x, training=True):
        self._window = x.shape[:2]
        return super().forward(x.reshape(-1, self.n_in), training).reshape(*self._window, -1)

    def backward(self, dy):
        return super().backward(dy.reshape(-1, self.n_out)).reshape(*self._window, -1)


def test_a_recurrent_layer_is_gradient_checked_through_window_and_state(rng):
    layer = Integrator(2, 3, rng, F64)
    x = rng.standard_normal((4, 5, 2)), rng.standard_normal((5, 3))
    report = check_layer(layer, x, rng)
    report.raise_if_failed()
    assert report.checked == {"x0": 40, "x1": 15, "A": 9, "U": 6}
    module = Module([layer], SGD(0.1), batch_axis=1)
    assert check_layer(module, x, rng).passed


def test_a_wrong_gradient_of_the_initial_state_is_caught(rng):
    class Forgets(Integrator):
        def backward(self, dy):
            dx, d_state = super().backward(dy)
            return dx, np.zeros_like(d_state)

    x = rng.standard_normal((4, 5, 2)), rng.standard_normal((5, 3))
    report = check_layer(Forgets(2, 3, rng, F64), x, rng)
    assert {failure.variable for failure in report.failures} == {"x1"}


def test_windows_train_with_an_interface_in_time(rng):
    network = recurrent(rng)
    schedule = TruncatedBptt(network, np.zeros((16, 4)))
    x, y = streams(rng, 3000)
    losses = [schedule.step(x[t : t + 3], y[t : t + 3]).loss for t in range(0, 3000, 3)]
    assert np.mean(losses[-50:]) < 0.5 * np.mean(losses[:20])
    model = network.interfaces[0].model
    assert model.state()["fit.updates"] == len(losses) - 1 and np.any(model.W)


def test_an_update_of_a_window_is_averaged_over_its_streams(rng):
    networks = [recurrent(np.random.default_rng(3)) for _ in range(2)]
    x, y = streams(rng, 3)
    for times, network in enumerate(networks, start=1):
        schedule = TruncatedBptt(network, np.zeros((16 * times, 4)))
        schedule.step(np.tile(x, (1, times, 1)), np.tile(y, (1, times, 1)))
    for ours, theirs in zip(*(n.modules for n in networks), strict=True):
        for name, p in ours.params.items():
            np.testing.assert_allclose(theirs.params[name], p, rtol=1e-12, atol=1e-15)


def test_sg_models_of_a_stranger_keep_their_promises(rng):
    report = check_synthetic(*Diagonal.example(rng), rng)
    report.raise_if_failed()
    assert set(report.checked) == {"a", "C"}
    report = check_synthetic(*ConstantSG.example(rng), rng)
    report.raise_if_failed()
    assert set(report.checked) == {"fit"}


def test_a_model_that_is_made_otherwise_is_told_how_to_say_so(rng):
    with pytest.raises(ValueError, match="LinearSG: cannot be made .*'fit'.* at_interface"):
        LinearSG.at_interface(4, 3, rng)


def test_a_model_trains_is_costed_and_resumes(tmp_path):
    data = blobs(np.random.default_rng(5), n_train=480)

    def make():
        rng = np.random.default_rng(2)
        modules = [Module([Dense(5, 6, rng), Tanh()], SGD(0.1)),
                   Module([Dense(6, 3, rng)], SGD(0.1))]
        network = Network(modules, SoftmaxCrossEntropy(), [Interface(Diagonal(6, 3))])
        return Trainer(Decoupled(network), data, batch_size=16, rng=np.random.default_rng(0))

    straight, first, second = make(), make(), make()
    for _ in range(8):
        straight.epoch()
    assert straight.history[-1].test_accuracy > 0.85
    for _ in range(4):
        first.epoch()
    checkpoint.save(tmp_path / "run.npz", first, {})
    checkpoint.restore(tmp_path / "run.npz", second)
    for _ in range(4):
        second.epoch()
    assert_same_state(straight.schedule, second.schedule)
    x, y = data.x_train[:16].astype(np.float32), data.y_train[:16]
    costs = measure_costs(second.schedule.network, iter(lambda: (x, y), None), repeats=5)
    assert costs[0].predict > 0 and costs[0].fit > 0


def test_gradient_fitted_linear_models_serve_any_shape(rng):
    """The library's own model on feature maps, fitted by gradient steps."""
    data = images(np.random.default_rng(1))
    network = convolutional(np.random.default_rng(2), LinearSG(27, 2, GradientFit(SGD(0.005))))
    assert trained(Decoupled(network), data, epochs=12).history[-1].test_accuracy > 0.9
