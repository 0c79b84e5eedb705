"""What the recurrent layers share: a window of time steps is one forward pass, and one backward.

In symbols, for every step t of a window, with the layer's step function f:

    a_t = x_t U + h_{t-1} A + b            what flows into the units
    state_t = f(a_t, state_{t-1})          of which h_t is the output

Two of its six matrix products have to wait for the step before: h_{t-1} A forward and d_a_t A'
backward. The others (x U, dU, dA and dx) are taken for all steps at once, which is faster.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from sgdni._util.arrays import Arrays, each, flat_rows
from sgdni._util.checks import check_array, check_count, check_same_shape
from sgdni._util.products import Product
from sgdni.layers.base import Layer

Window = tuple[np.ndarray, ...]  # (x, state) or (x, state, starts)


class Recurrent(Layer):
    """A layer that is carried through a window of T steps for B streams at once.

    ``forward((x, state))`` returns (outputs, final state), and ``backward((d_outputs,
    d_final_state))`` the gradients (d_x, d_state). So windows in a row are one long window: the
    final state of the first is the state of the second, and going back the second's d_state is the
    first's d_final_state.

    | array | shape |
    |---|---|
    | x, the window | (T, B, n_in) |
    | state, final state | (B, n_state) |
    | starts, optional third item for forward | (T, B) of bool |
    | outputs | (T, B, n) |

    Where an episode starts, the stream's state is zero before that step is taken, and no gradient
    flows from there to the steps before.

    Subclasses write ``forward`` and ``_back_through_time``.
    """

    # What `forward` remembers for the way back.
    _x: np.ndarray  # the window
    _h_before: np.ndarray  # (T, B, n), the h that enters each step

    def __init__(self, n_in: int, n: int, rng: np.random.Generator, *, blocks: int, n_state: int,
                 dtype: DTypeLike) -> None:
        super().__init__()
        name = type(self).__name__
        check_count(f"{name} n_in", n_in)
        check_count(f"{name} n", n)
        self.n_in, self.n, self.n_state, self.dtype = n_in, n, n_state, np.dtype(dtype)
        self._blocks = blocks
        width = blocks * n
        self.params = {
            "U": (rng.standard_normal((n_in, width)) / np.sqrt(n_in)).astype(dtype),
            "A": (rng.standard_normal((n, width)) / np.sqrt(n)).astype(dtype),
            "b": np.zeros(width, dtype),
        }
        self.grads = {name: np.zeros_like(p) for name, p in self.params.items()}

    def backward(self, dy: Window) -> Window:
        _, d_state = self.backward_params(dy)
        dx = self.scratch("dx", self._x.shape, self.dtype)
        np.matmul(flat_rows(self._d_a), self.params["U"].T, out=flat_rows(dx))
        return dx, d_state

    def backward_params(self, dy: Window) -> tuple[None, np.ndarray]:
        """Fill `grads`; return no d_x, but d_state (B, n_state): it falls out on the way."""
        self._check_cotangent(dy)
        self._d_a, d_state = self._back_through_time(*dy)
        d_a = flat_rows(self._d_a)
        np.matmul(flat_rows(self._x).T, d_a, out=self.grads["U"])
        np.matmul(flat_rows(self._h_before).T, d_a, out=self.grads["A"])
        np.matmul(np.ones(len(d_a), self.dtype), d_a, out=self.grads["b"])  # the sum of its rows
        return None, d_state

    def _back_through_time(self, d_outputs: np.ndarray, d_final: np.ndarray) -> Window:
        """Return the gradients of all a_t, (T, B, blocks n), and of the initial state."""
        raise NotImplementedError

    def products(self, batch_size: int) -> dict[str, list[Product]]:
        """As for other layers; `batch_size` counts rows, T * B of them in a window.

        The two that go step by step are counted as one of T * B rows, and ``dh`` among "params":
        without it only the last step's gradient would be known.
        """
        rows, n_in, n, width = batch_size, self.n_in, self.n, self._blocks * self.n
        return {"forward": [Product("x U", rows, n_in, width), Product("h A", rows, n, width)],
                "params": [Product("dh", rows, width, n, transposed="right"),
                           Product("dU", n_in, rows, width, transposed="left"),
                           Product("dA", n, rows, width, transposed="left")],
                "input": [Product("dx", rows, width, n_in, transposed="right")]}

    def _open(self, x: Arrays) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return window, state and, where there are any, starts."""
        name = type(self).__name__
        if not isinstance(x, tuple) or len(x) not in (2, 3):
            raise ValueError(f"{name} input: expected a tuple (window, state) or (window, state, "
                             f"starts), got {_spell(x)}")
        window, state = x[:2]
        check_array(f"{name} window", window)
        if window.ndim != 3 or window.shape[1] == 0 or window.shape[2] != self.n_in:
            raise ValueError(f"{name} window: expected shape (T, B, {self.n_in}) with T >= 1 and "
                             f"B >= 1, got {window.shape}")
        check_same_shape(f"{name} state", state, (window.shape[1], self.n_state))
        for what, array in (("window", window), ("state", state)):
            if array.dtype != self.dtype:
                raise ValueError(f"{name} {what}: expected dtype {self.dtype}, got {array.dtype}")
        if len(x) == 2:
            return window, state, None
        check_same_shape(f"{name} starts", x[2], window.shape[:2])
        if x[2].dtype != np.dtype(bool):
            raise ValueError(f"{name} starts: expected dtype bool, got {x[2].dtype}")
        return window, state, x[2]

    def _check_cotangent(self, dy: Arrays) -> None:
        name, (steps, streams, _) = type(self).__name__, self._x.shape
        if not isinstance(dy, tuple) or len(dy) != 2:
            raise ValueError(f"{name} cotangent: expected a tuple (d_outputs, d_final_state), got "
                             f"{_spell(dy)}")
        check_same_shape(f"{name} cotangent of the outputs", dy[0], (steps, streams, self.n))
        check_same_shape(f"{name} cotangent of the final state", dy[1], (streams, self.n_state))


def _spell(x: object) -> str:
    return f"{len(each(x))} of them" if isinstance(x, tuple) else type(x).__name__
