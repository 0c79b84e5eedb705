"""What training sends from worker to worker: bytes of arrays for each minibatch, by hand."""

from __future__ import annotations

import numpy as np

from sgdni.data import Dataset
from sgdni.runs.methods import METHODS, build_network
from sgdni.runs.settings import Settings


def bytes_per_step(method: str, settings: Settings, data: Dataset) -> float:
    """Return the bytes that all links of a run together carry for one minibatch, on average.

    Upwards go h and the labels, with the contexts of SG models. Downwards go gradients of h's size:
    with synthetic gradients on every k-th minibatch, as targets, and none where a model wants none
    or the module above does not learn. Data-parallel workers send each other the gradients of all
    weights round a ring.
    """
    if settings.engine == "sequential":
        return 0.0
    known = METHODS.get(method, METHODS["backprop"])
    network = build_network(method if method in METHODS else "backprop", settings, data.n_features,
                            data.n_classes, np.random.default_rng(0), data.image_shape)
    if method == "data-parallel":
        weights = sum(p.nbytes for module in network.modules for p in module.params.values())
        return 2.0 * (len(network.modules) - 1) * weights
    h = np.zeros((settings.batch_size, data.n_features), settings.dtype)
    y = np.zeros(settings.batch_size, np.int64)
    contexts = {id(c): c.nbytes for c in network.context(h, y) if c is not None}
    down = [known.update_probability / settings.fit_every * one.model.wants_targets
            for one in network.interfaces] or [1.0] * (len(network.modules) - 1)
    total = 0.0
    for module, share in zip(network.modules[:-1], down, strict=True):
        h = module.forward(h, training=False)
        total += (1 + share) * h.nbytes + y.nbytes + sum(contexts.values())
    return total
