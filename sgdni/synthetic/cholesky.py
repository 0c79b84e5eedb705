"""Solve S W = T for symmetric positive definite S, with nearly all the work in matrix products.

NumPy has a Cholesky factorisation but no triangular solve, and ``np.linalg.solve`` runs far below
the speed of a product at the sizes of an interface. Inverting the factor block by block takes less
than half the time, which decides how often an SG model can afford fresh weights.
"""

from __future__ import annotations

import numpy as np

BLOCK = 48  # below this a direct inverse is faster than splitting further


def solve_positive_definite(S: np.ndarray, T: np.ndarray) -> np.ndarray:
    """Return W (m, n) with S W = T for S (m, m) and T (m, n), through S = L L'.

    Raises numpy.linalg.LinAlgError when S is not positive definite.
    """
    inverse = invert_lower_triangle(np.linalg.cholesky(S))
    return inverse.T @ (inverse @ T)


def invert_lower_triangle(L: np.ndarray) -> np.ndarray:
    """Return the inverse of a lower triangular matrix (m, m).

    For L = [[A, 0], [B, C]] it is [[A^-1, 0], [-C^-1 B A^-1, C^-1]].
    """
    m = len(L)
    if m <= BLOCK:
        return np.linalg.inv(L)
    k = m // 2
    inverse = np.zeros_like(L)
    inverse[:k, :k] = invert_lower_triangle(L[:k, :k])
    inverse[k:, k:] = invert_lower_triangle(L[k:, k:])
    inverse[k:, :k] = -inverse[k:, k:] @ (L[k:, :k] @ inverse[:k, :k])
    return inverse
