"""The complete unlock: who acts, on what, and what is made of what arrives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import TINY

from sgdni.data import Examples
from sgdni.networks import Interface, Network
from sgdni.runs.methods import build_network
from sgdni.schedules.unlocked import POLICIES, Unlocked
from sgdni.synthetic import ReluInput, SyntheticInput
from sgdni.training.batches import Minibatches

N, CLASSES, B = 5, 3, 8


class Told(SyntheticInput):
    """Notes what it is asked and taught."""

    def __init__(self, n):
        self.n, self.asked, self.taught = n, 0, []

    def predict(self, z, c):
        self.asked += 1
        return np.full((len(z), self.n), 0.5, z.dtype)

    def fit(self, z, c, h):
        self.taught.append((z, c, h))


def schedule(rng, make=lambda n, rng: Told(n), **options):
    settings = replace(TINY, dtype="float64", batch_norm=False, lr=0.01)
    network = build_network("local-error", settings, N, CLASSES, np.random.default_rng(1))
    interfaces = [Interface(one.model, inputs=make(n, rng))
                  for one, n in zip(network.interfaces, settings.hidden, strict=True)]
    return Unlocked(Network(network.modules, network.loss, interfaces), lambda x: x, rng,
                    **options)


def minibatch(rng):
    return rng.standard_normal((B, N)), rng.integers(0, CLASSES, B)


def batches(rng, count=64):
    x = rng.standard_normal((count, N))
    y = np.abs(x[:, :CLASSES]).argmax(axis=1)
    return Minibatches(Examples(x, y), B, np.random.default_rng(0), np.dtype(float))


def inputs(schedule, i):
    return schedule.network.interfaces[i].inputs


def test_who_waits_does_nothing_until_there_is_a_message(rng):
    ours = schedule(rng, policy="wait")
    assert ours.act(1, *minibatch(rng)) is None and ours.acted.tolist() == [0] * (ours.top + 1)
    x, y = minibatch(rng)
    ours.act(0, x, y)
    ours.act(1, *minibatch(rng))
    assert ours.acted[:2].tolist() == [1, 1]
    assert ours.act(1, *minibatch(rng)) is None  # a message is used once
    assert inputs(ours, 0).asked == 0 and inputs(ours, 0).taught == []


def test_a_message_is_worked_on_with_its_own_labels(rng):
    ours, seen = schedule(rng, policy="either"), []
    ours.loss = lambda h, y, inner=ours.loss: seen.append(y) or inner(h, y)
    x, y = minibatch(rng)
    for i in range(ours.top + 1):
        ours.act(i, *((x, y) if i == 0 else minibatch(rng)))
    np.testing.assert_array_equal(seen, [y])
    for i in range(ours.top):
        [(z, c, h)] = inputs(ours, i).taught
        np.testing.assert_array_equal(z, x)
        np.testing.assert_array_equal(c.argmax(axis=1), y)
        assert h.shape == (B, inputs(ours, i).n) and inputs(ours, i).asked == 0


def test_synthetic_inputs_learn_from_messages_that_nobody_works_on(rng):
    ours, seen = schedule(rng, policy="synthetic"), []
    ours.loss = lambda h, y, inner=ours.loss: seen.append(y) or inner(h, y)
    x, y = minibatch(rng)
    ours.act(ours.top - 1, *minibatch(rng))
    ours.act(ours.top, x, y)
    np.testing.assert_array_equal(seen, [y])
    assert inputs(ours, ours.top - 1).asked == 1
    assert len(inputs(ours, ours.top - 1).taught) == 1


def test_a_newer_message_takes_the_place_of_an_older(rng):
    ours = schedule(rng, policy="wait")
    ours.act(0, *minibatch(rng))
    x, y = minibatch(rng)
    ours.act(0, x, y)
    z, labels, _, h = ours._boxes[0][0]
    np.testing.assert_array_equal(z, x)
    np.testing.assert_array_equal(labels, y)
    assert h is not ours.network.modules[0].forward(x)


def test_a_target_goes_down_with_the_input_it_belongs_to(rng):
    ours, fitted = schedule(rng, policy="either"), []
    ours.network.interfaces[-1].fit = lambda *what: fitted.append(what)
    ours.act(ours.top, *minibatch(rng))  # on a synthetic input
    ours.act(ours.top - 1, *minibatch(rng))
    [(h, c, target)] = fitted
    assert (h == 0.5).all() and c.shape == (B, CLASSES) and target.shape == h.shape
    assert np.abs(target).max() > 0


def test_acting_is_random_seeded_and_everyones(rng):
    runs = []
    for _ in range(2):
        ours = schedule(np.random.default_rng(3), lambda n, rng: ReluInput(
            N, CLASSES, n, rng, dtype=np.float64), policy="either", pace=0.5)
        losses = [r.loss for _ in range(10) for r in ours.run(batches(np.random.default_rng(5)))]
        runs.append((losses, ours.acted.tolist(), ours.network.state()))
    assert runs[0][:2] == runs[1][:2]
    for name, array in runs[0][2].items():
        np.testing.assert_array_equal(array, runs[1][2][name])
    acted = np.array(runs[0][1])
    assert ((20 < acted) & (acted < 60)).all() and len(set(acted)) > 1  # of 80 ticks
    assert len(runs[0][0]) == acted[-1]


@pytest.mark.parametrize("policy", POLICIES)
def test_it_learns(policy, rng):
    ours = schedule(rng, lambda n, rng: ReluInput(N, CLASSES, n, rng, dtype=np.float64),
                    policy=policy, pace=0.7)
    minibatches = batches(np.random.default_rng(5))
    losses = [r.loss for _ in range(60) for r in ours.run(minibatches)]
    assert np.mean(losses[-20:]) < 0.9 * np.mean(losses[:20])


def test_every_message_is_accounted_for(rng):
    ours = schedule(rng, policy="either", loss_rate=0.3, pace=0.6)
    for _ in range(10):
        list(ours.run(batches(np.random.default_rng(5))))
    there = np.array([[message is not None for message in boxes] for boxes in ours._boxes])
    np.testing.assert_array_equal(ours.sent, ours.lost + ours.overtaken + ours.taken + there)
    assert ours.sent[:, 0].tolist() == ours.acted[:-1].tolist()
    assert ours.sent[:, 1].tolist() == ours.acted[1:].tolist()
    assert (ours.lost > 0).all() and (ours.overtaken > 0).all() and (ours.taken > 0).all()


def test_lost_messages_starve_those_who_wait(rng):
    acted = {}
    for loss_rate in 0.0, 0.9:
        ours = schedule(np.random.default_rng(3), policy="wait", loss_rate=loss_rate)
        for _ in range(20):
            list(ours.run(batches(np.random.default_rng(5))))
        acted[loss_rate] = ours.acted
    assert acted[0.9][0] == pytest.approx(acted[0.0][0], rel=0.3)
    assert acted[0.9][1] < 0.3 * acted[0.0][1] and acted[0.9][1] > 0


@pytest.mark.parametrize("options, message", [
    ({"policy": "hope"}, "policy: expected one of wait, synthetic, either, got hope"),
    ({"pace": 0}, r"pace: expected a number in \(0, 1\], got 0"),
    ({"loss_rate": 1}, "loss_rate: expected a number in"),
    ({"make": lambda n, rng: None}, "policy either: expected interfaces with a model of inputs"),
])
def test_what_makes_no_sense_is_refused(rng, options, message):
    with pytest.raises(ValueError, match=message):
        schedule(rng, **options)


def test_without_interfaces_it_is_refused(rng):
    network = build_network("backprop", TINY, N, CLASSES, rng)
    with pytest.raises(ValueError, match="expected 3 interfaces, one below each module but"):
        Unlocked(network, lambda x: x, rng)
