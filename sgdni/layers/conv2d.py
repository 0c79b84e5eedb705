"""Convolution over images: the same small dense layer at every place of an image."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from sgdni._util.arrays import column_sums, flat_rows
from sgdni._util.checks import check_count, check_images, check_same_shape
from sgdni._util.products import Product
from sgdni.layers.base import Layer
from sgdni.layers.patches import patches, slices


class Conv2D(Layer):
    """y[r, c] = sum over i, j of x[s r + i - p, s c + j - p] W[i, j], plus b, for every image.

    Images are (B, H, W, n_in), channels last: a pixel is a row of numbers, as an example is for a
    dense layer. y is (B, H', W', n_out), H' = (H + 2 p - k) // s + 1 and W' alike. Outside the
    image x is 0. (This is a cross-correlation, as everywhere in this field.)

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    size : int
        k: kernels are k x k.
    rng : numpy.random.Generator
        Draws W (k, k, n_in, n_out) with variance ``gain / (k k n_in)``; b (n_out,) starts at zero.
    stride, padding : int
        s, and p < k.
    gain, bias, dtype : as for Dense

    Raises
    ------
    ValueError
        For options out of range, and for images of the wrong shape or dtype, or smaller than a
        kernel.
    """

    def __init__(self, n_in: int, n_out: int, size: int, rng: np.random.Generator, *,
                 stride: int = 1, padding: int = 0, gain: float = 2.0, bias: bool = True,
                 dtype: DTypeLike = np.float32) -> None:
        super().__init__()
        for name, value in (("n_in", n_in), ("n_out", n_out), ("size", size), ("stride", stride)):
            check_count(f"Conv2D {name}", value)
        check_count("Conv2D padding", padding, 0, size - 1)
        self.n_in, self.n_out, self.size, self.dtype = n_in, n_out, size, np.dtype(dtype)
        self.stride, self.padding = stride, padding
        weights = rng.standard_normal((size, size, n_in, n_out))
        self.params["W"] = (weights * np.sqrt(gain / (size * size * n_in))).astype(dtype)
        if bias:
            self.params["b"] = np.zeros(n_out, dtype)
        self.grads = {name: np.zeros_like(p) for name, p in self.params.items()}

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        k, s, p = self.size, self.stride, self.padding
        check_images("Conv2D input", x, self.n_in, self.dtype, at_least=max(1, k - 2 * p))
        batch, height, width, _ = self._shape = x.shape
        self._x = self._framed("x", x, p, 1, (height + 2 * p, width + 2 * p))
        down, right = ((n + 2 * p - k) // s + 1 for n in (height, width))
        y = self.scratch("y", (batch, down, right, self.n_out), self.dtype)
        self._correlate(self._x, self.params["W"], s, y, self.params.get("b"))
        self._y_shape = y.shape
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        self.backward_params(dy)
        # A convolution once more: of dy, its places s apart, with every kernel turned round.
        k = self.size
        _, height, width, _ = self._shape
        apart = self._framed("dy", dy, k - 1 - self.padding, self.stride,
                             (height + k - 1, width + k - 1))
        dx = self.scratch("dx", self._shape, self.dtype)
        self._correlate(apart, self.params["W"][::-1, ::-1].swapaxes(2, 3), 1, dx)
        return dx

    def backward_params(self, dy: np.ndarray) -> None:
        check_same_shape("Conv2D cotangent", dy, self._y_shape)
        dW, db = self.grads["W"], self.grads.get("b")
        count = slices(self.size, self.stride, self.n_in)
        ones = count == 1 and db is not None  # then db is one row more of the product
        batch, down, right, n_out = dy.shape
        total = self.scratch("dW", (count, dW.size // n_out // count + ones, n_out), self.dtype)
        product = self.scratch("dW of an image", total.shape, self.dtype)
        total[...] = 0
        images = patches(self._x, self.size, self.stride, count, self.scratch, ones)
        for rows, d in zip(images, dy.reshape(batch, down * right, n_out), strict=True):
            total += np.matmul(rows.transpose(0, 2, 1), d, out=product)
        dW[...] = flat_rows(total)[: dW.size // n_out].reshape(dW.shape)
        if db is not None:
            db[...] = total[0, -1] if ones else column_sums(flat_rows(dy))

    def products(self, batch_size: int) -> dict[str, list[Product]]:
        """Counted for images of the size of the latest forward pass; nothing before it."""
        if not hasattr(self, "_shape"):
            return super().products(batch_size)
        places, k = batch_size * self._y_shape[1] * self._y_shape[2], self.size * self.size
        pixels = batch_size * self._shape[1] * self._shape[2]
        return {"forward": [Product("forward", places, k * self.n_in, self.n_out)],
                "params": [Product("dW", k * self.n_in, places, self.n_out, transposed="left")],
                "input": [Product("dx", pixels, k * self.n_out, self.n_in)]}

    def _correlate(self, images: np.ndarray, W: np.ndarray, stride: int, out: np.ndarray,
                   b: np.ndarray | None = None) -> None:
        """Put the products of all patches of the images with the kernels W, plus b, into `out`."""
        size, _, n_in, n_out = W.shape
        count, places = slices(size, stride, n_in), out.shape[1] * out.shape[2]
        kernels, ones = W.reshape(count, -1, n_out), False
        if b is not None and count == 1:
            kernels, ones = np.concatenate([kernels, b.reshape(1, 1, n_out)], axis=1), True
        product = self.scratch("product", (count, places, n_out), self.dtype)
        sliced = patches(images, size, stride, count, self.scratch, ones)
        for rows, y in zip(sliced, out.reshape(len(out), places, n_out), strict=True):
            if count == 1:
                np.matmul(rows[0], kernels[0], out=y)
                continue
            np.sum(np.matmul(rows, kernels, out=product), axis=0, out=y)
            if b is not None:
                y += b

    def _framed(self, name: str, images: np.ndarray, first: int, apart: int,
                size: tuple[int, int]) -> np.ndarray:
        """Return larger images with these in them, from pixel `first` on, and 0 elsewhere."""
        batch, height, width, n = images.shape
        frame = self.scratch(f"framed {name}", (batch, *size, n), self.dtype)
        frame[...] = 0
        inside = frame[:, first : first + apart * height : apart,
                       first : first + apart * width : apart]
        inside[...] = images
        return frame
