"""Synthetic gradients in time, against what is known exactly.

For h_t = h_{t-1} A + b and losses |h_t C - d|^2 / 2 the gradient of all later losses with respect
to the state is affine, delta = h P + q, and P and q follow from a recursion over the horizon.
"""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.data.window import Window, told
from sgdni.layers import RNN, Dense
from sgdni.losses import MeanSquaredError
from sgdni.networks import Interface, Module, Network
from sgdni.optimizers import SGD
from sgdni.schedules import Truncated
from sgdni.synthetic import LeastSquaresFit, LinearSG, SyntheticGradient

F64 = np.float64
N, STREAMS, OUT = 3, 6, 2  # two outputs: the mean of squares is half their sum


class Still(SGD):
    """Keeps the weights where they are."""

    def step(self, grads, scale=1.0):
        pass


def network(rng, model=None, optimizer=Still, **context):
    core, read = RNN(1, N, rng, activation="identity", dtype=F64), Dense(N, OUT, rng, dtype=F64)
    # It forgets as quickly in every direction, so that fits to its states are well conditioned.
    core.params["A"][...] = 0.7 * np.linalg.qr(rng.standard_normal((N, N)))[0]
    core.params["b"][...] = rng.standard_normal(N)
    return Network([Module([core], optimizer(1e-3), batch_axis=1),
                    Module([read], optimizer(1e-3), batch_axis=1)],
                   MeanSquaredError(), [Interface(model, **context)] if model else [])


def windows(rng, count, steps, target=None):
    """Windows without episodes, and the targets d, the same at every step."""
    d = rng.standard_normal(OUT) if target is None else target
    x = Window(np.zeros((steps, STREAMS, 1)), np.zeros((steps, STREAMS), bool),
               np.zeros(STREAMS, bool))
    return [(x, np.broadcast_to(d, (steps, STREAMS, OUT)).copy()) for _ in range(count)], d


def oracle(net, d, horizon):
    """P and q of the gradient of the losses of the next so many steps."""
    core, read = (m.layers[0].params for m in net.modules)
    A, b, C, r = core["A"], core["b"], read["W"], read["b"]
    P, q = np.zeros((N, N)), np.zeros(N)
    for _ in range(horizon):
        P, q = A @ (C @ C.T + P) @ A.T, ((b @ C + r - d) @ C.T + b @ P + q) @ A.T
        P = (P + P.T) / 2
    return P, q


class Exact(SyntheticGradient):
    def __init__(self, P, q):
        self.P, self.q = P, q

    def predict(self, h, c):
        return h @ self.P + self.q

    def fit(self, h, c, target):
        self.asked, self.target = h.copy(), target.copy()


def summed_gradients(schedule, batches):
    total = {}
    for x, y in batches:
        schedule.step(x, y)
        for i, module in enumerate(schedule.network.modules):
            for name, g in module.grads.items():
                total[i, name] = total.get((i, name), 0) + g
    return total


def test_windows_with_the_exact_model_sum_to_backprop_through_all_time(rng):
    net = network(rng)
    batches, d = windows(rng, 8, 3)
    model = Exact(*oracle(net, d, 400))
    net.interfaces = [Interface(model)]
    start = rng.standard_normal((STREAMS, N))
    ours = summed_gradients(Truncated(net, start), batches)
    long, _ = windows(rng, 1, 24, d)
    whole = summed_gradients(Truncated(net, start), long)
    for key, g in whole.items():
        np.testing.assert_allclose(ours[key], g, rtol=1e-10, atol=1e-10)
    net.interfaces = []
    cut = summed_gradients(Truncated(net, start), batches)
    assert abs(cut[0, "0.A"] - whole[0, "0.A"]).max() > 1e-3  # which truncation misses


def test_the_target_of_the_exact_model_is_itself(rng):
    net = network(rng)
    batches, d = windows(rng, 3, 3)
    model = Exact(*oracle(net, d, 400))
    net.interfaces = [Interface(model)]
    schedule = Truncated(net, rng.standard_normal((STREAMS, N)))
    for x, y in batches:
        schedule.step(x, y)
    np.testing.assert_allclose(model.target, model.predict(model.asked, None), rtol=1e-10)


@pytest.mark.parametrize("gamma", [1.0, 0.7])
def test_sweeps_of_bootstrapped_least_squares_look_so_many_windows_ahead(rng, gamma):
    """After j sweeps over windows of T the model is the gradient of the next jT steps' losses."""
    steps, net, model = 3, network(rng), LinearSG(N, 0, LeastSquaresFit(), F64)
    batches, d = windows(rng, 4, steps)
    for sweep in range(1, 5):
        # Predict with what the sweep before has found, and fit another one to the targets.
        old = model
        model = LinearSG(N, 0, LeastSquaresFit(1.0, 0.0, 10**9), F64)

        class Sweep(SyntheticGradient):
            predict = staticmethod(old.predict)
            fit = staticmethod(model.fit)

        net.interfaces = [Interface(Sweep())]
        schedule = Truncated(net, 3 * rng.standard_normal((STREAMS, N)), gamma=gamma)
        for x, y in batches:
            schedule.step(x, y)
        model.fit_method.solve()
        states = rng.standard_normal((5, N))
        if gamma == 1:
            P, q = oracle(net, d, sweep * steps)
        else:  # window k counts gamma^(k - 1): the gradient of T steps, and gamma of what it passes
            P, q = np.zeros((N, N)), np.zeros(N)
            for _ in range(sweep):
                P, q = passed_back(net, d, steps, gamma * P, gamma * q)
        exact = states @ P + q
        scale = np.abs(exact).max()
        np.testing.assert_allclose(model.predict(states, None) / scale, exact / scale, rtol=0,
                                   atol=1e-10)


def passed_back(net, d, steps, P, q):
    core, read = (m.layers[0].params for m in net.modules)
    A, b, C, r = core["A"], core["b"], read["W"], read["b"]
    for _ in range(steps):
        P, q = A @ (C @ C.T + P) @ A.T, ((b @ C + r - d) @ C.T + b @ P + q) @ A.T
    return P, q


def test_nothing_passes_the_end_of_an_episode(rng):
    """Neither a prediction nor a target; others' streams are as if they were alone."""
    net = network(rng)
    batches, d = windows(rng, 3, 3)
    model = Exact(np.zeros((N, N)), np.full(N, 7.0))
    net.interfaces = [Interface(model)]
    ended = np.arange(STREAMS) < 2
    (x, y), (following, _), _ = batches
    first = x._replace(ends=ended)
    starts = np.zeros((3, STREAMS), bool)
    starts[0, ended] = True
    schedule, seen = Truncated(net, rng.standard_normal((STREAMS, N))), []

    learn = schedule.learn
    schedule.learn = lambda i, delta, *, target: (
        seen.append(delta[1].copy()) if i == 0 else None, learn(i, delta, target=target))[1]
    schedule.step(first, y)
    assert (seen[0][ended] == 0).all() and (seen[0][~ended] == 7).all()
    state = schedule.carried.copy()
    schedule.step(following._replace(starts=starts), y)
    np.testing.assert_array_equal(model.asked, state[~ended])
    assert (model.target != 0).all() and model.target.shape == (STREAMS - 2, N)


def test_the_context_is_that_of_the_window_that_was_predicted(rng):
    asked = []

    class Told(SyntheticGradient):
        n_context = 2

        def predict(self, h, c):
            return 0 * h

        def fit(self, h, c, target):
            asked.append(c.copy())

    net = network(rng, Told(), context=told)
    batches, _ = windows(rng, 3, 3)
    contexts = rng.standard_normal((3, STREAMS, 2))
    schedule = Truncated(net, rng.standard_normal((STREAMS, N)))
    for (x, y), c in zip(batches, contexts, strict=True):
        schedule.step(x._replace(context=c), y)
    np.testing.assert_array_equal(asked, contexts[:2])


def test_two_interfaces_and_a_wrong_gamma_are_refused(rng):
    net = network(rng)
    with pytest.raises(ValueError, match=r"gamma: expected a number in \[0, 1\]"):
        Truncated(net, np.zeros((STREAMS, N)), gamma=1.5)
    net.interfaces = [None, None]
    with pytest.raises(ValueError, match="expected one interface"):
        Truncated(net, np.zeros((STREAMS, N)))


def test_state_holds_all_that_a_step_changes(rng):
    """Two runs, one of them put back in the middle, end alike."""
    def make():
        r = np.random.default_rng(0)
        model = LinearSG(N, 0, LeastSquaresFit(0.9, 1e-2, 1), F64)
        return Truncated(network(r, model, SGD), r.standard_normal((STREAMS, N)))

    batches, _ = windows(rng, 6, 3)
    whole, broken = make(), make()
    for x, y in batches:
        whole.step(x, y)
    for x, y in batches[:3]:
        broken.step(x, y)
    kept = {name: array.copy() for name, array in broken.state().items()}
    other = make()
    for name, array in other.state().items():
        array[...] = kept[name]
    for x, y in batches[3:]:
        other.step(x, y)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(array, other.state()[name], err_msg=name)
