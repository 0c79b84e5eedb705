"""Solve S W = T for symmetric positive definite S, with nearly all the work in matrix products.

NumPy has no triangular solve, and ``np.linalg.solve`` runs far below the speed of a product at the
sizes of an interface. Splitting S into blocks makes it cheap enough for an SG model to get fresh
weights often.
"""

from __future__ import annotations

import numpy as np

BLOCK = 20  # below this NumPy's own factorisation is faster than splitting further


def solve_positive_definite(S: np.ndarray, T: np.ndarray) -> np.ndarray:
    """Return W (m, n) with S W = T for S (m, m) and T (m, n).

    Raises numpy.linalg.LinAlgError when S is not positive definite.
    """
    P = inverse_factor(S)
    return P.T @ (P @ T)


def inverse_factor(S: np.ndarray) -> np.ndarray:
    """Return P = L^-1, lower triangular, where S = L L' is the Cholesky factorisation.

    By blocks: with S = [[A, B'], [B, C]] and P_A the inverse factor of A, the lower left block of
    L is B P_A', what is left of C is C - B P_A' P_A B', and P's lower left block is
    -P_C (B P_A') P_A. Raises numpy.linalg.LinAlgError as above.
    """
    m = len(S)
    if m <= BLOCK:
        return np.linalg.inv(np.linalg.cholesky(S))
    k = m // 2
    P = np.zeros_like(S)
    P_A = P[:k, :k] = inverse_factor(S[:k, :k])
    lower_left = S[k:, :k] @ P_A.T
    P_C = P[k:, k:] = inverse_factor(S[k:, k:] - lower_left @ lower_left.T)
    P[k:, :k] = -P_C @ (lower_left @ P_A)
    return P
