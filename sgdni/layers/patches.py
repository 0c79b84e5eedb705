"""The patches of an image as rows of a matrix, so that a convolution is a matrix product.

All k x k patches of an image hold each of its numbers up to k^2 times. But the patch one row
further down holds k - 1 of the same rows: so only the k neighbours *along* a row of the image are
laid out, and the product is taken in k slices, one for each row of the kernel, from the same
matrix at k offsets. Where such slices would be too thin to be worth a product, patches are whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided

THIN = 64  # numbers in a slice


def slices(size: int, stride: int, n: int) -> int:
    """Return in how many slices patches of images with n channels are best taken: 1 or k."""
    return 1 if stride > 1 or size * n < THIN else size


def patches(images: np.ndarray, size: int, stride: int, count: int,
            scratch: Callable[..., np.ndarray], ones: bool = False) -> Iterator[np.ndarray]:
    """Yield, for one image of (B, H, W, n) after another, its patches in `count` slices.

    With `ones` each whole patch has one number more, a 1 for the bias to act on.

    Returns
    -------
    arrays (count, H' W', k k n / count)
        The same one each time, so to be used at once. Row r W' + c of slice i belongs to the patch
        whose first pixel is (s r, s c): the whole of it, or its row i.
    """
    batch, height, width, n = images.shape
    down, right = ((length - size) // stride + 1 for length in (height, width))
    image, row, pixel, number = images.strides
    if count == 1:  # patches as columns, which are copied faster when they are thin
        columns = scratch("patches", (size * size * n + ones, down * right), images.dtype)
        columns[size * size * n :] = 1
        laid_out = columns[: size * size * n].reshape(size, size, n, down, right)
        view = as_strided(images, (batch, *laid_out.shape),
                          (image, row, pixel, number, stride * row, stride * pixel),
                          writeable=False)
        sliced = columns.T[None]
    else:
        laid_out = scratch("patches", (height, right, size * n), images.dtype)
        view = as_strided(images, (batch, *laid_out.shape), (image, row, pixel, number),
                          writeable=False)
        down_one = laid_out.strides[0]
        sliced = as_strided(laid_out, (count, down * right, size * n),
                            (down_one, down_one // right, number), writeable=False)
    for neighbours in view:
        np.copyto(laid_out, neighbours)
        yield sliced
