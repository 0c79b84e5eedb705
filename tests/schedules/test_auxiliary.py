"""The auxiliary task: one window late and otherwise Truncated, and its gradient by differences."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.data.window import Window
from sgdni.layers import LSTM, Dense
from sgdni.losses import SoftmaxCrossEntropy
from sgdni.networks import Interface, Module, Network
from sgdni.optimizers import SGD
from sgdni.schedules import Truncated
from sgdni.schedules.auxiliary import Auxiliary
from sgdni.synthetic import LeastSquaresFit, LinearSG

N, STREAMS, T = 3, 5, 4


class Still(SGD):
    """Keeps the weights where they are."""

    def step(self, grads, scale=1.0):
        pass


class Fixed(LinearSG):
    """A random map that stays what it is, and keeps what it is asked to learn."""

    def __init__(self, seed):
        super().__init__(2 * N, 0, LeastSquaresFit(), np.float64)
        self.W[...] = np.random.default_rng(seed).standard_normal(self.W.shape)
        self.asked = []

    def fit(self, h, c, target):
        self.asked.append((h.copy(), target.copy()))


def network(interface=True):
    rng = np.random.default_rng(1)
    core, read = LSTM(2, N, rng, dtype=np.float64), Dense(N, 2, rng, dtype=np.float64)
    return Network([Module([core], Still(1.0), batch_axis=1), Module([read], Still(1.0),
                    batch_axis=1)], SoftmaxCrossEntropy(-1), [Interface(Fixed(2))] * interface)


def batches(rng, count):
    """Windows in which stream 0 ends with the second one, and stream 1 within the third."""
    found = []
    for k in range(count):
        starts, ends = np.zeros((T, STREAMS), bool), np.zeros(STREAMS, bool)
        ends[0], starts[0, 0], starts[2, 1] = k == 1, k == 2, k == 2
        found.append((Window(rng.standard_normal((T, STREAMS, 2)), starts, ends),
                      rng.integers(-1, 2, (T, STREAMS))))
    return found


def gradients(schedule, found):
    """Return the recurrent module's gradients after each step."""
    every = []
    for x, y in found:
        schedule.step(x, y)
        every.append({k: g.copy() for k, g in schedule.network.modules[0].grads.items()})
    return every


def start():
    return np.random.default_rng(3).standard_normal((STREAMS, 2 * N))


def test_without_weight_it_is_truncated_one_window_late(rng):
    found = batches(rng, 6)
    plain = Truncated(network(), start(), gamma=0.7)
    late = Auxiliary(network(), start(), Fixed(4), gamma=0.7, weight=0)
    ours, theirs = gradients(late, found), gradients(plain, found)
    for mine, other in zip(ours[1:], theirs, strict=False):
        for key, g in other.items():
            np.testing.assert_allclose(mine[key], g, rtol=1e-12, atol=1e-14)
    models = [s.network.interfaces[0].model for s in (late, plain)]
    assert len(models[0].asked) == 4  # of six windows the last waits, the first has none before
    for mine, other in zip(models[0].asked, models[1].asked, strict=False):
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("k", [0, 1])
def test_its_loss_has_the_gradient_that_differences_say(rng, k):
    """Window k's loss, whose target is a constant: what is predicted one window on."""
    found, weight = batches(rng, k + 2), 0.6
    with_it, without = (
        gradients(Auxiliary(network(), start(), Fixed(4), weight=w), found)[k + 1]
        for w in (weight, 0))
    schedule, states = Truncated(network(), start()), [start()]
    for x, y in found:
        schedule.step(x, y)
        states.append(schedule.carried.copy())
    going = np.ones(STREAMS, bool)
    if k == 0:
        going[0] = False  # window 1 is this stream's last: nothing is predicted there
    else:
        going[:2] = False  # ended with this window; starts anew within the next
    target = schedule.network.interfaces[0].model.predict(states[k + 2], None).copy()
    core, ahead, x = network().modules[0], Fixed(4), found[k][0]

    def loss():
        _, state = core.forward((x.inputs, states[k], x.starts))
        return weight / 2 * np.sum((ahead.predict(state, None) - target)[going] ** 2)

    for name, p in core.params.items():
        for place in [(0,) * p.ndim, (-1,) * p.ndim]:
            p[place] += 1e-6
            above = loss()
            p[place] -= 2e-6
            slope = (above - loss()) / 2e-6
            p[place] += 1e-6
            assert (with_it[name] - without[name])[place] == pytest.approx(slope, rel=1e-5)


def test_a_network_without_an_interface_is_refused():
    with pytest.raises(ValueError, match="expected an interface"):
        Auxiliary(network(interface=False), start(), Fixed(4))
