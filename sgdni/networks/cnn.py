"""Build the convolutional network of the experiments, cut into modules."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import DTypeLike

from sgdni.layers import BatchNorm, Conv2D, Dense, Flatten, Layer, MaxPool2D, Unflatten
from sgdni.networks.blocks import ACTIVATIONS, check_activation, cut, hidden_block
from sgdni.networks.module import Module
from sgdni.optimizers import Optimizer

KERNEL, POOLED = 5, 2  # width of the kernels; so many blocks halve the image
DENSE = 128  # units of the dense layer above the convolutions
Shape = tuple[int, int, int]  # height, width, channels


def image_shapes(image: Shape, channels: Sequence[int]) -> list[Shape]:
    """Return what leaves each hidden layer. Raises ValueError for images too small to be halved."""
    if not channels:
        raise ValueError("network cnn: expected channels of at least one hidden layer, got none")
    shapes, (height, width, _) = [], image
    for k, n in enumerate(channels):
        if k < POOLED:
            height, width = height // 2, width // 2
        if not height or not width:
            raise ValueError(f"network cnn: expected images of at least {2**POOLED} x {2**POOLED} "
                             f"pixels, got {image[0]} x {image[1]}")
        shapes.append((height, width, n))
    return shapes


def build_cnn(image: Shape, channels: Sequence[int], n_out: int, rng: np.random.Generator,
              make_optimizer: Callable[[], Optimizer], *, cuts: Sequence[int] | None = None,
              activation: str = "relu", batch_norm: bool = True,
              dtype: DTypeLike = np.float32) -> list[Module]:
    """Return the modules of a convolutional network, bottom to top.

    Every hidden layer is a 5 x 5 convolution that keeps the size of the image, batch normalisation
    if asked for, and the nonlinearity; the lowest two end with a 2 x 2 maximum, so that interfaces
    stand where images are small. The top module ends with a hidden dense layer of 128 units, which
    sees all that is left, and the output layer.

    Parameters
    ----------
    image : (height, width, channels)
        Of the input, whose rows (B, height * width * channels) hold it row by row.
    channels : of the hidden layers
    n_out, rng, make_optimizer, cuts, activation, batch_norm, dtype : as for build_mlp

    Raises
    ------
    ValueError
        For cuts out of range or out of order, an unknown activation, and images too small.
    """
    check_activation(activation)
    nonlinearity, gain = ACTIVATIONS[activation]
    shapes = image_shapes(image, channels)
    blocks: list[list[Layer]] = []
    for k, (n_in, n) in enumerate(zip([image[2], *channels], channels, strict=False)):
        convolution = Conv2D(n_in, n, KERNEL, rng, padding=KERNEL // 2, gain=gain,
                             bias=not batch_norm, dtype=dtype)
        normalisation = [BatchNorm(n, dtype=dtype)] if batch_norm else []
        pooling = [MaxPool2D(2)] if k < POOLED else []
        blocks.append([convolution, *normalisation, nonlinearity(), *pooling])
    blocks[0].insert(0, Unflatten(*image))
    dense = hidden_block(math.prod(shapes[-1]), DENSE, rng, activation=activation,
                         batch_norm=batch_norm, dtype=dtype)
    blocks.append([Flatten(), *dense, Dense(DENSE, n_out, rng, gain=1.0, dtype=dtype)])
    return cut(blocks, cuts, make_optimizer)
