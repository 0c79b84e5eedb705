"""A module: a stack of layers trained as a unit. Inside it plain backpropagation runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sgdni.checks import check_batch
from sgdni.layers import Layer
from sgdni.optimizers import Optimizer


class Module:
    """h_i = f_i(h_{i-1}): layers applied in turn, with an optimiser of their own.

    Parameters
    ----------
    layers : sequence of Layer, at least one
    optimizer : Optimizer
        Bound to this module's parameters here; not shared with another module.

    Attributes
    ----------
    params, grads, buffers : dict of str to ndarray
        theta_i, its summed gradients and the running statistics, as ``"<layer>.<name>"``.
    """

    def __init__(self, layers: Sequence[Layer], optimizer: Optimizer) -> None:
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
        self._batch = 0

    @property
    def grads(self) -> dict[str, np.ndarray]:
        # Looked up anew each time: a layer may replace its gradient arrays.
        return {key: layer.grads[name] for key, layer, name in self._grads}

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        """Return h_i (B, n_i) for h_{i-1} (B, n_{i-1}); valid until the next forward."""
        check_batch("Module input", x, None, None)
        self._batch = len(x)
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, delta: np.ndarray, input_gradient: bool = True) -> np.ndarray | None:
        """Fill `grads` from delta_i (B, n_i) and return delta_{i-1}, valid until the next call.

        With ``input_gradient=False`` nothing is returned and the product it costs is saved: for
        the lowest module, and when nobody below waits for a target.
        """
        if len(delta) != self._batch:
            raise ValueError(
                f"Module cotangent: expected the {self._batch} rows of the latest forward pass, "
                f"got {len(delta)}"
            )
        for layer in reversed(self.layers[1:]):
            delta = layer.backward(delta)
        if input_gradient:
            return self.layers[0].backward(delta)
        self.layers[0].backward_params(delta)
        return None

    def update(self) -> None:
        """Change theta_i from the gradients of the latest backward, averaged over the batch.

        `grads` are used up by it.
        """
        self.optimizer.step(self.grads, scale=1 / self._batch)

    def learn(self, delta: np.ndarray, input_gradient: bool = True) -> np.ndarray | None:
        """Backward and at once update: what a decoupled module does with its error signal.

        The returned delta_{i-1} was taken with the weights from before the update.
        """
        delta_below = self.backward(delta, input_gradient)
        self.update()
        return delta_below

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
