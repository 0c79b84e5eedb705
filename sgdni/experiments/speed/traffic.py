"""What training sends from worker to worker: bytes of arrays for each minibatch, by hand."""

from __future__ import annotations

import numpy as np

from sgdni.data import Dataset
from sgdni.runs.methods import lookup
from sgdni.runs.settings import Settings


def bytes_per_step(method: str, settings: Settings, data: Dataset) -> float:
    """Return the bytes that all links of a run together carry for one minibatch, on average.

    Upwards go h and the labels, with a context for SG models. Downwards go gradients of h's size:
    with synthetic gradients on every k-th minibatch, as targets, and none where models want none.
    Data-parallel workers send each other the gradients of all weights round a ring.
    """
    if settings.engine == "sequential":
        return 0.0
    size, number = settings.batch_size, np.dtype(settings.dtype).itemsize
    widths = [settings.hidden[cut - 1] for cut in settings.interfaces]
    if method == "data-parallel":
        layers = [data.n_features, *settings.hidden, data.n_classes]
        weights = sum((n_in + 2) * n_out if settings.batch_norm and k < len(settings.hidden)
                      else (n_in + 1) * n_out
                      for k, (n_in, n_out) in enumerate(zip(layers[:-1], layers[1:], strict=True)))
        return 2.0 * len(widths) * weights * number
    labels = size * np.dtype(np.int64).itemsize
    if not lookup(method).decoupled:
        return float(sum(2 * size * n * number + labels for n in widths))
    down = 0.0 if method == "local-loss" else 1 / settings.fit_every
    context = 0 if method == "dni" else size * data.n_classes * number
    return float(sum((1 + down) * size * n * number + labels + context for n in widths))
