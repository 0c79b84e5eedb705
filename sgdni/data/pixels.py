"""Pixels: bytes as they are stored, floats as networks take them. They are scaled here alone."""

from __future__ import annotations

import numpy as np


def scale_pixels(x: np.ndarray, dtype: np.typing.DTypeLike = np.float32,
                 out: np.ndarray | None = None) -> np.ndarray:
    """Turn stored images into network input.

    Bytes 0..255 become 0..1; floats are only cast, since they are taken to be scaled already.

    Parameters
    ----------
    x : array, any shape, uint8 or floating
        Images, usually the rows of one minibatch, (B, n_0). Left as it is.
    dtype : floating dtype
    out : array of x's shape and of type `dtype`, optional
        Written to and returned. Without it a new array is, which shares no memory with `x`.

    Raises
    ------
    ValueError
        If `x` is neither uint8 nor floating, `dtype` is not floating, or `out` does not fit.
    """
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        raise ValueError(f"dtype: expected a floating type, got {dtype}")
    check_pixels("x", x)
    if out is None:
        out = np.empty(x.shape, dtype)
    elif out.shape != x.shape or out.dtype != dtype:
        raise ValueError(f"out: expected shape {x.shape} and type {dtype}, got {out.shape} and "
                         f"{out.dtype}")
    if x.dtype == np.uint8:
        return np.divide(x, dtype.type(255), out=out, dtype=dtype)
    np.copyto(out, x, casting="same_kind")
    return out


def check_pixels(name: str, x: np.ndarray) -> None:
    """Raise ValueError for values that cannot be an image's."""
    if x.dtype != np.uint8 and x.dtype.kind != "f":
        raise ValueError(f"{name}: expected uint8 or floating values, got {x.dtype}")
