"""Two clocks: joint backpropagation and the exact model, against the unrolled system by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.data.tallies import Tally
from sgdni.layers import RNN, Dense, Tanh
from sgdni.losses import SoftmaxCrossEntropy
from sgdni.networks import Interface, Module, Network
from sgdni.optimizers import SGD, Adam
from sgdni.schedules.two_clocks import (
    TwoClocks,
    Waiting,
    label_and_tick,
    tally_and_tick,
    tick_context,
)
from sgdni.synthetic import LeastSquaresFit, LinearSG, SyntheticGradient

F64, T, B, PIXELS, N = np.float64, 5, 4, 6, 3


class Still(SGD):
    """Keeps the weights where they are."""

    def step(self, grads, scale=1.0):
        pass


def networks(rng, model=None, context=tick_context, optimizer=Still):
    core = RNN(PIXELS, N, rng, dtype=F64)
    read_out = Dense(N, T + 1, rng, dtype=F64)
    b = [Dense(N, 7, rng, dtype=F64), Tanh(), Dense(7, T + 1, rng, dtype=F64)]
    for layer in (core, read_out, *b):
        for p in layer.params.values():
            p += 0.3 * rng.standard_normal(p.shape)
    a = Network([Module([core], optimizer(1e-2), batch_axis=1),
                 Module([read_out], optimizer(1e-2))],
                SoftmaxCrossEntropy(), [Interface(model, context)] if model else [])
    return a, Network([Module(b, optimizer(1e-2))], SoftmaxCrossEntropy())


def episodes(rng):
    labels = rng.integers(0, 10, (T, B))
    labels[:2, 1:] = 3
    return (rng.standard_normal((T, B, PIXELS)),
            Tally(labels, (labels % 2).sum(axis=0), (labels == 3).sum(axis=0)))


def unrolled(a, b, x, y):
    """Gradients of both losses by A's weights, and of what is still to come by each tick's state.

    Written out for the system above, and for nothing else.
    """
    (core,), (read,), (v1, _, v2) = ([layer.params for layer in m.layers]
                                     for m in (*a.modules, *b.modules))
    states = [np.zeros((B, N))]
    for x_t in x:
        states.append(np.tanh(x_t @ core["U"] + states[-1] @ core["A"] + core["b"]))

    def error(logits, labels):
        p = np.exp(logits)
        return p / p.sum(axis=1, keepdims=True) - np.eye(T + 1)[labels]

    z = np.tanh(states[-1] @ v1["W"] + v1["b"])
    from_b = (error(z @ v2["W"] + v2["b"], y.threes) @ v2["W"].T * (1 - z**2)) @ v1["W"].T
    own = error(states[-1] @ read["W"] + read["b"], y.odd) @ read["W"].T
    grads = {"0.U": 0, "0.A": 0, "0.b": 0}
    d_h, later = own + from_b, [from_b]
    for t in reversed(range(T)):
        d_a = d_h * (1 - states[t + 1] ** 2)
        for name, g in (("0.U", x[t].T @ d_a), ("0.A", states[t].T @ d_a),
                        ("0.b", d_a.sum(axis=0))):
            grads[name] = grads[name] + g
        d_h = d_a @ core["A"].T
        later.insert(0, d_h)
    return grads, later[1:], states[1:]  # before the first tick nothing is asked


def gradients_of_a(schedule, x, y):
    """Return the gradients of A's recurrent module, summed over all that it learned in a step."""
    total, learn = {}, schedule.learn

    def summed(i, delta, *, target):
        below = learn(i, delta, target=target)
        for name, g in schedule.network.modules[0].grads.items() if i == 0 else ():
            total[name] = total.get(name, 0) + g
        return below

    schedule.learn = summed
    schedule.step(x, y)
    return total


class Exact(SyntheticGradient):
    """Knows what is still to come after each tick, asked for one after the other."""

    def __init__(self, later):
        self.later, self.asked, self.taught = later, [], []

    def predict(self, h, c):
        self.asked.append(h.copy())
        return self.later[len(self.asked) - 1]

    def fit(self, h, c, target):
        self.taught.append((h.copy(), c.copy(), target.copy()))


def same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, g in theirs.items():
        np.testing.assert_allclose(ours[name], g, rtol=1e-12, atol=1e-12, err_msg=name)


def test_joint_learning_is_backprop_through_the_unrolled_system(rng):
    a, b = networks(rng)
    x, y = episodes(rng)
    same(gradients_of_a(Waiting(a, b), x, y), unrolled(a, b, x, y)[0])


def test_with_an_exact_model_the_ticks_sum_to_joint_backprop(rng):
    a, b = networks(rng)
    x, y = episodes(rng)
    grads, later, _ = unrolled(a, b, x, y)
    a.interfaces = [Interface(Exact(later), tick_context)]
    same(gradients_of_a(TwoClocks(a, b), x, y), grads)


def test_the_targets_of_the_exact_model_are_what_it_said(rng):
    """At its state and context; the last one is what B sends down."""
    a, b = networks(rng)
    x, y = episodes(rng)
    _, later, states = unrolled(a, b, x, y)
    model = Exact(later)
    a.interfaces = [Interface(model, label_and_tick)]
    TwoClocks(a, b).step(x, y)
    c = label_and_tick(x, y)
    assert len(model.taught) == T
    for t, (h, context, target) in enumerate(model.taught):
        np.testing.assert_allclose(h, states[t], rtol=1e-12)
        np.testing.assert_array_equal(context, c[t])
        np.testing.assert_allclose(target, later[t], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("listens", [False, True])
def test_who_does_not_listen_is_untouched_by_b(rng, listens):
    x, y = episodes(rng)
    a, b = networks(rng)
    before = gradients_of_a(Waiting(a, b, listens=listens), x, y)
    b.modules[0].params["2.W"] += 1
    after = gradients_of_a(Waiting(a, b, listens=listens), x, y)
    assert all((before[name] == after[name]).all() for name in before) == (not listens)
    assert all(np.abs(g).max() > 0 for g in before.values())  # of its own loss


def test_the_context_says_both_labels_and_the_tick(rng):
    x, y = episodes(rng)
    c, n = label_and_tick(x, y), T + 1
    assert c.shape == (T, B, 2 * n + T) and c.dtype == x.dtype
    for t in range(T):
        np.testing.assert_array_equal(c[t, :, :n].argmax(axis=-1), y.threes)
        np.testing.assert_array_equal(c[t, :, n : 2 * n].argmax(axis=-1), y.odd)
        assert (c[t, :, 2 * n :].argmax(axis=-1) == t).all()
    assert (c.sum(axis=-1) == 3).all()


def test_the_tally_counts_what_was_read_so_far(rng):
    x, y = episodes(rng)
    c = tally_and_tick(10)(x, y)
    assert c.shape == (T, B, 10 + T) and c.dtype == x.dtype
    for t in range(T):
        for b in range(B):
            np.testing.assert_array_equal(c[t, b, :10],
                                          np.bincount(y.labels[: t + 1, b], minlength=10))
    np.testing.assert_array_equal(c[..., 10:], tick_context(x, y))


def test_state_holds_all_that_a_step_changes(rng):
    """Two runs, one of them put back in the middle, end alike."""
    model = LinearSG(N, T, LeastSquaresFit(0.9, 1e-2, 1), F64)
    schedule = TwoClocks(*networks(rng, model, optimizer=Adam))
    batches = [episodes(rng) for _ in range(4)]
    for batch in batches[:2]:
        schedule.step(*batch)
    kept = {name: array.copy() for name, array in schedule.state().items()}
    ends = []
    for _ in range(2):
        for name, array in schedule.state().items():
            array[...] = kept[name]
        for batch in batches[2:]:
            result = schedule.step(*batch)
        ends.append((result, schedule.answers(batches[0][0])))
    np.testing.assert_equal(ends[0], ends[1])
    assert any((kept[name] != array).any() for name, array in schedule.state().items()
               if name.startswith("schedule.b."))


def test_without_an_interface_two_clocks_are_refused(rng):
    with pytest.raises(ValueError, match="expected one interface"):
        TwoClocks(*networks(rng))
