"""Checks at the public entrances: a wrong array is refused with what was expected and what came.

They look at shapes and dtypes only, which costs nothing next to a matrix product. Values are
checked once, where data enters (``check_finite``, ``check_labels``), and watched while training
by :mod:`sgdni.schedules.divergence`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np


def check_array(name: str, x: np.ndarray) -> None:
    """Refuse anything but an array (B, ...), B >= 1. Raises ValueError."""
    if not isinstance(x, np.ndarray):
        raise ValueError(f"{name}: expected a NumPy array, got {type(x).__name__}")
    if x.ndim == 0 or len(x) == 0:
        raise ValueError(f"{name}: expected shape (B, ...) with B >= 1, got {x.shape}")


def check_matrix(name: str, x: np.ndarray) -> None:
    """Refuse anything but an array (B, n), or with more axes before n. Raises ValueError."""
    check_array(name, x)
    if x.ndim < 2:
        raise ValueError(f"{name}: expected shape (B, n) with B >= 1, got {x.shape}")


def check_batch(name: str, x: np.ndarray, width: int, dtype: np.dtype, *,
                more_axes: bool = False) -> None:
    """Refuse anything but a (B, width) array of `dtype`, B >= 1. Raises ValueError.

    With `more_axes` there may be more of them before the last.
    """
    check_array(name, x)
    if x.ndim < 2 or (x.ndim > 2 and not more_axes) or x.shape[-1] != width:
        raise ValueError(f"{name}: expected shape (B, {width}) with B >= 1, got {x.shape}")
    if x.dtype != dtype:
        raise ValueError(f"{name}: expected dtype {np.dtype(dtype)}, got {x.dtype}")


def check_images(name: str, x: np.ndarray, channels: int | None = None,
                 dtype: np.dtype | None = None, *, at_least: int = 1) -> None:
    """Refuse anything but images (B, H, W, channels) with H and W `at_least` so many pixels.

    None: any number of channels, any dtype. Raises ValueError.
    """
    check_array(name, x)
    if x.ndim != 4 or x.shape[3] != (channels or x.shape[3]):
        raise ValueError(f"{name}: expected images (B, H, W, {channels or 'C'}), got {x.shape}")
    if dtype is not None and x.dtype != dtype:
        raise ValueError(f"{name}: expected dtype {np.dtype(dtype)}, got {x.dtype}")
    if min(x.shape[1:3]) < at_least:
        raise ValueError(f"{name}: expected images of at least {at_least} x {at_least} pixels, "
                         f"got {x.shape[1]} x {x.shape[2]}")


def check_same_shape(name: str, x: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuse an array whose shape is not exactly `shape`. Raises ValueError."""
    if np.shape(x) != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {np.shape(x)}")


def check_finite(name: str, x: np.ndarray) -> None:
    """Refuse NaN and infinity, saying how many and where the first is. Raises ValueError."""
    finite = np.isfinite(x)
    if not finite.all():
        first = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(f"{name}: expected finite values, got {int((~finite).sum())} non-finite, "
                         f"the first at index {first}")


def check_labels(name: str, y: Any, shape: tuple[int, ...], n_classes: int) -> None:
    """Refuse anything but integers in 0 .. n_classes - 1 of that shape. Raises ValueError."""
    kind: Any = getattr(y, "dtype", type(y).__name__)
    if not isinstance(y, np.ndarray) or kind.kind not in "iu":
        raise ValueError(f"{name}: expected an array of integer labels, got {kind}")
    check_same_shape(name, y, shape)
    if y.size and (y.min() < 0 or y.max() >= n_classes):
        raise ValueError(f"{name}: expected labels in 0..{n_classes - 1}, "
                         f"got {int(y.min())}..{int(y.max())}")


def check_range(name: str, value: float, low: float, high: float, *, open_low: bool = False,
                open_high: bool = False) -> None:
    """Refuse a number outside [low, high] (ends excluded where told). Raises ValueError."""
    above = value > low if open_low else value >= low
    below = value < high if open_high else value <= high
    if not (above and below):
        wanted = f"in {'(' if open_low else '['}{low}, {high}{')' if open_high else ']'}"
        if high == np.inf:
            wanted = f"{'above' if open_low else 'of at least'} {low}"
        kind = "finite number" if high == np.inf and open_high else "number"
        raise ValueError(f"{name}: expected a {kind} {wanted}, got {value}")


def check_count(name: str, value: int, low: int = 1, high: float = np.inf) -> None:
    """Refuse anything but a whole number in [low, high]. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name}: expected a whole number, got {value!r}")
    check_range(name, value, low, high)


def check_each_once(name: str, values: Iterable[Hashable]) -> None:
    """Refuse a value that is there twice. Raises ValueError."""
    for value, count in Counter(values).items():
        if count > 1:
            raise ValueError(f"{name}: expected each once, got {value} {count} times")
