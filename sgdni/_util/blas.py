"""How many threads the matrix products use. Pinned explicitly wherever something is measured."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from threadpoolctl import threadpool_info, threadpool_limits

from sgdni._util.checks import check_count

MOST = 1024  # a C int would not hold any number


def blas_threads(count: int) -> AbstractContextManager[object]:
    """Let BLAS use `count` threads inside the ``with`` block, everywhere in this process.

    Without effect on Apple's Accelerate, which some NumPy builds for macOS use: there set
    ``VECLIB_MAXIMUM_THREADS`` before Python starts. `blas_libraries` is empty then.
    Raises ValueError for a count that is none.
    """
    check_count("threads of the matrix products", count, 1, MOST)
    return threadpool_limits(limits=count, user_api="blas")


def blas_libraries() -> list[dict[str, Any]]:
    """Return the BLAS libraries in this process: name, version, kernel, threads, file."""
    return [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
