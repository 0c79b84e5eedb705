"""Pooling: of every k x k pixels of an image the largest one, or their mean, channel by channel.

Either is taken down the columns first, and then along the rows of what is left: 2 k numbers for
every place instead of k^2.
"""

from __future__ import annotations

import numpy as np

from sgdni._util.checks import check_count, check_images, check_same_shape
from sgdni.layers.base import Layer

DOWN, RIGHT = 1, 2  # axes of images


class Pool2D(Layer):
    """From images (B, H, W, C) to (B, H', W', C), H' = (H - k) // s + 1 and W' alike.

    Pixels at the right and lower edge that fill no k x k square any more are left out.

    Parameters
    ----------
    size : int
        k.
    stride : int, optional
        s; by default k, so that no pixel is in two squares.

    Raises
    ------
    ValueError
        For options out of range, and for images smaller than k x k.
    """

    def __init__(self, size: int, *, stride: int | None = None) -> None:
        super().__init__()
        self.size, self.stride = size, size if stride is None else stride
        for name, value in (("size", self.size), ("stride", self.stride)):
            check_count(f"{type(self).__name__} {name}", value)

    def forward(self, x: np.ndarray, training: bool = True) -> np.ndarray:
        check_images(f"{type(self).__name__} input", x, at_least=self.size)
        self._passed = {}  # axis: what was pooled along it, and what came out
        for axis in (DOWN, RIGHT):
            members = self._members(axis, x)
            y = self.scratch(f"y{axis}", members[0].shape, x.dtype)
            self._pool(members, y)
            self._passed[axis] = x, y
            x = y
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        check_same_shape(f"{type(self).__name__} cotangent", dy, self._passed[RIGHT][1].shape)
        for axis in (RIGHT, DOWN):
            x, y = self._passed[axis]
            dx = self.scratch(f"dx{axis}", x.shape, dy.dtype)
            dx[...] = 0
            self._share(dy, self._members(axis, dx), self._members(axis, x), y)
            dy = dx
        return dx

    def _members(self, axis: int, x: np.ndarray) -> list[np.ndarray]:
        """Return, as views, the first, second, ... k-th members of all groups along an axis."""
        last = (x.shape[axis] - self.size) // self.stride * self.stride
        before = (slice(None),) * axis
        return [x[(*before, slice(i, i + last + 1, self.stride))] for i in range(self.size)]

    def _pool(self, members: list[np.ndarray], y: np.ndarray) -> None:
        """Fill y from the members of each group."""
        raise NotImplementedError

    def _share(self, dy: np.ndarray, d_members: list[np.ndarray], members: list[np.ndarray],
               y: np.ndarray) -> None:
        """Add to the members' gradients what each of them has of dy."""
        raise NotImplementedError


class AvgPool2D(Pool2D):
    """The mean of every k x k square of pixels."""

    def _pool(self, members: list[np.ndarray], y: np.ndarray) -> None:
        y[...] = members[0]
        for member in members[1:]:
            y += member
        y *= 1 / self.size

    def _share(self, dy: np.ndarray, d_members: list[np.ndarray], members: list[np.ndarray],
               y: np.ndarray) -> None:
        share = np.multiply(dy, 1 / self.size, out=self.scratch("share", dy.shape, dy.dtype))
        for d_member in d_members:
            d_member += share


class MaxPool2D(Pool2D):
    """The largest of every k x k square of pixels; of equal ones the leftmost learns,
    and of those the uppermost."""

    def _pool(self, members: list[np.ndarray], y: np.ndarray) -> None:
        y[...] = members[0]
        for member in members[1:]:
            np.maximum(y, member, out=y)

    def _share(self, dy: np.ndarray, d_members: list[np.ndarray], members: list[np.ndarray],
               y: np.ndarray) -> None:
        left = self.scratch("left", dy.shape, dy.dtype)  # what nobody has taken yet
        left[...] = dy
        largest = self.scratch("largest", dy.shape, np.dtype(bool))
        part = self.scratch("part", dy.shape, dy.dtype)
        for member, d_member in zip(members[:-1], d_members[:-1], strict=True):
            np.equal(member, y, out=largest)
            np.multiply(left, largest, out=part)
            d_member += part
            left -= part
        d_members[-1] += left
