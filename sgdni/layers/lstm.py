"""The LSTM: a recurrent layer with a memory cell that gates protect.

Hochreiter and Schmidhuber 1997 (Neural Computation 9), with the forget gate of Gers, Schmidhuber
and Cummins 2000 (Neural Computation 12).
"""

from __future__ import annotations

import numpy as np

from sgdni._util.arrays import flat_rows
from sgdni.layers.recurrent import Recurrent, Window


class LSTM(Recurrent):
    """Four gates decide what a cell takes in, keeps and shows.

        i, f, o = sigmoid(x_t U + h_{t-1} A + b)     input, forget and output gate: three blocks
        g       = tanh(the same, fourth block)       what might be taken in
        cell_t  = f cell_{t-1} + i g
        h_t     = o tanh(cell_t)

    with U (n_in, 4 n), A (n, 4 n) and b (4 n,), in columns i, f, o, g (PyTorch has i, f, g, o).

    The state is **one** array [h, cell], (B, 2 n), so that an SG model at the window's end predicts
    one gradient for it. What goes in and comes out, and where episodes start, is told in
    :class:`~sgdni.layers.recurrent.Recurrent`.

    Parameters
    ----------
    n_in, n : int
        Numbers of inputs and of cells.
    rng : numpy.random.Generator
        Draws U with variance 1 / n_in and A with variance 1 / n.
    forget_bias : float
        Where the forget gates' biases start, the others at 0. At 1 the cells remember from the
        beginning: f = .73 when nothing comes in, against .5.
    dtype : float32 to train, float64 to check gradients.

    Raises
    ------
    ValueError
        For widths below 1, and arrays of the wrong shape or dtype.
    """

    def __init__(self, n_in: int, n: int, rng: np.random.Generator, *, forget_bias: float = 1.0,
                 dtype: np.dtype = np.float32) -> None:
        super().__init__(n_in, n, rng, blocks=4, n_state=2 * n, dtype=dtype)
        self.params["b"][n : 2 * n] = forget_bias

    def forward(self, x: Window, training: bool = True) -> Window:
        window, state, keep = self._open(x)
        n, shape = self.n, (*window.shape[:2], self.n)
        gates = self.scratch("gates", (*shape[:2], 4 * n), self.dtype)
        outputs, h_before, cell_before, squashed = (
            self.scratch(name, shape, self.dtype) for name in ("h", "h_before", "cell_before", "s"))
        product = self.scratch("product", gates.shape[1:], self.dtype)
        i_g = self.scratch("i_g", shape[1:], self.dtype)
        final = self.scratch("final", state.shape, self.dtype)
        # sigmoid(a) = (1 + tanh(a / 2)) / 2: with those columns halved, one tanh serves all gates.
        half = np.repeat(np.array([0.5, 1], self.dtype), [3 * n, n])
        U, A, b = (self.params[name] * half for name in ("U", "A", "b"))

        np.matmul(flat_rows(window), U, out=flat_rows(gates))
        h, cell, new_cell = state[:, :n], state[:, n:], final[:, n:]
        for t, a in enumerate(gates):  # a holds x_t U, and then the gates
            np.multiply(h, keep[t], out=h_before[t])
            np.multiply(cell, keep[t], out=cell_before[t])
            a += np.matmul(h_before[t], A, out=product)
            a += b
            np.tanh(a, out=a)
            a[:, : 3 * n] += 1
            a[:, : 3 * n] *= 0.5
            i, f, o, g = self._split(a)
            cell = np.multiply(f, cell_before[t], out=new_cell)
            cell += np.multiply(i, g, out=i_g)
            h = np.multiply(o, np.tanh(cell, out=squashed[t]), out=outputs[t])
        final[:, :n] = h
        self._x, self._keep, self._gates, self._squashed = window, keep, gates, squashed
        self._h_before, self._cell_before = h_before, cell_before
        return outputs, final

    def _back_through_time(self, d_outputs: np.ndarray, d_final: np.ndarray) -> Window:
        n = self.n
        d_all = self.scratch("d_a", self._gates.shape, self.dtype)
        d_state = self.scratch("d_state", d_final.shape, self.dtype)
        d_state[...] = d_final
        d_h, d_cell = d_state[:, :n], d_state[:, n:]  # of all that later steps do with them
        d_seen = self.scratch("d_seen", d_h.shape, self.dtype)
        for t in reversed(range(len(d_all))):
            d_a, a, s = d_all[t], self._gates[t], self._squashed[t]
            i, f, o, g = self._split(a)
            d_i, d_f, d_o, d_g = self._split(d_a)
            d_h += d_outputs[t]
            # h = o s with s = tanh(cell): d_cell += d_h o (1 - s^2)
            np.multiply(s, s, out=d_seen)
            np.subtract(1, d_seen, out=d_seen)
            d_seen *= o
            d_seen *= d_h
            d_cell += d_seen
            # Derivatives of the nonlinearities: y (1 - y) of sigmoids, 1 - y^2 of tanh ...
            np.multiply(a, a, out=d_a)
            np.subtract(a[:, : 3 * n], d_a[:, : 3 * n], out=d_a[:, : 3 * n])
            np.subtract(1, d_g, out=d_g)
            # ... times the gradients of i, f, o and g
            d_i *= g
            d_i *= d_cell
            d_f *= self._cell_before[t]
            d_f *= d_cell
            d_o *= s
            d_o *= d_h
            d_g *= i
            d_g *= d_cell
            # On to the step before: cell = f cell_before + ..., a = h_before A + ...
            d_cell *= f
            np.matmul(d_a, self.params["A"].T, out=d_h)
            d_state *= self._keep[t]
        return d_all, d_state

    def _split(self, a: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return views of the four blocks of (B, 4 n)."""
        return tuple(a[:, k : k + self.n] for k in range(0, 4 * self.n, self.n))
