"""Hidden layers as blocks of layers, and how a stack of them is cut into modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import DTypeLike

from sgdni.layers import BatchNorm, Dense, Layer, ReLU, Sigmoid, Tanh
from sgdni.networks.module import Module
from sgdni.optimizers import Optimizer

#: name: (layer, gain of the weights below it)
ACTIVATIONS = {"relu": (ReLU, 2.0), "tanh": (Tanh, 1.0), "sigmoid": (Sigmoid, 1.0)}


def check_activation(name: str) -> None:
    """Refuse an unknown one. Raises ValueError."""
    if name not in ACTIVATIONS:
        raise ValueError(f"activation: expected one of {', '.join(ACTIVATIONS)}, got {name}")


def hidden_block(n_in: int, n_out: int, rng: np.random.Generator, *, activation: str = "relu",
                 batch_norm: bool = True, dtype: DTypeLike = np.float32) -> list[Layer]:
    """Return Dense, batch normalisation if asked for, and the nonlinearity: one hidden layer."""
    nonlinearity, gain = ACTIVATIONS[activation]
    dense = Dense(n_in, n_out, rng, gain=gain, bias=not batch_norm, dtype=dtype)
    normalisation = [BatchNorm(n_out, dtype=dtype)] if batch_norm else []
    return [dense, *normalisation, nonlinearity()]


def cut(blocks: Sequence[list[Layer]], cuts: Sequence[int] | None,
        make_optimizer: Callable[[], Optimizer]) -> list[Module]:
    """Return the modules that blocks make, one for each hidden layer and one for the output.

    Parameters
    ----------
    blocks : bottom to top
    cuts : increasing sequence of int in 1 .. len(blocks) - 1, or None
        ``[1, 3]`` puts interfaces after the first and the third hidden layer, None one after each.
        The output layer belongs to the top module.
    make_optimizer : callable
        Called once for each module.

    Raises
    ------
    ValueError
        For cuts out of range or out of order.
    """
    hidden = len(blocks) - 1
    cuts = list(range(1, hidden + 1)) if cuts is None else list(cuts)
    if cuts != sorted(set(cuts)) or any(not 1 <= after <= hidden for after in cuts):
        raise ValueError(f"cuts: expected increasing numbers in 1..{hidden} (hidden layers), "
                         f"got {cuts}")
    edges = [0, *cuts, len(blocks)]
    return [Module([layer for block in blocks[low:high] for layer in block], make_optimizer())
            for low, high in zip(edges[:-1], edges[1:], strict=True)]
