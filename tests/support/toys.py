"""What a stranger would add: layers for images and for time, SG models, schedules, an experiment.

All of it is written against the public interface. Tests train it, and gradient-check it, without
touching the library.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from sgdni import Layer, Schedule, StepResult, SyntheticGradient
from sgdni.experiments.frame import Experiment

F64 = np.float64


class ChannelMix(Layer):
    """y = mix of the channels, pixel by pixel, for x (B, C, H, W)."""

    def __init__(self, n_in, n_out, rng, dtype=np.float32):
        super().__init__()
        self.params["W"] = (rng.standard_normal((n_out, n_in)) / np.sqrt(n_in)).astype(dtype)
        self.grads["W"] = np.zeros_like(self.params["W"])

    def forward(self, x, training=True):
        self._x = x
        return np.einsum("oc,bchw->bohw", self.params["W"], x)

    def backward(self, dy):
        self.grads["W"][...] = np.einsum("bohw,bchw->oc", dy, self._x)
        return np.einsum("oc,bohw->bchw", self.params["W"], dy)


class Flatten(Layer):
    def forward(self, x, training=True):
        self._shape = x.shape
        return x.reshape(len(x), -1).copy()

    def backward(self, dy):
        return dy.reshape(self._shape).copy()


class Integrator(Layer):
    """state <- tanh(state A + x U): a window (T, B, n) and a state (B, m) to the states (T, B, m).

    A window is one forward pass, and so one backward pass.
    """

    def __init__(self, n, m, rng, dtype=np.float32):
        super().__init__()
        self.params = {"A": 0.8 * np.eye(m, dtype=dtype),
                       "U": (rng.standard_normal((n, m)) / np.sqrt(n)).astype(dtype)}
        self.grads = {name: np.zeros_like(p) for name, p in self.params.items()}

    def forward(self, x, training=True):
        window, state = x
        self._x, self._states = window, [state]
        for x_t in window:
            state = np.tanh(state @ self.params["A"] + x_t @ self.params["U"])
            self._states.append(state)
        return np.stack(self._states[1:]), state.copy()

    def backward(self, dy):
        d_states, d_state = dy[0], dy[1]
        dx = np.empty_like(self._x)
        for g in self.grads.values():
            g[...] = 0
        for t in reversed(range(len(self._x))):
            d_state = (d_state + d_states[t]) * (1 - self._states[t + 1] ** 2)
            self.grads["A"] += self._states[t].T @ d_state
            self.grads["U"] += self._x[t].T @ d_state
            dx[t] = d_state @ self.params["U"].T
            d_state = d_state @ self.params["A"].T
        return dx, d_state


class Diagonal(SyntheticGradient):
    """delta^ = a h + c C: a gain for each unit, a row for each class; plain gradient steps."""

    def __init__(self, n, n_classes, dtype=np.float32, lr=0.02):
        self.n_context, self.lr = n_classes, lr
        self.a, self.C = np.zeros(n, dtype), np.zeros((n_classes, n), dtype)

    def predict(self, h, c):
        return self.a * h + c @ self.C

    def gradients(self, h, c, target):
        error = self.predict(h, c) - target
        return {"a": (self.a, np.sum(error * h, axis=0)), "C": (self.C, c.T @ error)}

    def fit(self, h, c, target):
        for parameter, gradient in self.gradients(h, c, target).values():
            parameter -= self.lr * gradient / len(h)

    def state(self):
        return {"a": self.a, "C": self.C}


class ConstantSG(SyntheticGradient):
    """The mean of the targets so far, without labels: no gradient to follow, nothing to count."""

    def __init__(self, n, n_classes, dtype=np.float32):
        self.mean = np.zeros(n, dtype)

    def predict(self, h, c):
        return np.broadcast_to(self.mean, h.shape) + 0 * h

    def fit(self, h, c, target):
        self.mean += 0.1 * (target.mean(axis=0) - self.mean)

    def state(self):
        return {"mean": self.mean}


class OneAtATime(Schedule):
    """In each step one module learns, in turn, from its synthetic gradient; the top one always."""

    def __init__(self, network, guard=None):
        super().__init__(network, guard)
        self.turn = 0

    def step(self, x, y):
        c, h = self.network.context(x, y), x
        self.turn = (self.turn + 1) % (self.top + 1)
        for i in range(self.top + 1):
            h_below, h = h, self.forward(i, h)
            if i == self.top:
                result, delta = self.loss(h, y)
            else:
                delta = self.predict(i, h, c[i]) if i == self.turn else None
            target = self.learn(i, delta, target=i > 0)
            if target is not None:
                self.fit(i - 1, h_below, c[i - 1], target)
        return result


class TruncatedBptt(Schedule):
    """Windows of a stream, the state carried on, with an interface in time at each window's end.

    Module 0 takes (window, state) to (states, final state); module 1 reads the states out. The SG
    model at interface 0 is asked for the gradient of all later losses with respect to the final
    state, and taught by the gradient of the next window's initial state.
    """

    def __init__(self, network, state):
        super().__init__(network)
        self.carried, self._asked = state, None

    def step(self, x, y):
        start = self.carried
        states, end = self.forward(0, (x, start))
        out = self.forward(1, states)
        result, delta = self.loss(out, y)
        delta_states = self.learn(1, delta, target=True)
        delta_end = self.predict(0, end, None)
        _, target = self.learn(0, (delta_states, delta_end), target=True)
        if self._asked is not None:
            self.fit(0, self._asked, None, target)
        self._asked = self.carried = end.copy()
        return StepResult(result.loss, result.accuracy)


def _throw(settings, seed, progress):
    """Share of heads among so many throws of a coin."""
    rng = np.random.default_rng(seed)
    progress(0.5)
    return [{"heads": float(np.mean(rng.random(settings["throws"]) < settings["bias"]))}]


def _draw(results):
    figure = Figure()
    figure.subplots().hist([row["heads"] for row in results["rows"]])
    return figure


COIN = Experiment(
    "coin", "is a coin fair?", _throw,
    find=lambda rows: {"heads": [row["heads"] for row in rows], "throws": float(len(rows))},
    say=lambda findings: f"{np.mean(findings['heads']):.0%} heads", draw=_draw,
    full={"throws": 1000, "bias": 0.5}, quick={"throws": 10}, tolerance={"heads": 0.1},
)
