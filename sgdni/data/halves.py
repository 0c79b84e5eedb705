"""Smaller images of the same things, for whoever has little time: of 2 x 2 pixels the mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sgdni.data.dataset import Dataset
from sgdni.data.sums import SumsDataset


def halved(data: Dataset) -> Dataset:
    """Return the data set with images of half the height and width, of the same type.

    Of pairs of digits the digits are halved, and new pairs made of them; always the same ones for
    the test.

    Raises
    ------
    ValueError
        For a data set without an `image_shape`, or with an odd height or width.
    """
    if data.image_shape is None or any(n % 2 for n in data.image_shape[:2]):
        raise ValueError(f"{data.name}: expected images of even height and width, got "
                         f"{data.image_shape or 'no images'}")
    if isinstance(data, SumsDataset):
        return SumsDataset.draw(data.name, halved(data.digits), len(data.x_train),
                                len(data.x_test), data.side // 2, data.target_accuracy,
                                np.random.default_rng(0))
    height, width, channels = data.image_shape

    def smaller(x: np.ndarray) -> np.ndarray:
        squares = x.reshape(-1, height // 2, 2, width // 2, 2, channels)
        return squares.mean(axis=(2, 4), dtype=np.float32).astype(x.dtype).reshape(len(x), -1)

    return replace(data, x_train=smaller(data.x_train), x_test=smaller(data.x_test),
                   image_shape=(height // 2, width // 2, channels))
