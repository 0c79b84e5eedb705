"""Build the multilayer perceptron of the experiments, cut into modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import DTypeLike

from sgdni.layers import Dense
from sgdni.networks.blocks import check_activation, cut, hidden_block
from sgdni.networks.module import Module
from sgdni.optimizers import Optimizer


def build_mlp(n_in: int, hidden: Sequence[int], n_out: int, rng: np.random.Generator,
              make_optimizer: Callable[[], Optimizer], *, cuts: Sequence[int] | None = None,
              activation: str = "relu", batch_norm: bool = True,
              dtype: DTypeLike = np.float32) -> list[Module]:
    """Return the modules of an MLP, bottom to top.

    Parameters
    ----------
    n_in, hidden, n_out : widths
    rng : numpy.random.Generator
        Draws the weights, bottom to top: the same for every choice of cuts.
    make_optimizer : callable
        Called once for each module.
    cuts : increasing sequence of int in 1 .. len(hidden), optional
        ``cuts=[1, 3]`` puts interfaces after the first and the third hidden layer. By default one
        after each. The output layer belongs to the top module.

    Raises
    ------
    ValueError
        For cuts out of range or out of order, and for an unknown activation.
    """
    check_activation(activation)
    widths = [n_in, *hidden]
    blocks = [
        hidden_block(a, b, rng, activation=activation, batch_norm=batch_norm, dtype=dtype)
        for a, b in zip(widths[:-1], widths[1:], strict=True)
    ]
    blocks.append([Dense(widths[-1], n_out, rng, gain=1.0, dtype=dtype)])
    return cut(blocks, cuts, make_optimizer)
