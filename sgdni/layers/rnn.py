"""The plain recurrent layer: h_t = tanh(x_t U + h_{t-1} A + b) (Elman 1990)."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from sgdni._util.arrays import flat_rows
from sgdni.layers.recurrent import Recurrent, Window


class RNN(Recurrent):
    """h_t = phi(x_t U + h_{t-1} A + b), with U (n_in, n), A (n, n) and b (n,).

    The state is h, (B, n): so the final state is the last output. What goes in and comes out, and
    where episodes start, is told in :class:`~sgdni.layers.recurrent.Recurrent`.

    Parameters
    ----------
    n_in, n : int
        Numbers of inputs and of units.
    rng : numpy.random.Generator
        Draws U with variance 1 / n_in and A with variance 1 / n; b starts at zero.
    activation : "tanh" or "identity"
        phi. With the identity the layer is a linear dynamical system.
    dtype : float32 to train, float64 to check gradients.

    Raises
    ------
    ValueError
        For widths below 1, another activation, and arrays of the wrong shape or dtype.
    """

    def __init__(self, n_in: int, n: int, rng: np.random.Generator, *, activation: str = "tanh",
                 dtype: DTypeLike = np.float32) -> None:
        super().__init__(n_in, n, rng, blocks=1, n_state=n, dtype=dtype)
        if activation not in ("tanh", "identity"):
            raise ValueError(f"RNN activation: expected 'tanh' or 'identity', got {activation!r}")
        self.activation = activation

    def forward(self, x: Window, training: bool = True) -> Window:
        window, state, starts = self._open(x)
        steps, streams, _ = window.shape
        outputs = self.scratch("outputs", (steps, streams, self.n), self.dtype)
        h = self.scratch("h", (steps + 1, streams, self.n), self.dtype)  # h[t] enters step t
        product = self.scratch("product", state.shape, self.dtype)
        np.matmul(flat_rows(window), self.params["U"], out=flat_rows(outputs))
        h[0] = state
        for t, a in enumerate(outputs):  # a holds x_t U, and then h_t
            if starts is not None:
                h[t, starts[t]] = 0
            a += np.matmul(h[t], self.params["A"], out=product)
            a += self.params["b"]
            if self.activation == "tanh":
                np.tanh(a, out=a)
            h[t + 1] = a
        self._x, self._starts, self._outputs, self._h_before = window, starts, outputs, h[:-1]
        return outputs, h[-1]

    def _back_through_time(self, d_outputs: np.ndarray, d_final: np.ndarray) -> Window:
        d_all = self.scratch("d_a", d_outputs.shape, self.dtype)
        d_h = self.scratch("d_h", d_final.shape, self.dtype)  # through all later steps
        d_h[...] = d_final
        for t in reversed(range(len(d_all))):
            d_a, h = d_all[t], self._outputs[t]
            d_h += d_outputs[t]
            if self.activation == "tanh":  # whose derivative is 1 - h^2
                np.multiply(h, h, out=d_a)
                np.subtract(1, d_a, out=d_a)
                d_a *= d_h
            else:
                d_a[...] = d_h
            np.matmul(d_a, self.params["A"].T, out=d_h)
            if self._starts is not None:
                d_h[self._starts[t]] = 0
        return d_all, d_h
