"""Arrays in memory that forked processes share."""

from __future__ import annotations

import mmap

import numpy as np


def shared_zeros(shape: tuple[int, ...], dtype: type | np.dtype = float) -> np.ndarray:
    """Return zeros that a process forked later reads and writes as its parent does."""
    dtype, count = np.dtype(dtype), int(np.prod(shape))
    memory = mmap.mmap(-1, max(1, count * dtype.itemsize))
    return np.frombuffer(memory, dtype, count).reshape(shape)
