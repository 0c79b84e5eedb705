"""The convolutional network: its shapes, its cuts, and that every method trains it."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.data import Dataset
from sgdni.layers import Conv2D, MaxPool2D, Unflatten
from sgdni.networks.cnn import build_cnn, image_shapes
from sgdni.optimizers import SGD
from sgdni.runs.methods import METHODS, build_network, build_trainer
from sgdni.runs.settings import Settings
from sgdni.synthetic import ChannelMeans, ConvSG, LocalErrorSG, PerPixel

TINY = Settings(network="cnn", hidden=(3, 4), batch_size=8, lr=0.05)


@pytest.fixture
def bars(rng) -> Dataset:
    """Return images of 8 x 12 with a bar, upright or lying: a task for a convolution."""
    y = rng.integers(0, 2, 144)
    x = 0.1 * rng.standard_normal((144, 8, 12))
    for image, kind, place in zip(x, y, rng.integers(2, 6, 144), strict=True):
        image[(place, slice(None)) if kind else (slice(None), place)] += 1
    x = x.reshape(144, -1).astype(np.float32)
    return Dataset("bars", x[:96], y[:96], x[96:], y[96:], 2, 0.9, (8, 12, 1))


def test_shapes_are_those_of_what_leaves_each_layer(rng):
    shapes = image_shapes((9, 13, 2), (3, 4, 5))
    assert shapes == [(4, 6, 3), (2, 3, 4), (2, 3, 5)]
    modules = build_cnn((9, 13, 2), (3, 4, 5), 10, rng, lambda: SGD(0.1))
    h, found = rng.standard_normal((7, 9 * 13 * 2)).astype(np.float32), []
    for module in modules:
        h = module.forward(h)
        found.append(h.shape[1:])
    assert found == [*shapes, (10,)]


def test_cuts_join_blocks_and_leave_the_weights_alone(rng):
    whole, cut = (build_cnn((8, 8, 1), (3, 4), 5, np.random.default_rng(0), lambda: SGD(0.1),
                            cuts=cuts, batch_norm=False) for cuts in ([], [1]))
    kinds = [[type(layer) for layer in module.layers] for module in cut]
    assert kinds[0][:2] == [Unflatten, Conv2D] and kinds[0][-1] is MaxPool2D
    assert [layer for module in kinds for layer in module] == [type(m) for m in whole[0].layers]
    x = rng.standard_normal((4, 64)).astype(np.float32)
    np.testing.assert_array_equal(cut[1].forward(cut[0].forward(x)), whole[0].forward(x))


@pytest.mark.parametrize("method, changes, kind", [
    ("dni", {}, PerPixel), ("cdni", {"sg_kernel": 3}, ConvSG), ("cdni-ls", {}, PerPixel),
    ("local-error", {}, LocalErrorSG), ("local-loss", {"read_out": "means"}, ChannelMeans),
])
def test_a_method_has_its_model_of_images(method, changes, kind, rng):
    settings = Settings(network="cnn", hidden=(3, 4), **changes)
    network = build_network(method, settings, 96, 2, rng, (8, 12, 1))
    assert [type(interface.model) for interface in network.interfaces] == [kind, kind]


@pytest.mark.parametrize("engine", ["sequential", "processes"])
@pytest.mark.parametrize("method", ["backprop", "cdni-ls", "local-error"])
def test_convolutions_learn(method, engine, bars):
    """Better than with a read-out of random ones is another question: see the experiment."""
    settings = Settings(network="cnn", hidden=(3, 4), batch_size=8, lr=0.05, engine=engine,
                        cuts=(1,))
    trainer = build_trainer(method, settings, bars)
    before = trainer.schedule.network.modules[0].params["1.W"].copy()
    for _ in range(3):
        record = trainer.epoch()
    trainer.dismiss()
    assert record.test_accuracy >= 0.9
    assert not np.array_equal(trainer.schedule.network.modules[0].params["1.W"], before)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_takes_a_step(method, bars):
    record = build_trainer(method, TINY, bars).epoch()
    assert np.isfinite(record.train_loss) and record.steps == 12


def test_only_the_top_learns_under_the_control(bars):
    trainer = build_trainer("top-only", TINY, bars)
    before = [{k: p.copy() for k, p in m.params.items()} for m in trainer.schedule.network.modules]
    trainer.epoch()
    after = [m.params for m in trainer.schedule.network.modules]
    same = [all(np.array_equal(p, now[k]) for k, p in then.items())
            for then, now in zip(before, after, strict=True)]
    assert same == [True, True, False]


@pytest.mark.parametrize("act, message", [
    (lambda: image_shapes((3, 9, 1), (2, 2)), "at least 4 x 4 pixels, got 3 x 9"),
    (lambda: build_network("backprop", TINY, 96, 2, np.random.default_rng(0)),
     "network cnn: expected a data set of images"),
    (lambda: Settings(network="rnn"), "network: expected one of mlp, cnn, got rnn"),
    (lambda: image_shapes((9, 9, 1), ()), "channels of at least one hidden layer, got none"),
    (lambda: Settings(sg_kernel=2.5), "sg_kernel: expected a whole number, got 2.5"),
    (lambda: Settings(sg_kernel=2), "sg_kernel: expected an odd number, got 2"),
])
def test_what_makes_no_sense_is_refused(act, message):
    with pytest.raises(ValueError, match=message):
        act()


def test_a_data_set_knows_whether_it_has_images():
    x, y = np.zeros((4, 6), np.uint8), np.zeros(4, int)
    assert Dataset("a", x, y, x, y, 2, image_shape=(2, 3, 1)).image_shape == (2, 3, 1)
    with pytest.raises(ValueError, match="image_shape: expected 6 numbers"):
        Dataset("a", x, y, x, y, 2, image_shape=(2, 2, 1))
