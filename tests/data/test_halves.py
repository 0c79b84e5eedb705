"""Images of half the size: means of squares, also of pairs of digits."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.data import Dataset, load
from sgdni.data.halves import halved


def test_a_pixel_is_the_mean_of_four():
    x = np.arange(2 * 4 * 6, dtype=np.float64).reshape(2, 24)
    small = halved(Dataset("a", x, np.zeros(2, int), x, np.ones(2, int), 2, None, (4, 6, 1)))
    assert small.image_shape == (2, 3, 1) and small.x_train.dtype == np.float64
    squares = [[x[0].reshape(4, 6)[r : r + 2, c : c + 2].mean() for c in (0, 2, 4)] for r in (0, 2)]
    np.testing.assert_allclose(small.x_train[0].reshape(2, 3), squares)
    assert small.y_test.tolist() == [1, 1]


def test_pairs_are_made_of_halved_digits():
    data = halved(load("mnist-5k-sum"))
    assert data.image_shape == (14, 28, 1) and data.x_train.dtype == np.uint8
    digits = halved(load("mnist-5k")).x_test.reshape(-1, 14, 14)
    left = data.x_test[0].reshape(14, 28)[:, :14]
    assert any(np.array_equal(left, digit) for digit in digits)
    again = halved(load("mnist-5k-sum"))
    np.testing.assert_array_equal(again.x_test, data.x_test)
    x, y = data.examples().take(data.examples().order(np.random.default_rng(0))[:5],
                                np.empty((5, 392), np.float32))
    assert x.shape == (5, 392) and x.max() <= 1 and set(y) <= set(range(10))


@pytest.mark.parametrize("shape", [None, (3, 8, 1)])
def test_what_cannot_be_halved_is_refused(shape):
    x = np.zeros((2, 24), np.uint8)
    with pytest.raises(ValueError, match="expected images of even height and width"):
        halved(Dataset("a", x, np.zeros(2, int), x, np.zeros(2, int), 2, None, shape))
