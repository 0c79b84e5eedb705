"""A recurrent network: an LSTM, and above it a dense layer that reads its outputs at every tick."""

from __future__ import annotations

import numpy as np

from sgdni.layers import LSTM, Dense
from sgdni.losses import SoftmaxCrossEntropy
from sgdni.networks.interface import Interface
from sgdni.networks.module import Module
from sgdni.networks.network import Network
from sgdni.optimizers import Adam


def build_lstm(n_in: int, n: int, n_classes: int, rng: np.random.Generator, *, lr: float,
               forget_bias: float = 1.0, interface: Interface | None = None) -> Network:
    """Return two modules, each with an Adam, which make logits (T, B, n_classes) of a window.

    Labels of -1 ask nothing.

    Parameters
    ----------
    n : int
        Cells; the state is (B, 2 n).
    interface : Interface, optional
        In time, at the state after a window (see sgdni.schedules.Truncated).
    """
    core = Module([LSTM(n_in, n, rng, forget_bias=forget_bias)], Adam(lr), batch_axis=1)
    read_out = Module([Dense(n, n_classes, rng)], Adam(lr), batch_axis=1)
    return Network([core, read_out], SoftmaxCrossEntropy(ignore_index=-1),
                   [interface] if interface else [])
