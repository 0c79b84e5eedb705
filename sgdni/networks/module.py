"""A module: a stack of layers trained as a unit. Inside it plain backpropagation runs."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from sgdni._util.arrays import Arrays, each
from sgdni._util.checks import check_array
from sgdni._util.parts import parts
from sgdni.layers import Layer
from sgdni.optimizers import Optimizer


class Module:
    """h_i = f_i(h_{i-1}): layers applied in turn, with an optimiser of their own.

    Inputs and outputs are arrays, or tuples of arrays where layers take and return those.

    Parameters
    ----------
    layers : sequence of Layer, at least one
    optimizer : Optimizer
        Bound to this module's parameters here; not shared with another module.
    batch_axis : int
        The axis of the (first) input that counts examples: 1 for windows (T, B, n).

    Attributes
    ----------
    params, grads, buffers : dict of str to ndarray
        theta_i, its summed gradients and the running statistics, as ``"<layer>.<name>"``.
    """

    def __init__(self, layers: Sequence[Layer], optimizer: Optimizer, *,
                 batch_axis: int = 0) -> None:
        if not layers:
            raise ValueError("Module: expected at least one layer")
        self.layers = list(layers)
        self.params = self._collect("params")
        self.buffers = self._collect("buffers")
        self._grads = [
            (f"{i}.{name}", layer, name)
            for i, layer in enumerate(self.layers) for name in layer.params
        ]
        self.optimizer = optimizer
        optimizer.bind(self.params)
        self.batch_axis = batch_axis
        self._batch = 0
        self._shapes: list[tuple[int, ...]] = []

    @property
    def grads(self) -> dict[str, np.ndarray]:
        # Looked up anew each time: a layer may replace its gradient arrays.
        return {key: layer.grads[name] for key, layer, name in self._grads}

    def forward(self, x: Arrays, training: bool = True) -> Arrays:
        """Return h_i for h_{i-1}, as a rule (B, n_i) for (B, n_{i-1}); valid until the next one."""
        for array in each(x):
            check_array("Module input", array)
        self._batch = each(x)[0].shape[self.batch_axis]
        for layer in self.layers:
            x = layer.forward(x, training)
        self._shapes = [array.shape for array in each(x)]
        return x

    def backward(self, delta: Arrays, input_gradient: bool = True) -> Arrays | None:
        """Fill `grads` from delta_i, shaped as h_i; return delta_{i-1}, valid until the next call.

        With ``input_gradient=False`` None is returned and the product it costs is saved: for the
        lowest module, and when nobody below waits for a target. A module that takes (window, state)
        then returns (None, d_state), since its state's gradient falls out all the same.
        """
        shapes = [array.shape for array in each(delta)]
        if shapes != self._shapes:
            raise ValueError(
                f"Module cotangent: expected shape {_spell(self._shapes)} as the latest forward "
                f"pass returned, got {_spell(shapes)}"
            )
        for layer in reversed(self.layers[1:]):
            delta = layer.backward(delta)
        if input_gradient:
            return self.layers[0].backward(delta)
        return self.layers[0].backward_params(delta)

    def update(self) -> None:
        """Change theta_i from the gradients of the latest backward, averaged over the batch.

        `grads` are used up by it.
        """
        self.optimizer.step(self.grads, scale=1 / self._batch)

    def learn(self, delta: Arrays, input_gradient: bool = True) -> Arrays | None:
        """Backward and at once update: what a decoupled module does with its error signal.

        The returned delta_{i-1} was taken with the weights from before the update.
        """
        delta_below = self.backward(delta, input_gradient)
        self.update()
        return delta_below

    def twin(self) -> Module:
        """Return a module with the same parameters, statistics and optimiser, and a memory of its
        own for one forward pass: for whoever has several minibatches under way."""
        twin = copy.copy(self)
        twin.layers = [layer.twin() for layer in self.layers]
        twin._grads = [(key, twin.layers[int(key.split(".")[0])], name)
                       for key, _, name in self._grads]
        return twin

    def use(self, params: dict[str, np.ndarray], grads: dict[str, np.ndarray]) -> None:
        """Compute with these arrays, named as in `params`, instead of the module's own.

        For a copy of the module in another process: optimiser and checkpoints keep the old ones.

        Raises
        ------
        ValueError
            For a layer that keeps an old one in another attribute: it would go on with that.
        """
        old = [(f"{kind} {key}", array, new[key])
               for kind, arrays, new in (("parameter", self.params, params),
                                         ("gradient", self.grads, grads))
               for key, array in arrays.items()]
        for key, layer, name in self._grads:
            layer.params[name], layer.grads[name] = params[key], grads[key]
        self.params = dict(params)
        for layer in self.layers:
            for part in (part for part in parts(layer) if isinstance(part, np.ndarray)):
                for name, array, new in old:
                    if array is not new and np.may_share_memory(part, array):
                        raise ValueError(
                            f"{type(layer).__name__}: expected a layer that looks its arrays up in "
                            f"self.params and self.grads at each call, got one that keeps {name} "
                            f"elsewhere too"
                        )

    def state(self) -> dict[str, np.ndarray]:
        """Every array that training changes, live (not copies): weights, statistics, optimiser."""
        return {
            **{f"params.{k}": v for k, v in self.params.items()},
            **{f"buffers.{k}": v for k, v in self.buffers.items()},
            **{f"optimizer.{k}": v for k, v in self.optimizer.state.items()},
        }

    def _collect(self, kind: str) -> dict[str, np.ndarray]:
        return {
            f"{i}.{name}": array
            for i, layer in enumerate(self.layers)
            for name, array in getattr(layer, kind).items()
        }


def _spell(shapes: list[tuple[int, ...]]) -> str:
    return " and ".join(map(str, shapes)) or "none (nothing has run forward)"
