"""What decoupled training must equal, exactly, where theory says so (float64)."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import TINY, blobs

from sgdni.losses import SoftmaxCrossEntropy
from sgdni.networks import Interface, Network, build_mlp
from sgdni.optimizers import SGD
from sgdni.runs.methods import build_network
from sgdni.schedules import Backprop, Decoupled
from sgdni.synthetic import SyntheticGradient


class TrueGradient(SyntheticGradient):
    """An oracle in place of M_i: backpropagates through all modules above, changing nothing."""

    n_context = 3

    def __init__(self, network: Network, interface: int) -> None:
        self.network, self.above = network, network.modules[interface:]
        self.fitted = 0

    def predict(self, h, c):
        buffers = [b for m in self.above for b in m.buffers.values()]
        kept = [b.copy() for b in buffers]
        for module in self.above:
            h = module.forward(h)
        _, delta = self.network.loss(h, c.argmax(axis=1))
        for module in reversed(self.above):
            delta = module.backward(delta)
        for b, value in zip(buffers, kept, strict=True):
            b[...] = value
        return delta.copy()

    def fit(self, h, c, target):
        self.fitted += 1


def mlp(cuts, batch_norm=True):
    return build_mlp(5, (8, 7, 6), 3, np.random.default_rng(1), lambda: SGD(0.1, momentum=0.9),
                     cuts=cuts, batch_norm=batch_norm, dtype=np.float64)


def batches(rng, count=6):
    return [(rng.standard_normal((16, 5)), rng.integers(0, 3, 16)) for _ in range(count)]


def assert_same_weights(a: Network, b: Network) -> None:
    for kind in ("params", "buffers"):
        ours = [p for m in a.modules for p in getattr(m, kind).values()]
        theirs = [p for m in b.modules for p in getattr(m, kind).values()]
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p, q, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cuts", [[2], [1, 3], [1, 2, 3]])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_true_gradient_in_place_of_sg_equals_backprop(rng, cuts, batch_norm):
    locked = Network(mlp(cuts, batch_norm), SoftmaxCrossEntropy())
    free = Network(mlp(cuts, batch_norm), SoftmaxCrossEntropy())
    free.interfaces = [Interface(TrueGradient(free, i)) for i in range(1, len(free.modules))]
    backprop, decoupled = Backprop(locked), Decoupled(free)
    for x, y in batches(rng):
        a, b = backprop.step(x, y), decoupled.step(x, y)
        assert a.loss == pytest.approx(b.loss, rel=1e-12)
    assert_same_weights(locked, free)
    assert [interface.model.fitted for interface in free.interfaces] == [6] * len(cuts)


@pytest.mark.parametrize("cuts, schedule", [([], Decoupled), ([1, 2, 3], Backprop)],
                         ids=["one decoupled module", "backprop cut into modules"])
def test_what_must_be_backprop_of_the_whole_network(rng, cuts, schedule):
    whole, other = (Network(mlp(c), SoftmaxCrossEntropy()) for c in ([], cuts))
    backprop, same = Backprop(whole), schedule(other)
    for x, y in batches(rng):
        backprop.step(x, y)
        same.step(x, y)
    assert_same_weights(whole, other)


def test_modules_below_an_untaught_sg_model_stand_still(rng):
    """M = 0 at the start: the first step changes the top module only."""
    network = build_network("cdni", TINY, 5, 3, rng)
    before = [{k: p.copy() for k, p in m.params.items()} for m in network.modules]
    data = blobs(rng)
    Decoupled(network).step(data.x_train[:16].astype(np.float32), data.y_train[:16])
    changed = [
        any((p != old[k]).any() for k, p in m.params.items())
        for m, old in zip(network.modules, before, strict=True)
    ]
    assert changed == [False, False, False, True]
