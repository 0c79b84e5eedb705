"""What a layer is: a function of a batch, its parameters, and an exact vector-Jacobian product.

A layer remembers its latest forward pass and nothing more. That is enough where a module handles
one minibatch at a time: forward and, at once, backward. Where it has several under way, as with
delayed gradients, each has a `twin` of the layer. For a recurrent layer a window of time steps is
one forward pass.

Write a layer of your own by subclassing :class:`Layer`, and check it with
:func:`sgdni.gradcheck.check_layer` or ``pytest tests/gradcheck --layer mymodule:MyLayer``.
"""

from __future__ import annotations

import copy
from typing import NoReturn

import numpy as np

from sgdni._util.arrays import Arrays
from sgdni._util.products import Product


class Layer:
    """A differentiable map from one array to another, as a rule from (B, n_in) to (B, n_out).

    The first axis counts the examples. Where one array is not enough, x is a tuple of them: a
    recurrent layer takes a window (T, B, n_in) and its initial state (B, m), returns the outputs
    and the final state, and its backward takes and returns the gradients of the same.

    Attributes
    ----------
    params : dict of str to ndarray
        Trained arrays, changed in place by the optimiser.
    grads : dict of str to ndarray
        Same keys and shapes: the gradient of ``sum(y * dy)`` with respect to each parameter,
        **summed** over the batch (the exact vector-Jacobian product). The one division by B
        happens in :meth:`sgdni.networks.module.Module.update`.
    buffers : dict of str to ndarray
        Arrays that are part of the model but not trained (running statistics).

    Notes
    -----
    The arrays that `forward` and `backward` return belong to the layer and are overwritten by its
    next call. Whoever keeps one, or sends it to another worker, keeps or sends a copy.

    A layer looks its arrays up in `params`, `grads` and `buffers` at each call and keeps no
    reference of its own: others may stand there tomorrow (see `Module.use`). What it remembers of
    a forward pass is in attributes whose names begin with an underscore; the other attributes are
    its options.
    """

    def __init__(self) -> None:
        self.params: dict[str, np.ndarray] = {}
        self.grads: dict[str, np.ndarray] = {}
        self.buffers: dict[str, np.ndarray] = {}
        self._work: dict[str, np.ndarray] = {}

    def __getattr__(self, name: str) -> NoReturn:
        # Reached only for what is not there: as a rule what Layer.__init__ would have made.
        cause = ""
        if name in ("params", "grads", "buffers", "_work"):
            cause = ": its __init__ must call super().__init__() first"
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{cause}")

    def forward(self, x: Arrays, training: bool = True) -> Arrays:
        """Return y (B, n_out) for x (B, n_in), remembering what `backward` needs."""
        raise NotImplementedError

    def backward(self, dy: Arrays) -> Arrays:
        """Return dx (B, n_in) for the cotangent dy (B, n_out), and fill `grads`."""
        raise NotImplementedError

    def backward_params(self, dy: Arrays) -> tuple[None | np.ndarray, ...] | None:
        """Fill `grads` only: the lowest layer of a network has nobody below who wants dx.

        A layer whose dx costs a matrix product overrides this to save it. A recurrent layer
        returns (None, d_state): the window is data, but who carries the state from one window to
        the next wants its gradient, which costs nothing more.
        """
        dx = self.backward(dy)
        return (None, *dx[1:]) if isinstance(dx, tuple) else None

    def twin(self) -> Layer:
        """Return a layer with the same parameters, and a memory of its own for a forward pass.

        However that memory is kept: all is copied but the arrays of the model and the generators,
        of which a copy would draw the same numbers again.
        """
        shared = [part for arrays in (self.params, self.grads, self.buffers)
                  for part in (arrays, *arrays.values())]
        shared += [part for part in vars(self).values() if isinstance(part, np.random.Generator)]
        return copy.deepcopy(self, {id(part): part for part in shared})

    def products(self, batch_size: int) -> dict[str, list[Product]]:
        """Return the matrix products of "forward" and, backward, for "params" and for "input"."""
        return {"forward": [], "params": [], "input": []}

    def scratch(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return an uninitialised work array, the same one each time while `shape` is the same."""
        array = self._work.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            array = self._work[name] = np.empty(shape, dtype)
        return array
