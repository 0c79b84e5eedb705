"""What the hidden layers of a network say of some inputs: for similarity and probes."""

from __future__ import annotations

import numpy as np

from sgdni._util.arrays import flat_examples
from sgdni.data import scale_pixels
from sgdni.networks import Network


def hidden_layers(network: Network, x: np.ndarray, dtype: np.dtype = np.float32
                  ) -> list[np.ndarray]:
    """Return what every layer with weights W is given, the input aside: (N, n) each, bottom up.

    So h after normalisation, nonlinearity and pooling, wherever the network is cut. Images, (N, H,
    W, C), come flat. x (N, n_0) may be bytes, as data sets hold them. In evaluation mode; nothing
    is changed.
    """
    h, found = scale_pixels(x, dtype), []
    for layer in (layer for module in network.modules for layer in module.layers):
        if "W" in layer.params:
            found.append(flat_examples(h).copy())
        h = layer.forward(h, training=False)
    return found[1:]
