"""Loss and accuracy on data that training does not see, with batch norm in evaluation mode."""

from __future__ import annotations

import numpy as np

from sgdni.data import scale_pixels
from sgdni.networks import Network


def evaluate(network: Network, x: np.ndarray, y: np.ndarray, dtype: np.dtype = np.float32,
             batch_size: int = 250) -> tuple[float, float]:
    """Return (mean loss, share classified right) over x (N, n_0) and labels y (N,).

    Layers keep what they wrote for the latest batch, so a small `batch_size` bounds what a
    network holds on to afterwards: convolutions have .4 MB an image.
    """
    loss, right = 0.0, 0
    for start in range(0, len(x), batch_size):
        labels = y[start : start + batch_size]
        h = network.forward(scale_pixels(x[start : start + batch_size], dtype))
        losses, _ = network.loss(h, labels)
        loss += float(losses.sum())
        right += int((h.argmax(axis=1) == labels).sum())
    return loss / len(x), right / len(x)
